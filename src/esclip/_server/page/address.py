"""The state of the page as the parameters of its URL, and the URLs of the states that a click leads to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self
from urllib.parse import urlencode

from esclip._server.page.choices import IS, is_choice

REPEATED = frozenset({"like", "unlike", "where", "targets", "fields"})
"""Parameters that may be given several times."""
PLACE = frozenset({"offset", "view", "at"})
"""Where one is in the results: dropped when the search becomes another."""


ASIDE = frozenset({"part", "shown"})
"""What a script asks for besides: no link has it."""


KEPT = frozenset({"q", "k", "sort"})
"""What is left when all parts of a search are taken away."""


def is_repeated(name: str) -> bool:
    """Whether a parameter may be given several times."""
    return name in REPEATED or name.startswith(IS)


class PageAddress:
    """Parameters of the page, in order. Immutable."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Keep those with a value; of one that is given once, the last."""
        given = [(name, value) for name, value in pairs if value.strip() and name not in ASIDE]
        last = dict(given)
        self.pairs = tuple(
            dict.fromkeys((name, value if is_repeated(name) else last[name]) for name, value in given)
        )

    def values(self, name: str) -> list[str]:
        """All values of a parameter."""
        return [value for given, value in self.pairs if given == name]

    def value(self, name: str) -> str:
        """The value of a parameter that is given once, or an empty text."""
        return next(iter(self.values(name)), "")

    def replace(self, **values: str | int | None) -> Self:
        """With other values of these parameters; None and an empty text leave them out."""
        kept = [(name, value) for name, value in self.pairs if name not in values]
        added = [(name, str(value)) for name, value in values.items() if value not in (None, "")]
        return type(self)([*kept, *added])

    def elsewhere(self) -> Self:
        """The search from its beginning, without the place in its results."""
        return type(self)(pair for pair in self.pairs if pair[0] not in PLACE)

    def add(self, name: str, value: str) -> Self:
        """Another search: with one more value of a repeated parameter."""
        return type(self)([*self.elsewhere().pairs, (name, value)])

    def remove(self, name: str, value: str) -> Self:
        """Another search: without this value of a parameter."""
        return type(self)(pair for pair in self.elsewhere().pairs if pair != (name, value))

    def without_parts(self) -> Self:
        """Another search: the text alone."""
        return type(self)(pair for pair in self.pairs if pair[0] in KEPT)

    def more_like(self, id: str) -> Self:
        """The search, nearer to a picture of the index."""
        return self.remove("unlike", id).add("like", id)

    def less_like(self, id: str) -> Self:
        """The search, farther from a picture of the index."""
        return self.remove("like", id).add("unlike", id)

    def filters(self) -> Self:
        """What the filters leave, whatever is searched for among it."""
        return type(self)(pair for pair in self.pairs if pair[0] in ("where", "k") or is_choice(pair[0]))

    @property
    def url(self) -> str:
        """Relative to the page, so that a proxy may serve it below any path."""
        return f"?{urlencode(self.pairs)}" if self.pairs else "./"
