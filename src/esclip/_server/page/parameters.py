"""What the page is asked: the parameters of its URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from esclip._search.query import Clause, Query
from esclip._server.page.address import REPEATED, PageAddress
from esclip._server.page.choices import filters_of, is_choice
from esclip._server.search_messages import MAX_DEPTH, MAX_K, Id, SearchParameters

PAGE_SIZE = 30
"""Hits of a page: some three screenfuls."""


class PageParameters(SearchParameters):
    """A search, and what of it is shown."""

    k: int = Field(PAGE_SIZE, ge=1, le=MAX_K, description="Pictures of a page.")
    view: Id | None = Field(None, description="A picture to be shown large.")
    at: int = Field(0, ge=0, le=MAX_DEPTH, description="Its rank, by which its neighbours are found.")
    part: Literal["page", "results", "viewer", "facets"] = Field(
        "page", description="What a script wants of the page."
    )
    filters: Literal["", "on"] = Field("", description="Whether the page has its panel of filters.")
    shown: int | None = Field(
        None, ge=1, le=MAX_K, description="As many pictures as were shown, in one answer."
    )

    @classmethod
    def of(cls, address: PageAddress, aside: Mapping[str, str]) -> PageParameters:
        """Of a URL: its address, and what a script wants besides. Raises `ValidationError`."""
        given: dict[str, Any] = {
            name: address.values(name) if name in REPEATED else value
            for name, value in address.pairs
            if not is_choice(name)
        }
        if filters := filters_of(address.pairs):
            given["where"] = [*address.values("where"), *filters]
        return cls.model_validate({**given, **aside})

    @property
    def is_view(self) -> bool:
        """Whether a picture is shown large, and no results."""
        return self.view is not None and self.part != "results"

    def query(self, *more: Clause) -> Query:
        """The library's query; a viewer's is for the hit and its neighbours alone."""
        options: dict[str, int | bool] = {"k": self.shown or self.k}
        if self.is_view:
            options = {"offset": max(self.at - 2, 0), "k": 3, "explain": True}
        return super(PageParameters, self.model_copy(update=options)).query(*more)
