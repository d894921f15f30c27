"""Vector caches: documents with their vectors as Parquet files in a folder. Start with parts.py."""
