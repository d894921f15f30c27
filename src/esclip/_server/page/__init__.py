"""The page: HTML of searches, rendered here and improved by scripts of its own.

URL ─► PageAddress ─► search ─► tiles.py, words.py ─► templates/ ─► HTML, or a part of it for a script
                                                      static/ ─► /static/NAME, for ever by its version

Everything but dropping pictures works without a script: as a form, and as links.
"""
