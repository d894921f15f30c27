"""Documents by their ids, and what is like them."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query
from starlette.responses import Response

from esclip._server import search_messages as messages
from esclip._server.routes.responses import PROBLEMS, document_hit_of, json_response, respond_to_query
from esclip._server.search_service import SearchService


def add_documents(api: FastAPI, service: SearchService) -> None:
    show_paths = service.options.show_paths

    @api.get(
        "/v1/documents/{id:path}/similar", responses={200: {"model": messages.SearchResponse}, **PROBLEMS}
    )
    async def similar(
        id: messages.Id, parameters: Annotated[messages.SimilarParameters, Query()]
    ) -> Response:
        """The pictures most like one of the index."""
        return await respond_to_query(service, parameters.query(id), parameters.fields, parameters.facets)

    @api.get("/v1/documents/{id:path}", responses={200: {"model": messages.DocumentResponse}, **PROBLEMS})
    async def document(id: messages.Id) -> Response:
        """A picture of the index, by its id."""
        hit = await service.searches.run(document_hit_of, service, id)
        return json_response(messages.render_document(hit, show_paths=show_paths))
