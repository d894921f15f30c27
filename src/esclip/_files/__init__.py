"""Files on disk: written atomically, opened safely, read in any encoding; paths as users give them."""
