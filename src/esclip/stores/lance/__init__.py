"""The embedded store: a Lance folder, no server."""
