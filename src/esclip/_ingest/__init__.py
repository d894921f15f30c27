"""Ingest: records in, documents or rejections out. Start with `pipeline`; `run` composes it."""
