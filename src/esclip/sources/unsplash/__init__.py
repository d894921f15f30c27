"""The Unsplash dataset: TSV tables, parsed, joined and checked."""
