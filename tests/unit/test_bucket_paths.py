"""Addresses of buckets: what is in them, what is none, and which buckets are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import fs

from esclip._concurrency.retry import TransientError
from esclip._core.types import document_hit
from esclip._errors import ConfigError, FetchError
from esclip._errors.reasons import Reason
from esclip._fetch.fetcher import Fetcher
from esclip._fetch.hosts import HostPolicy
from esclip._files.buckets import BucketPath, is_bucket_address
from esclip._files.objects import SERVICES, explain_failure
from esclip._files.paths import is_below, location_of
from esclip._server.page.assets import Assets
from esclip._server.page.tiles import picture_url
from esclip._server.search_messages import render_hit
from esclip.sources import open_source
from esclip.testing.documents import document


@pytest.mark.parametrize(
    ("address", "scheme", "bucket", "key"),
    [
        ("s3://photos", "s3", "photos", ""),
        ("S3A://photos/", "s3", "photos", ""),
        (" s3://my.photos-1/2024/", "s3", "my.photos-1", "2024"),
        ("s3://photos/ü a?b#c%20.jpg", "s3", "photos", "ü a?b#c%20.jpg"),
        ("gcs://photos/2024", "gs", "photos", "2024"),
        ("az://photos/2024", "az", "photos", "2024"),
        ("abfs://abc@acc1.blob.core.windows.net/b", "abfss", "abc@acc1.dfs.core.windows.net", "b"),
    ],
)
def test_an_address_is_a_bucket_and_a_name(address: str, scheme: str, bucket: str, key: str) -> None:
    """Nothing in a name is escaped, a slash at its end says nothing, and each service has one spelling."""
    path = BucketPath.parse(address)
    assert path == (scheme, bucket, key)
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
        "abfss://photos/2024",
        "abfss://photos@acc1.dfs.core.example.org/2024",
    ],
)
def test_what_is_no_address_is_refused_in_one_line(address: str) -> None:
    """Named by a user it is a wrong argument, in a record a rejected one; neither asks any server."""
    with pytest.raises(ConfigError) as refused:
        open_source([address])
    assert refused.value.message.isprintable()
    with Fetcher(HostPolicy(None)) as fetcher, pytest.raises(FetchError) as rejected:
        fetcher.fetch(address)
    assert rejected.value.reason is Reason.BAD_URL


def test_credentials_in_an_address_are_refused_and_not_shown() -> None:
    """They would be kept in the index."""
    with pytest.raises(ConfigError, match="credentials") as refused:
        open_source(["s3://KEY:SECRET@photos/a.jpg"])
    assert "SECRET" not in str(refused.value)
    with pytest.raises(ConfigError, match="credentials") as refused:
        Fetcher(HostPolicy({"s3://KEY:SECRET@photos"}))
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize("path", [Path("s3://photos/2024"), Path("gs://photos"), "r2://photos"])
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
    with Fetcher(HostPolicy(hosts, None)) as fetcher:
        with pytest.raises(FetchError, match="bucket s3://photos is not one of those allowed") as refused:
            fetcher.fetch("s3://photos/a.jpg")
        assert refused.value.reason is Reason.BAD_URL


def test_a_part_of_a_bucket_is_not_allowed_by_itself() -> None:
    """An entry that would allow more than it says is an error."""
    with pytest.raises(ConfigError, match="whole bucket, s3://photos"):
        Fetcher(HostPolicy({"s3://photos/2024"}))


def test_text_files_in_buckets_are_not_documents() -> None:
    """What would be left out in silence is refused."""
    with pytest.raises(ConfigError, match=r"texts: .*not from buckets"):
        open_source(["s3://photos"], texts=True)


def test_a_bucket_of_another_service_is_another_one() -> None:
    """To allow one of them allows no other of its name."""
    with (
        Fetcher(HostPolicy({"gs://photos"})) as fetcher,
        pytest.raises(FetchError, match="bucket s3://photos is not one of those allowed"),
    ):
        fetcher.fetch("s3://photos/a.jpg")


@pytest.mark.parametrize(
    ("address", "variables", "expected"),
    [
        (
            "gs://photos",
            {"STORAGE_EMULATOR_HOST": "127.0.0.1:9"},
            lambda: fs.GcsFileSystem(
                anonymous=True,
                scheme="http",
                endpoint_override="127.0.0.1:9",
                retry_time_limit=timedelta(seconds=1),
            ),
        ),
        (
            "az://photos",
            {"AZURE_STORAGE_ACCOUNT": "mine", "AZURE_STORAGE_KEY": "a2V5"},
            lambda: fs.AzureFileSystem("mine", account_key="a2V5"),
        ),
        (
            "abfss://photos@other.dfs.core.windows.net",
            {"AZURE_STORAGE_ACCOUNT": "mine", "AZURE_STORAGE_KEY": "a2V5"},
            lambda: fs.AzureFileSystem(
                "other",
                account_key="a2V5",
                blob_storage_authority=".blob.core.windows.net",
                dfs_storage_authority=".dfs.core.windows.net",
                blob_storage_scheme="https",
                dfs_storage_scheme="https",
            ),
        ),
    ],
)
def test_which_file_system(
    address: str,
    variables: dict[str, str],
    expected: Callable[[], fs.FileSystem],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An address leads to the file system of its service, by what the environment and it name."""
    for name in {*SERVICES["az"].variables, *SERVICES["gs"].variables}:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    path = BucketPath.parse(address)
    assert SERVICES[path.scheme].open(path).equals(expected())


def test_azure_without_an_account_says_how_to_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its containers have names of their own in each account."""
    for name in SERVICES["az"].variables:
        monkeypatch.delenv(name, raising=False)
    with Fetcher(HostPolicy(None)) as fetcher:
        with pytest.raises(FetchError, match="set AZURE_STORAGE_ACCOUNT, or write abfss://") as refused:
            fetcher.fetch("az://photos/a.jpg")
        assert refused.value.reason is Reason.BAD_URL


@pytest.mark.parametrize(
    ("said", "reason", "shown"),
    [
        ("AWS Error SLOW_DOWN (HTTP status 503) during GetObject operation: x", Reason.HTTP_429, "503: x"),
        (
            "AWS Error UNKNOWN (HTTP status 301) during HeadObject operation: No response body.",
            Reason.HTTP_4XX,
            "status 301: it is in another region: name it by AWS_DEFAULT_REGION",
        ),
        (
            "AWS Error UNKNOWN (HTTP status 400) during HeadObject operation: No response body.",
            Reason.HTTP_4XX,
            "status 400: credentials that have expired",
        ),
        (
            "AWS Error UNKNOWN (HTTP status 400) during GetObject operation: ExpiredToken: it has expired",
            Reason.HTTP_4XX,
            "status 400: ExpiredToken: it has expired",
        ),
        (
            "google::cloud::Status(PERMISSION_DENIED: Permanent error, no access error_info={a=b})",
            Reason.HTTP_403,
            "permission denied: Permanent error, no access",
        ),
        (
            "google::cloud::Status(UNAVAILABLE: CURL error [6]=Could not resolve hostname error_info={})",
            Reason.DNS_ERROR,
            "resolve hostname",
        ),
        (
            "GetProperties for 'x' failed. Azure Error: [AuthorizationFailure] 403 It is not allowed",
            Reason.HTTP_403,
            "status 403: It is not allowed",
        ),
        ("failed. Azure Error: [] Fail to get a new connection", Reason.CONNECTION_ERROR, "Fail to get"),
    ],
)
def test_what_services_answer_is_one_line_and_a_reason(said: str, reason: Reason, shown: str) -> None:
    """Each has words of its own, and some answer without any."""
    failure = explain_failure(OSError(said), BucketPath("s3", "photos", "a.jpg"))
    error = failure.error if isinstance(failure, TransientError) else failure
    assert isinstance(error, FetchError)
    assert error.reason is reason
    assert shown in error.detail
    assert error.detail.isprintable()


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
