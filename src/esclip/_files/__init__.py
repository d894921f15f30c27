"""Files on disk and objects in buckets: opened safely, written atomically, read in any encoding."""
