"""Connections: deadlines, addresses, TLS, credentials."""
