"""Escapes untrusted text: a file name can't break a line or control a terminal.

Escaped, as JSON writes it (`\\u001b`), so that JSON says the same: control characters (C0, DEL, C1), line
and paragraph separators, the characters that reverse what stands around them (U+202A-202E, U+2066-2069: with
one of them, `gnp.exe` looks like `exe.png`), and halves of surrogate pairs, which no encoding has. All else
stays: spaces of every width, joiners, marks of Hebrew and Arabic, private characters. What is copied from a
line names the same file.
"""

from __future__ import annotations

import json
import re

_LINE_BREAK = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def escape(text: str) -> str:
    """`text` in one line, with JSON escapes in place of characters that are unsafe to show."""
    return _UNSAFE.sub(lambda match: json_escape(match[0]), text)


def json_escape(text: str) -> str:
    """`text` in ASCII, as between the quotes of a JSON string."""
    return json.dumps(text)[1:-1]


def join_lines(text: str) -> str:
    """The lines of `text` in one line, escaped."""
    parts = (part.strip(" ") for part in _LINE_BREAK.split(text))
    return escape(" ".join(part for part in parts if part))
