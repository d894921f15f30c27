"""What an index of N pictures takes before there is one: memory, disk, shards, nodes, hours, cost.

plan(N, options) ─► sizes of a vector (`stores/sizes.py`) ─► lines, each with its formula ─► Plan

Begin with `planner.py`.
"""
