"""What listens: `http.py` runs an application, `encoder_app.py` is one."""
