"""What listens: `http_server.py` runs an ASGI application, `admission.py` makes one of `encoder_app.py`."""
