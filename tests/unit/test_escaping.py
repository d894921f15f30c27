"""Text from outside as it is shown: what breaks a line or commands a terminal is escaped, nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esclip import FetchError
from esclip._cli.output.console import json_line
from esclip._errors import one_line
from esclip._errors.counts import pluralize
from esclip._errors.escaping import escape, json_escape
from esclip._errors.reasons import Reason

any_text = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    "name",
    [
        "Screenshot 2024-05-01 at 1.23.45\u202fPM.png",
        "a\u00a0b\u3000c\u2003d.png",
        "می\u200cخواهم.png",
        "👩\u200d🚀🏴\U000e0067\U000e007f.png",
        "שלום\u200f.png",
        "soft\u00adhyphen\ufeff\u2060.png",
        "apple\uf8ff.png",
        "back\\slash.png",
    ],
)
def test_names_of_files_are_kept(name: str) -> None:
    """Spaces of every kind, joiners, direction marks, private characters: the name still names its file."""
    assert escape(name) == name
    assert one_line(name) == name


@pytest.mark.parametrize(
    "unsafe",
    ["\x00", "\t", "\n", "\r", "\x1b", "\x1f", "\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\ud800", "\udfff"]
    + [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))],
)
def test_what_commands_a_terminal_is_escaped(unsafe: str) -> None:
    """Control characters, line separators, overrides of direction and half surrogates become JSON escapes."""
    assert escape(f"a{unsafe}b") == f"a{json_escape(unsafe)}b"
    assert escape(f"a{unsafe}b").isascii()
    assert unsafe not in one_line(f"a{unsafe}b")


@given(st.dictionaries(any_text, st.lists(any_text)))
def test_json_says_the_same_in_one_line(value: dict[str, list[str]]) -> None:
    """Whatever the texts are, half of a surrogate pair among them, a line of JSON gives them back."""
    line = json_line(value)
    assert len(line.splitlines()) == 1
    assert json.loads(line) == value


def test_a_detail_keeps_the_name_in_it() -> None:
    """A rejection's detail is one line, and a file name in it can be copied from there."""
    error = FetchError(Reason.FILE_NOT_FOUND, "a  b\u202fPM.png:\n  \x1b[31mgone")
    assert error.detail == "a  b\u202fPM.png: \\u001b[31mgone"


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "picture", "0 pictures"),
        (1, "picture", "1 picture"),
        (2, "broken row", "2 broken rows"),
        (12345, "entry", "12,345 entries"),
        (2, "index", "2 indexes"),
        (2, "batch", "2 batches"),
        (2, "day", "2 days"),
    ],
)
def test_numbers_have_their_noun(number: int, noun: str, text: str) -> None:
    """One of a thing is singular, none and several are plural."""
    assert pluralize(number, noun) == text
