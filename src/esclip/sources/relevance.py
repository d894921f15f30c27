"""What sources know of which picture fits which words, for evaluations; so far the Unsplash dataset alone."""

from esclip.sources.unsplash.relevance import count_downloads, read_user_keywords

__all__ = ["count_downloads", "read_user_keywords"]
