"""A service that is told to sends the very bytes that were encoded, as what they are, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import esclip
from esclip._server.http_server import HttpServer
from esclip._server.search_app import SearchApp
from tests.plain_pictures import image_file
from tests.search_servers import Answer, ask, searching

FILES = {
    "red.png": image_file("PNG", "red"),
    "green.jpg": image_file("JPEG", "green"),
    "really a gif.png": image_file("GIF", "blue"),
    'a "b"; c=\u00fc\u202e\x1b[31m.webp': image_file("WEBP", "yellow"),
    "page.html.bmp": image_file("BMP", "white"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    (folder / "photos").mkdir()
    for name, data in FILES.items():
        (folder / "photos" / name).write_bytes(data)
    with esclip.open_index(folder / "store", encoder="palette") as index:
        index.ingest(folder / "photos")
        index.add(
            [
                {
                    "id": "web",
                    "image": image_file("PNG", "grey"),
                    "location": "https://pictures.example/a.png",
                },
                {"id": "memory", "image": image_file("PNG", "black")},
                {"id": "elsewhere", "image": image_file("PNG", "pink"), "location": "/etc/passwd"},
            ]
        )
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[HttpServer[SearchApp]]:
    with searching(esclip.open_index(folder / "store"), folder / "cache", originals=True) as server:
        yield server


def original_of(server: HttpServer[SearchApp], name: str, **headers: str) -> Answer:
    """The original of a file."""
    listed = ask(server, "POST", "/v1/search", {"where": "exists(file_name)"}).json["hits"]
    (hit,) = [hit for hit in listed if hit["metadata"]["file_name"].startswith(name)]
    path, _, version = hit["picture"].partition("?")
    return ask(server, "GET", f"{path}/original?{version}", headers=headers)


@pytest.mark.parametrize(
    ("name", "kind", "disposition"),
    [
        ("red.png", "image/png", "filename=\"red.png\"; filename*=UTF-8''red.png"),
        ("green", "image/jpeg", "filename=\"green.jpg\"; filename*=UTF-8''green.jpg"),
        (
            "really",
            "image/gif",
            "filename=\"really a gif.png.gif\"; filename*=UTF-8''really%20a%20gif.png.gif",
        ),
        (
            "a ",
            "image/webp",
            "filename=\"a _b__ c___31m.webp\"; filename*=UTF-8''a%20%22b%22%3B%20c%3D%C3%BC%5B31m.webp",
        ),
        ("page", "image/bmp", "filename=\"page.html.bmp\"; filename*=UTF-8''page.html.bmp"),
    ],
)
def test_the_very_bytes_are_sent(
    server: HttpServer[SearchApp], name: str, kind: str, disposition: str
) -> None:
    """Their type is that of the bytes, whatever the file is called; the name is safe to save a file by."""
    sent = original_of(server, name)
    assert (sent.status, sent.headers["Content-Type"]) == (200, kind)
    assert sent.body in FILES.values()
    assert sent.headers["X-Content-Type-Options"] == "nosniff"
    assert sent.headers["Content-Disposition"] == f"inline; {disposition}"
    assert "immutable" in sent.headers["Cache-Control"]
    again = original_of(server, name, **{"If-None-Match": sent.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


def test_a_url_without_a_version_is_asked_for_again(server: HttpServer[SearchApp]) -> None:
    """Only what has its version in its URL is kept for ever, thumbnails as originals."""
    hit = ask(server, "GET", "/v1/search?q=red&k=1").json["hits"][0]
    path = hit["picture"].partition("?")[0]
    for one in (path, f"{path}?h=480", f"{path}?v=000000", f"{path}/original"):
        sent = ask(server, "GET", one)
        assert (sent.status, sent.headers["Cache-Control"]) == (200, "private, no-cache")
        assert sent.headers["ETag"]
    assert "immutable" in ask(server, "GET", hit["picture"]).headers["Cache-Control"]


def test_what_is_no_file_of_the_index_is_not_sent(server: HttpServer[SearchApp], folder: Path) -> None:
    """A picture in memory, a file with other bytes, a changed one, an unknown id; the web is elsewhere."""
    for id in ("memory", "elsewhere", "x", "..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd"):
        for rest in ("", "/original"):
            assert ask(server, "GET", f"/pictures/{id}{rest}").problem == "unknown-document"
    redirected = ask(server, "GET", "/pictures/web/original")
    assert (redirected.status, redirected.headers["Location"]) == (302, "https://pictures.example/a.png")
    kept = FILES["green.jpg"]
    (folder / "photos" / "green.jpg").write_bytes(image_file("JPEG", "blue"))
    assert original_of(server, "green").problem == "unknown-document"
    (folder / "photos" / "green.jpg").write_bytes(kept)


def test_originals_are_not_sent_unless_the_server_is_told_to(folder: Path) -> None:
    """Without the option there is no such route."""
    with searching(esclip.open_index(folder / "store"), folder / "cache") as server:
        assert original_of(server, "red.png").problem == "unknown-document"
        assert "/pictures/{id}/original" not in ask(server, "GET", "/openapi.json").json["paths"]
