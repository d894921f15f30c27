"""A model on disk, described without loading it: where it is, which files it has, what they say."""
