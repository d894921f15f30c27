"""Search: queries in, hits out. Start with `searcher`."""
