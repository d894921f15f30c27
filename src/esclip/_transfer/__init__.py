"""Documents with their vectors from store to store, without encoding: start with exporting.py."""
