"""Facets: how many documents have which values."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import FastAPI, Query
from starlette.responses import Response

from esclip._server import facet_messages as messages
from esclip._server.routes.responses import PROBLEMS, count_facets, json_response
from esclip._server.search_service import SearchService


def add_facets(api: FastAPI, service: SearchService) -> None:
    @api.get("/v1/facets", responses={200: {"model": messages.FacetsResponse}, **PROBLEMS})
    async def facets(parameters: Annotated[messages.FacetParameters, Query()]) -> Response:
        """Count what documents have in fields: of all that the filter leaves."""
        began = time.perf_counter()
        rendered = await service.searches.run(
            count_facets, service, parameters.fields, parameters.where, limit=parameters.limit
        )
        return json_response(rendered, {"total": round(1000 * (time.perf_counter() - began), 2)})
