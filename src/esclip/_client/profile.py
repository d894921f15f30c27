"""Where the time of a search over HTTP goes: a tree of milliseconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """The milliseconds of one search, as a tree: its text is the tree, drawn."""

    round_trip: float
    """From the request to the whole response, at the client."""
    service: float
    """In the service."""
    encode: float
    """Of that, computing the vector of the query."""
    store: float
    """Of that, the search in the store."""

    @property
    def network(self) -> float:
        """What the service doesn't account for: the network, HTTP and JSON on both sides."""
        return max(0.0, self.round_trip - self.service)

    @property
    def other(self) -> float:
        """What else the service did: waited for a thread, checked, put hits together."""
        return max(0.0, self.service - self.encode - self.store)

    def __str__(self) -> str:
        rows = [
            ("Round trip", self.round_trip),
            ("├── Network", self.network),
            ("└── Service", self.service),
            ("    ├── Encode", self.encode),
            ("    ├── Store", self.store),
            ("    └── Other", self.other),
        ]
        whole = self.round_trip or 1.0
        return "\n".join(f"{name:16}{ms:9.1f} ms {ms / whole:6.0%}" for name, ms in rows)

    __repr__ = __str__
