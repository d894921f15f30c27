"""The path of a document, by its id: of one and the same document for all methods."""

from __future__ import annotations

from starlette.convertors import Convertor, register_url_convertor


class _IdConvertor(Convertor[str]):
    """An id, whose slashes may stand as they are: but for `.../similar`, which has a route of its own.

    There `/` is written as `%2F`. Else PUT would write a document that GET could not read.
    """

    regex = "(?:(?!/similar$).)*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("id", _IdConvertor())

DOCUMENT_PATH = "/v1/documents/{id:id}"
