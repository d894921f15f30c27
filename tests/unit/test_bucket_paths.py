"""Addresses of buckets: what is in them, what is none, and which buckets are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esclip._core.types import document_hit
from esclip._errors import ConfigError, FetchError
from esclip._errors.reasons import Reason
from esclip._fetch.fetcher import Fetcher
from esclip._files.buckets import BucketPath, is_bucket_address
from esclip._files.paths import is_below, location_of
from esclip._server.page.assets import Assets
from esclip._server.page.tiles import picture_url
from esclip._server.search_messages import render_hit
from esclip.sources import open_source
from esclip.testing.documents import document


@pytest.mark.parametrize(
    ("address", "bucket", "key"),
    [
        ("s3://photos", "photos", ""),
        ("S3://photos/", "photos", ""),
        (" s3://my.photos-1/2024/", "my.photos-1", "2024"),
        ("s3://photos/ü a?b#c%20.jpg", "photos", "ü a?b#c%20.jpg"),
    ],
)
def test_an_address_is_a_bucket_and_a_name(address: str, bucket: str, key: str) -> None:
    """Nothing in a name is escaped, and a slash at its end says nothing."""
    path = BucketPath.parse(address)
    assert path == (bucket, key)
    assert BucketPath.parse(str(path)) == path
    assert location_of(address) == str(path)
    assert is_below(f"{path}/a.jpg", location_of(address))


@pytest.mark.parametrize(
    "address",
    [
        "s3://",
        "s3:///a.jpg",
        "s3://ab",
        "s3://Photos",
        "s3://photos//a.jpg",
        "s3://photos/../other/a.jpg",
        "s3://photos/./a.jpg",
        "s3://photos\n/a.jpg",
        "s3://photos/\udcff.jpg",
    ],
)
def test_what_is_no_address_is_refused_in_one_line(address: str) -> None:
    """Named by a user it is a wrong argument, in a record a rejected one; neither asks any server."""
    with pytest.raises(ConfigError) as refused:
        open_source([address])
    assert refused.value.message.isprintable()
    with Fetcher(allow_hosts=None, cache=None, workers=1) as fetcher, pytest.raises(FetchError) as rejected:
        fetcher.fetch(address)
    assert rejected.value.reason is Reason.BAD_URL


def test_credentials_in_an_address_are_refused_and_not_shown() -> None:
    """They would be kept in the index."""
    with pytest.raises(ConfigError, match="credentials") as refused:
        open_source(["s3://KEY:SECRET@photos/a.jpg"])
    assert "SECRET" not in str(refused.value)
    with pytest.raises(ConfigError, match="credentials") as refused:
        Fetcher(allow_hosts={"s3://KEY:SECRET@photos"}, cache=None, workers=1)
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize("path", [Path("s3://photos/2024"), "s3a://photos", "gs://photos", "abfss://a@b/c"])
def test_of_other_addresses_it_is_said_what_is_read(path: str | Path) -> None:
    """Other services, and a path that has lost a slash."""
    with pytest.raises(ConfigError, match=r"an address where a path is expected; .* s3://name/prefix"):
        open_source([path])


def test_only_texts_of_that_scheme_are_buckets() -> None:
    """Neither paths nor other addresses are."""
    assert is_bucket_address("s3://a")
    assert not any(map(is_bucket_address, ("https://s3/a", "s3:/a", "s3", "", b"s3://a", None)))


@pytest.mark.parametrize("named", [(), ("images.example.org",), ("s3://others",), ("*",)])
def test_a_bucket_that_is_not_named_is_not_read(named: tuple[str, ...]) -> None:
    """The credentials of the user would open it for whoever wrote the record."""
    hosts = {host for host in named if host != "*"}
    with Fetcher(allow_hosts=hosts, public_hosts=None, cache=None, workers=1) as fetcher:
        with pytest.raises(FetchError, match="bucket photos is not one of those allowed") as refused:
            fetcher.fetch("s3://photos/a.jpg")
        assert refused.value.reason is Reason.BAD_URL


def test_a_part_of_a_bucket_is_not_allowed_by_itself() -> None:
    """An entry that would allow more than it says is an error."""
    with pytest.raises(ConfigError, match="whole bucket, s3://photos"):
        Fetcher(allow_hosts={"s3://photos/2024"}, cache=None, workers=1)


@pytest.mark.parametrize(("option", "value"), [("texts", True), ("captions", "sidecar")])
def test_text_files_in_buckets_are_not_read(option: str, value: object) -> None:
    """What would be left out in silence is refused."""
    with pytest.raises(ConfigError, match=f"{option}: .*not in buckets|{option}: .*not from buckets"):
        open_source(["s3://photos"], **{option: value})  # type: ignore[arg-type]


def test_pages_say_that_a_picture_in_a_bucket_has_no_preview() -> None:
    """A thumbnail would take the server's credentials to read what an index names."""
    hit = replace(document_hit(document("a"), 0.5), location="s3://photos/a.jpg")
    rendered = render_hit(hit, fields=None, show_paths=True)
    assert rendered["picture"] is None
    assert rendered["location"] == "s3://photos/a.jpg"
    assert picture_url(rendered, 240).removeprefix("static/") in Assets().by_name


@given(st.text(st.characters(codec=None)))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """What is taken stands in an index, and is the same when it is read again."""
    try:
        path = BucketPath.parse(f"s3://photos/{text}")
    except ValueError:
        return
    assert BucketPath.parse(str(path)) == path
    assert path.path.encode()
