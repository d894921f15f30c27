"""What listens: `http_server.py` runs an application, `encoder_app.py` is one."""
