"""Programs that listen: an encoder for other machines."""
