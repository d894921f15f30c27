"""Records in files of rows: tables by their columns, and JSON lines. Start with source.py."""
