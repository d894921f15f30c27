"""The routes of the search service, a module a subject."""

from __future__ import annotations

from fastapi import FastAPI

from esclip import __version__
from esclip._server.routes.about import add_about
from esclip._server.routes.agents import add_agents
from esclip._server.routes.classification import add_classification
from esclip._server.routes.description import describe
from esclip._server.routes.documents import add_documents
from esclip._server.routes.duplicates import add_duplicates
from esclip._server.routes.embeddings import add_embeddings
from esclip._server.routes.errors import add_error_handlers
from esclip._server.routes.facets import add_facets
from esclip._server.routes.health import add_health
from esclip._server.routes.jobs import add_jobs
from esclip._server.routes.labels import add_labels
from esclip._server.routes.page import add_page
from esclip._server.routes.pictures import add_pictures
from esclip._server.routes.searches import add_searches
from esclip._server.routes.sessions import add_sessions
from esclip._server.routes.writing import add_writing
from esclip._server.search_service import SearchService


def make_routes(service: SearchService) -> FastAPI:
    """The routes, with every error as a problem."""
    api = FastAPI(
        title="esclip",
        version=__version__,
        summary="Finds pictures by what they show.",
        docs_url=None,  # its page loads scripts from another host
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,  # what generated clients call them
    )
    for add in (
        add_searches,
        add_documents,
        add_writing,
        add_facets,
        add_classification,
        add_embeddings,
        add_pictures,
        add_agents,
        add_jobs,
        add_about,
        add_sessions,
        add_health,
        add_page,
        add_duplicates,
        add_labels,
    ):
        add(api, service)
    add_error_handlers(api)
    describe(api)
    return api
