"""Models on disk: found, described from their files, hashed; without loading them."""
