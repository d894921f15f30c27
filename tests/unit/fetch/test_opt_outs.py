"""`X-Robots-Tag: noai` is heard: such a picture is not had, and not kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from esclip._errors import FetchError
from esclip._errors.reasons import Reason
from esclip._fetch.fetcher import Fetcher
from esclip._fetch.hosts import HostPolicy
from esclip._fetch.politeness import is_opted_out
from tests.fetching import PICTURE, fetcher, refusal
from tests.servers import PictureServer, body, raw, status


@pytest.mark.parametrize(
    "headers",
    [
        ["noai"],
        ["noimageai"],
        ["NoAI"],
        ["noindex, NOIMAGEAI"],
        ["noindex,noai,nofollow"],
        ["all", "noai"],
        ["esclip: noai"],
        ["ESCLIP:noindex , noai"],
        ["*: noai"],
        ["otherbot: noindex, esclip: noai"],
        ["otherbot: noai", "noimageai"],
        ["max-image-preview: large, noai"],
        ["unavailable_after: Sunday, 25-Jun-30 15:00:00 PST, noai"],
    ],
)
def test_hears_an_opt_out(headers: list[str]) -> None:
    """In any case, among others, in any of several headers, for all robots or by our name."""
    assert is_opted_out(headers)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [""],
        [":"],
        ["all"],
        ["noindex, nofollow, noimageindex"],
        ["noaI-not"],
        ["otherbot: noai"],
        ["otherbot: noindex, noai"],
        ["esclip: noindex, otherbot: noai, noimageai"],
        ["otherbot: max-snippet: 5, noai"],
        ["esclip-other: noai"],
    ],
)
def test_hears_nothing_else(headers: list[str]) -> None:
    """What says nothing of machine learning, or concerns another robot, is no opt-out."""
    assert not is_opted_out(headers)


def test_an_opted_out_picture_is_not_had(server: PictureServer, tmp_path: Path) -> None:
    """It is asked for once, its body is left, and nothing is kept."""
    server.routes["/b.jpg"] = body(PICTURE, X_Robots_Tag="noindex, noai")
    for _ in range(2):
        with fetcher(cache=tmp_path) as fetching, pytest.raises(FetchError) as caught:
            fetching.fetch(server.url("/b.jpg"))
        assert caught.value.reason is Reason.OPTED_OUT
    assert server.requests["/b.jpg"] == 2
    assert not list(tmp_path.iterdir())


def test_several_headers_count(server: PictureServer) -> None:
    """Headers of one name are all looked at, one after another."""
    tags = b"X-Robots-Tag: otherbot: noai\r\nx-robots-tag: noimageai\r\n"
    server.routes["/b.jpg"] = raw(b"HTTP/1.1 200 OK\r\n" + tags + b"Content-Length: 1\r\n\r\nx")
    assert refusal(server.url("/b.jpg")).reason is Reason.OPTED_OUT


def test_a_redirect_may_opt_out(server: PictureServer) -> None:
    """The host that is asked has its say, wherever it has the picture; an error's tag says nothing."""
    server.routes["/b.jpg"] = status(302, Location="/a.jpg", X_Robots_Tag="noai")
    server.routes["/gone.jpg"] = status(404, X_Robots_Tag="noai")
    assert refusal(server.url("/b.jpg")).reason is Reason.OPTED_OUT
    assert not server.requests["/a.jpg"]
    assert refusal(server.url("/gone.jpg")).reason is Reason.HTTP_404


@pytest.mark.parametrize("path", ["/b.jpg", "/moved.jpg"])
def test_a_person_may_not_listen(server: PictureServer, tmp_path: Path, path: str) -> None:
    """With `ignore_robots_tag` the picture is had; it is not kept, for later runs may listen."""
    server.routes["/b.jpg"] = body(PICTURE, X_Robots_Tag="noai")
    server.routes["/moved.jpg"] = status(302, Location="/a.jpg", X_Robots_Tag="noai")
    with Fetcher(HostPolicy({"127.0.0.1"}), cache=tmp_path, ignore_robots_tag=True) as fetching:
        assert fetching.fetch(server.url(path)) == PICTURE
    assert not list(tmp_path.iterdir())
