"""How much of what an exact search finds an index's own searches find: start with `audit.py`.

queries ─► searches, with filters and without ─► hits ─┐
documents ─► all, or a sample by ids ─► cosines ───────┴─► recall, short results, score error, latency
"""
