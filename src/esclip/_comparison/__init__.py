"""How alike the answers of two indexes are, such as of two models: start with `compare.py`.

the same texts, pictures of both ─► searched in each with its own encoder ─► hits ─► overlap, RBO, latency
"""
