"""The client of a search service: the facade's methods over HTTP. Start with client.py."""
