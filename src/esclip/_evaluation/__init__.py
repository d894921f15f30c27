"""How good an index's searches are, by judgements of what is relevant: start with `evaluate.py`.

Judgements ─► queries, batch by batch ─► search_many ─► metrics of each query ─► means, intervals, tests
"""
