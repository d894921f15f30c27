"""Bytes to RGB images: formats, limits of decoding, thumbnails."""
