"""Arguments of the tools: types, bounds and descriptions, as the tools' JSON schemas have them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from esclip._core.types import Box
from esclip._server.search_messages import MAX_DEPTH, Id, SearchParameters, ShortText

MAX_HITS = 50
"""Hits of an answer: what fits on a contact sheet."""
MAX_EXAMPLES = 20

Where = Annotated[
    str,
    Field(
        "",
        max_length=2000,
        description="Only pictures like this; describe_index names the fields: country=Norway,Sweden "
        "file_name=IMG* width>=4000 submitted_at=2020 !colors=red, joined by & and |.",
    ),
]
Limit = Annotated[int, Field(10, ge=1, le=MAX_HITS, description="Pictures.")]
Offset = Annotated[int, Field(0, ge=0, le=MAX_DEPTH - MAX_HITS, description="Pictures to pass over.")]
Share = Annotated[float, Field(ge=0, le=1)]


class Arguments(BaseModel):
    """The arguments of a tool: no names but those declared."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class SearchPictures(Arguments):
    """Arguments of `search_pictures`."""

    text: ShortText = Field("", description="What the pictures show, in any language.")
    like_ids: list[Id] = Field([], max_length=MAX_EXAMPLES, description="Pictures to be like.")
    unlike_ids: list[Id] = Field([], max_length=MAX_EXAMPLES, description="Pictures not to be like.")
    where: Where
    limit: Limit
    offset: Offset

    def parameters(self) -> SearchParameters:
        """The same as parameters of a search. Raises `ValueError` where nothing is searched for."""
        if not (self.text.strip() or self.like_ids or self.unlike_ids or self.where):
            raise ValueError("give text, like_ids or where: what shall be found")
        return SearchParameters.model_validate(
            {
                "q": self.text.strip(),
                "like": self.like_ids,
                "unlike": self.unlike_ids,
                **_page(self.where, self.limit, self.offset),
            }
        )


class SimilarPictures(Arguments):
    """Arguments of `similar_pictures`."""

    id: Id = Field(description="A picture of the index, by the id that a search gave.")
    where: Where
    limit: Limit
    offset: Offset

    def parameters(self) -> SearchParameters:
        """The same as parameters of a search."""
        page = _page(self.where, self.limit, self.offset)
        return SearchParameters.model_validate({"like": [self.id], **page})


class ViewPicture(Arguments):
    """Arguments of `view_picture`."""

    id: Id = Field(description="A picture of the index, by the id that a search gave.")
    box: Annotated[list[Share], Field(min_length=4, max_length=4)] | None = Field(
        None,
        description="The part to show: left, top, right, bottom as shares of width and height, from 0 to 1.",
    )

    def part(self) -> Box | None:
        """The part to show. Raises `ValueError` for one without width or height."""
        if self.box is None:
            return None
        box = Box(*self.box)
        if box.right - box.left < MIN_SHARE or box.bottom - box.top < MIN_SHARE:
            raise ValueError(
                f"box is [left, top, right, bottom], at least {MIN_SHARE} wide and high, not {self.box}"
            )
        return box


MIN_SHARE = 0.01
"""Of a picture's width and height: a smaller part has hardly a pixel."""


class CountPictures(Arguments):
    """Arguments of `count_pictures`."""

    where: Where
    by: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="A field of the index: its values, or ranges of its numbers or dates, are counted."
    )

    def filters(self) -> list[str]:
        """The filter, if there is one."""
        return [self.where] if self.where.strip() else []


class DescribeIndex(Arguments):
    """Arguments of `describe_index`: none."""


def _page(where: str, limit: int, offset: int) -> dict[str, Any]:
    return {"where": [where] if where.strip() else [], "k": limit, "offset": offset}
