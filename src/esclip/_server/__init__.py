"""What listens: `http_server.py` runs an ASGI application, `encoder_app.py` and `search_app.py` are such."""
