"""Documents by their ids, and what is like them."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from fastapi import FastAPI, Query
from starlette.responses import Response

from esclip._search.documents import Documents
from esclip._server import search_messages as messages
from esclip._server.routes.paths import DOCUMENT_PATH
from esclip._server.routes.responses import PROBLEMS, document_hit_of, json_response, respond_to_query
from esclip._server.search_service import SearchService


def add_documents(api: FastAPI, service: SearchService) -> None:
    show_paths = service.options.show_paths

    @api.get("/v1/documents", responses={200: {"model": messages.DocumentsResponse}, **PROBLEMS})
    async def documents(parameters: Annotated[messages.DocumentsParameters, Query()]) -> Response:
        """Pictures of the index by their ids, up to 100, with their vectors where they are wanted."""
        fields, found = await service.searches.run(_documents_of, service, parameters)
        rendered = [
            messages.render_stored(document, vector=parameters.vectors, fields=fields, show_paths=show_paths)
            for document in found
        ]
        return json_response({"documents": rendered, "missing": list(found.missing)})

    @api.get("/v1/ids", responses={200: {"model": messages.IdsResponse}, **PROBLEMS})
    async def ids(parameters: Annotated[messages.IdsParameters, Query()]) -> Response:
        """The ids of all documents, in their order, page by page."""
        page = await service.searches.run(_page_of_ids, service, parameters)
        return json_response({"ids": page, "next": page[-1] if len(page) == parameters.limit else None})

    @api.get(f"{DOCUMENT_PATH}/similar", responses={200: {"model": messages.SearchResponse}, **PROBLEMS})
    async def similar(
        id: messages.PathId, parameters: Annotated[messages.SimilarParameters, Query()]
    ) -> Response:
        """The pictures most like one of the index."""
        return await respond_to_query(service, parameters.query(id), parameters.fields, parameters.facets)

    @api.get(DOCUMENT_PATH, responses={200: {"model": messages.DocumentResponse}, **PROBLEMS})
    async def document(id: messages.PathId) -> Response:
        """A picture of the index, by its id."""
        hit = await service.searches.run(document_hit_of, service, id)
        return json_response(messages.render_document(hit, show_paths=show_paths))


def _documents_of(
    service: SearchService, parameters: messages.DocumentsParameters
) -> tuple[list[str] | None, Documents]:
    """The fields that are sent of documents, and these."""
    return service.require_fields(parameters.fields, "fields"), service.index.get(parameters.ids)


def _page_of_ids(service: SearchService, parameters: messages.IdsParameters) -> list[str]:
    return [*islice(service.index.ids(parameters.after), parameters.limit)]
