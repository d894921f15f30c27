"""Records that a program has in memory: pictures, paths, URLs, mappings, tables. Start with source.py."""
