"""Bytes to RGB pictures: formats, limits of what is decoded, thumbnails."""
