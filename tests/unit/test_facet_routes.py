"""Facets and orders by HTTP: the library's, with problems that point to the name of an unknown field."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import esclip
from esclip import Field, FieldType, Hits, ImageIndex, IndexSchema
from esclip._core.types import MetadataValue
from esclip._server.http_server import HttpServer
from esclip._server.search_app import SearchApp
from esclip.encoders.palette import PaletteEncoder
from esclip.stores.memory import MemoryStore
from esclip.testing.documents import FIELDS, document
from tests.plain_pictures import png
from tests.search_servers import ask, searching

DOCUMENTS: dict[str, dict[str, MetadataValue]] = {
    "a": {"country": "Norway", "likes": 1, "folders": ("/home/x",)},
    "b": {"country": "Norway", "likes": 3},
    "c": {"country": "Chile", "likes": 2, "featured": True},
    "d": {},
}
COUNTRY = {
    "type": "keyword",
    "values": [{"value": "Norway", "count": 2}, {"value": "Chile", "count": 1}],
    "others": 0,
    "exact": True,
    "missing": 1,
}


@pytest.fixture(scope="module")
def index() -> ImageIndex:
    """Four pictures in memory."""
    encoder = PaletteEncoder()
    store = MemoryStore("pictures")
    store.ensure_index(IndexSchema(encoder.space, (*FIELDS, Field("folders", FieldType.KEYWORDS))))
    vectors = encoder.encode_texts(["red", "green", "blue", "white"])
    written = [document(id, vector, DOCUMENTS[id]) for id, vector in zip(DOCUMENTS, vectors, strict=True)]
    assert store.upsert(written) == []
    return esclip.open_index(store, encoder=encoder)


@pytest.fixture(scope="module")
def server(index: ImageIndex, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer[SearchApp]]:
    with searching(index, tmp_path_factory.mktemp("cache")) as server:
        yield server


def test_facets(server: HttpServer[SearchApp], index: ImageIndex) -> None:
    """Fields may be repeated or have commas between them; counts are of what the filter leaves."""
    answer = ask(server, "GET", "/v1/facets?fields=country,likes&fields=featured")
    assert answer.json == index.facets(["country", "likes", "featured"]).to_json()
    assert answer.json["facets"]["country"] == COUNTRY
    assert answer.headers["Server-Timing"].startswith("total;dur=")
    filtered = ask(server, "GET", f"/v1/facets?fields=country&limit=1&where={quote('likes>1')}").json
    assert (filtered["documents"], filtered["facets"]["country"]["others"]) == (2, 1)


def test_facets_name_no_folder(server: HttpServer[SearchApp], index: ImageIndex, tmp_path: Path) -> None:
    """Folders of this machine are counted, or asked for, only where the server shows paths."""
    counted = ask(server, "GET", "/v1/facets").json["facets"]
    assert set(counted) == {"country", "colors", "likes", "aperture", "featured", "taken_at"}
    for path in ("/v1/facets?fields=likes,folders", "/v1/search?q=red&fields=likes,folders"):
        answer = ask(server, "GET", path)
        assert answer.problem == "unknown-field"
        assert answer.json["errors"][0]["pointer"] == "/fields/1"
    with searching(esclip.open_index(index.store), tmp_path, show_paths=True) as showing:
        counted = ask(showing, "GET", "/v1/facets?fields=folders").json["facets"]
    assert counted["folders"]["values"] == [{"value": "/home/x", "count": 1}]


def test_facets_with_hits(server: HttpServer[SearchApp]) -> None:
    """Every kind of search counts what its filter leaves, whatever the hits; where it is asked to."""
    part = {"image": base64.b64encode(png("red")).decode()}
    body = {"parts": [part], "k": 1, "facets": ["country"]}
    answers = [
        ask(server, "GET", "/v1/search?q=red&k=1&facets=country").json,
        ask(server, "POST", "/v1/search", body).json,
        ask(server, "POST", "/v1/search?k=1&facets=country", png("red"), {"Content-Type": "image/png"}).json,
        ask(server, "POST", "/v1/search/batch", {"queries": [body]}).json["results"][0],
        ask(server, "GET", "/v1/documents/a/similar?k=1&facets=country").json,
    ]
    for answer in answers:
        assert len(answer["hits"]) == 1
        assert (answer["documents"], answer["facets"]) == (4, {"country": COUNTRY})
    plain = ask(server, "POST", "/v1/search", {"parts": [part]}).json
    assert plain.keys().isdisjoint({"documents", "facets"})
    filtered = ask(server, "POST", "/v1/search", body | {"where": "country=Chile"}).json
    assert filtered["documents"] == 1


def test_sort(server: HttpServer[SearchApp], index: ImageIndex) -> None:
    """Hits come in the order of a field, of a search and of a filter alone, page by page."""

    def ids(answer: Any) -> list[str]:
        return [hit["id"] for hit in answer.json["hits"]]

    assert ids(ask(server, "GET", "/v1/search?q=red&sort=-likes")) == ["b", "c", "a", "d"]
    assert ids(ask(server, "POST", "/v1/search", {"parts": [{"text": "red"}], "sort": "likes"})) == list(
        "acbd"
    )
    where = quote("exists(likes)")
    assert ids(ask(server, "GET", f"/v1/search?where={where}&sort=-likes&k=2&offset=1")) == ["c", "a"]
    relevance: Hits = index.search_text("red")
    assert ids(ask(server, "GET", "/v1/search?q=red&sort=relevance")) == [hit.id for hit in relevance]


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer", "detail"),
    [
        ("GET", "/v1/search?where=likes%3D1&where=contry%3DNorway", None, "/where", "at character 1"),
        ("POST", "/v1/search", {"where": "likes>1 & contry=x"}, "/where", "at character 11"),
        ("POST", "/v1/search", {"where": "exists( contry)"}, "/where", "at character 8"),
        ("GET", "/v1/search?q=red&sort=-contry", None, "/sort", "contry: did you mean country?"),
        ("GET", "/v1/facets?fields=likes,contry", None, "/fields/1", "contry: did you mean country?"),
        ("GET", "/v1/facets?where=contry%3Dx", None, "/where", "at character 1"),
        ("GET", "/v1/search?q=red&facets=contry", None, "/facets/0", "contry: did you mean country?"),
        ("GET", "/v1/search?q=red&fields=contry", None, "/fields/0", "contry: did you mean country?"),
        (
            "GET",
            "/v1/documents?ids=a&fields=likes,contry",
            None,
            "/fields/1",
            "contry: did you mean country?",
        ),
        ("GET", "/v1/documents/a/similar?fields=contry", None, "/fields/0", "contry: did you mean country?"),
        (
            "POST",
            "/v1/search/batch",
            {"queries": [{"parts": [{"text": "red"}]}, {"parts": [{"text": "red"}], "fields": ["contry"]}]},
            "/queries/1/fields/0",
            "contry: did you mean country?",
        ),
        (
            "POST",
            "/v1/search/batch",
            {"queries": [{"parts": [{"text": "red"}]}, {"parts": [{"text": "red"}], "sort": "contry"}]},
            "/queries/1/sort",
            "contry: did you mean country?",
        ),
        (
            "POST",
            "/v1/search/batch",
            {"queries": [{"parts": [{"text": "red"}], "facets": ["likes", "contry"]}]},
            "/queries/0/facets/1",
            "contry: did you mean country?",
        ),
    ],
)
def test_unknown_fields(
    server: HttpServer[SearchApp], method: str, path: str, body: Any, pointer: str, detail: str
) -> None:
    """The problem says which field was meant, and points to the name."""
    answer = ask(server, method, path, body)
    assert (answer.status, answer.problem) == (422, "unknown-field")
    assert answer.json["detail"] == "contry: did you mean country?"
    assert answer.json["errors"] == [{"pointer": pointer, "detail": detail}]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/facets?fields=caption",
        "/v1/facets?fields=country&limit=0",
        "/v1/facets?limit=99999999999999999999",
        "/v1/facets?limit=x",
        "/v1/facets?unheard=of",
        "/v1/facets?where=likes%3E",
        f"/v1/facets?fields={'x' * 300}",
        f"/v1/facets?fields={','.join('x' * 201)}",
        "/v1/search?q=red&sort=colors",
        "/v1/search?q=red&sort=likes&offset=190&k=20",
        f"/v1/search?q=red&sort={'x' * 300}",
    ],
)
def test_wrong_facets_and_orders(server: HttpServer[SearchApp], path: str) -> None:
    """What can't be counted or ordered is refused."""
    assert ask(server, "GET", path).problem == "bad-query"


def test_what_openapi_says(server: HttpServer[SearchApp]) -> None:
    """The parameters and the answer are described."""
    api = ask(server, "GET", "/openapi.json").json
    names = {parameter["name"] for parameter in api["paths"]["/v1/facets"]["get"]["parameters"]}
    assert names == {"fields", "where", "limit"}
    schemas = api["components"]["schemas"]
    assert schemas["BucketResponse"]["properties"].keys() == {"from", "to", "count"}
    assert {"documents", "facets"} <= schemas["SearchResponse"]["properties"].keys()
    assert {"sort", "facets"} <= schemas["SearchRequest"]["properties"].keys()
