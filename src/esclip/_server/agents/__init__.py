"""Read-only tools for agents, by the Model Context Protocol. Start with tools.py.

client's call ─► server.py (the official SDK) ─► arguments.py ─► tools.py ─► facade
                                                                    └─► pictures.py ─► a JPEG
"""
