"""Bytes by URL or path: allowed hosts only, politely, within a deadline, cached."""
