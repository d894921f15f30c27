"""A hostile Unsplash folder, from rows to hits, on every store: nothing is lost, and all stores agree."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from esclip import open_index
from esclip.testing.pictures import PLAIN
from tests.command_line import Esclip, in_process
from tests.engines import engine_address, engine_kinds
from tests.servers import PictureServer, body, redirect, status, unused_port

STORES = ["embedded", *(pytest.param(name, marks=pytest.mark.engine) for name in engine_kinds())]

QUERIES = ("red", "绿色", "ein graues Haus", "black and white", "no colour at all", "rose et bleu")

IDS = dict(
    zip(PLAIN, ("-dash_id-01", "--aB_cDeFgH", "null", "AbCdEfGhIjK", "abcdefghijk", *"123456"), strict=True)
)
"""The photo ids of the good pictures: such that look like options or nulls, or differ in case only."""


@dataclass(frozen=True)
class Dataset:
    """A dataset's folder, the server of its pictures, and what has to become of its rows."""

    folder: Path
    server: PictureServer
    good: dict[str, str]
    """Colour by id."""
    rejected: dict[str, tuple[str, str]]
    """Stage and reason by id."""
    repeated: int

    @property
    def rows(self) -> int:
        return len(self.good) + len(self.rejected) + self.repeated


def picture(color: str) -> bytes:
    data = io.BytesIO()
    image = Image.new("RGB", (300, 240), color)
    image.paste("white", (0, 0, 60 + 10 * PLAIN.index(color), 60))
    image.save(data, "JPEG", quality=90)
    return data.getvalue()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    """Two parts of different columns and extensions, quoted newlines, and every kind of bad row."""
    jpeg = picture("red")
    routes = {f"/{color}": body(picture(color), Content_Type="image/jpeg") for color in PLAIN}
    routes |= {
        "/gone": status(404),
        "/secret": status(403),
        "/broken": status(500),
        "/cut.jpg": body(jpeg[: len(jpeg) // 2], Content_Type="image/jpeg"),
        "/page.jpg": body(b"<!doctype html><title>Not here</title>", Content_Type="image/jpeg"),
        "/away": redirect("http://localhost:1/elsewhere"),
    }
    with PictureServer(routes) as server:
        bad = {
            "gone0000000": (server.url("/gone"), "fetch", "http_404"),
            "secret00000": (server.url("/secret"), "fetch", "http_403"),
            "cut00000000": (server.url("/cut.jpg"), "decode", "truncated"),
            "page0000000": (server.url("/page.jpg"), "decode", "not_an_image"),
            "away0000000": (server.url("/away"), "fetch", "bad_redirect"),
            "dead0000000": (f"http://127.0.0.1:{unused_port()}/x", "fetch", "connection_error"),
            "badhost0000": ("https://images.unsplash.company%20by/x", "fetch", "bad_url"),
            "foreign0000": ("https://images.unsplash.com-grass-sun.jpg/", "fetch", "bad_url"),
        }
        folder = tmp_path_factory.mktemp("unsplash")
        first = [
            "photo_id",
            "photo_url",
            "photo_image_url",
            "photo_width",
            "photo_height",
            "photo_description",
        ]
        rows = [
            f"{IDS[c]}\thttps://unsplash.com/photos/{c}\t{server.url(f'/{c}')}\t6000\t4000"
            f'\t"A ""{c}"" one,\nwith\ttabs"'
            for c in PLAIN[:6]
        ]
        (folder / "photos.tsv000").write_text("\n".join(["\t".join(first), *rows]) + "\n", encoding="utf-8")
        second = ["photo_location_country", "photo_image_url", "photo_id", "photo_width", "photo_height"]
        rows = [f"NA\t{server.url(f'/{c}')}\t{IDS[c]}\t4000\t6000" for c in PLAIN[6:]]
        rows += [f"\t{url}\t{id}\t\t" for id, (url, _, _) in bad.items()]
        rows += [f"\t{server.url('/red')}\t{IDS['red']}\t\t"]  # a second row of an id
        (folder / "photos.csv001").write_text("\n".join(["\t".join(second), *rows]) + "\n", encoding="utf-8")
        keywords = ["photo_id", "keyword", "suggested_by_user"]
        rows = [f"{id}\t{c}\tt" for c, id in IDS.items()] + [f"{IDS['red']}\tnull\tt", "unknown0000\tx\tt"]
        (folder / "keywords.tsv").write_text("\n".join(["\t".join(keywords), *rows]) + "\n", encoding="utf-8")
        yield Dataset(
            folder,
            server,
            good={id: color for color, id in IDS.items()},
            rejected={id: (stage, reason) for id, (_, stage, reason) in bad.items()},
            repeated=1,
        )


@dataclass(frozen=True)
class Filled:
    """An index into which the dataset was ingested by the command line."""

    esclip: Esclip
    place: tuple[str, ...]
    """The options that name it."""
    report: dict[str, object]
    rejections: list[dict[str, str]]
    ingest: tuple[str, ...]

    def hits(self, query: str, where: dict[str, str]) -> list[dict[str, Any]]:
        """All that is found for a query, by the library in this process."""
        with open_index(self.place[1], self.place[3]) as index:
            return [hit.to_json() for hit in index.search_text(query, 20, where)]


def fill(store: str, dataset: Dataset, folder: Path) -> Filled:
    home = folder / "home"
    home.mkdir(parents=True)
    esclip = in_process(home)
    address = str(folder / "store") if store == "embedded" else engine_address(store)
    place = ("--store", address, "--index", f"e2e-{uuid.uuid4().hex[:8]}")
    kept = folder / "rejections.jsonl"
    ingest = (
        "ingest",
        str(dataset.folder),
        *place,
        "--encoder",
        "palette",
        "--allow-host",
        "127.0.0.1",
        "--json",
    )
    report = esclip(*ingest, "--rejections", kept).json
    return Filled(esclip, place, report, [json.loads(line) for line in kept.read_text().splitlines()], ingest)


@pytest.fixture(scope="module", params=STORES)
def filled(
    request: pytest.FixtureRequest, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Filled]:
    """The dataset on one of the stores."""
    filled = fill(request.param, dataset, tmp_path_factory.mktemp(request.param))
    yield filled
    filled.esclip("drop", *filled.place, "--yes")


@pytest.fixture(scope="module")
def oracle(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """The dataset on the embedded store."""
    return fill("embedded", dataset, tmp_path_factory.mktemp("oracle"))


def test_every_row_is_accounted_for(filled: Filled, dataset: Dataset) -> None:
    """Good rows are written, bad ones rejected with the right stage and reason, a repeated id is skipped."""
    counts = {name: filled.report[name] for name in ("read", "skipped", "written", "rejected")}
    assert counts == {
        "read": dataset.rows,
        "skipped": dataset.repeated,
        "written": len(dataset.good),
        "rejected": len(dataset.rejected),
    }
    assert {r["id"]: (r["stage"], r["reason"]) for r in filled.rejections} == dataset.rejected
    stats = filled.esclip("stats", *filled.place, "--json").json
    assert stats["documents"] == len(dataset.good)


def test_a_second_run_writes_nothing_and_fetches_nothing_it_holds(filled: Filled, dataset: Dataset) -> None:
    """Documents that are there are skipped; only rejected records are tried again."""
    before = dataset.server.requests.copy()
    again = filled.esclip(*filled.ingest).json
    assert (again["written"], again["skipped"]) == (0, len(dataset.good) + dataset.repeated)
    asked = dataset.server.requests - before
    assert not {f"/{color}" for color in PLAIN} & set(asked)


def test_the_same_hits_and_scores_as_the_embedded_store(filled: Filled, oracle: Filled) -> None:
    """All stores give the same ids in the same order with the same cosines, filtered or not."""
    for where in ({}, {"country": "NA"}, {"orientation": "landscape"}):
        for query in QUERIES:
            found, wanted = filled.hits(query, where), oracle.hits(query, where)
            assert [hit["score"] for hit in found] == pytest.approx([h["score"] for h in wanted], abs=1e-3)
            assert {hit["id"]: hit["metadata"] for hit in found} == {h["id"]: h["metadata"] for h in wanted}


def test_hits_carry_what_the_rows_said(filled: Filled, dataset: Dataset) -> None:
    """Texts with newlines, tabs and quotes, "null" and "NA" come back as they were."""
    (red,) = filled.esclip("search-text", "red", "-k", "1", *filled.place, "--json").hits
    assert red["id"] == IDS["red"]
    assert red["description"] == 'A "red" one,\nwith\ttabs'
    assert red["location"] == dataset.server.url("/red")
    assert red["page"] == "https://unsplash.com/photos/red"
    assert sorted(red["metadata"]["keywords"]) == ["null", "red"]
    (grey,) = filled.esclip("search-text", "grey", "-k", "1", *filled.place, "--json").hits
    assert grey["metadata"]["country"] == "NA"
    assert grey["metadata"]["orientation"] == "portrait"


def test_similar_leaves_the_picture_out(filled: Filled, dataset: Dataset) -> None:
    """Neighbours of an id that looks like an option, which stands behind --, are all the others."""
    hits = filled.esclip("similar", "-k", "20", *filled.place, "--json", "--", IDS["white"]).hits
    assert {hit["id"] for hit in hits} == set(dataset.good) - {IDS["white"]}


def test_pictures_on_disk_are_read_instead_of_fetched(
    filled: Filled, dataset: Dataset, tmp_path: Path, quick_esclip: Esclip
) -> None:
    """With `--images` nothing is fetched, and a record without its file is rejected."""
    images = tmp_path / "images"
    images.mkdir()
    for id, color in dataset.good.items():
        (images / f"{id}.jpg").write_bytes(picture(color))
    before = dataset.server.requests.copy()
    store = ("--store", str(tmp_path / "store"))
    report = quick_esclip(
        "ingest", dataset.folder, "--images", images, *store, "--encoder", "palette", "--json"
    ).json
    assert report["written"] == len(dataset.good)
    assert report["rejections"] == {"file_not_found": len(dataset.rejected)}
    assert dataset.server.requests == before


@pytest.mark.engine
@pytest.mark.parametrize("engine", engine_kinds())
def test_the_index_that_an_ingest_leaves(engine: str, photos: Path, quick_esclip: Esclip) -> None:
    """Three shards under cosine, refreshed every minute, replicas only where there is a second data node."""
    address = engine_address(engine)
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    quick_esclip("ingest", photos, "--store", address, "--index", name, "--encoder", "palette")
    index = requests.get(f"{address}/{name}", timeout=10).json()[name]
    settings = index["settings"]["index"]
    assert settings["number_of_shards"] == "3"
    assert settings["refresh_interval"] == "60s"
    assert settings["number_of_replicas"] == ("1" if engine == "cluster" else "0")
    assert index["mappings"]["dynamic"] == "false"
    assert "cosine" in json.dumps(index["mappings"]["properties"]["vector"])
    assert index["mappings"]["_meta"]["esclip"]["space"]["model"] == "palette"
    quick_esclip("drop", "--store", address, "--index", name, "--yes")
    assert requests.get(f"{address}/{name}", timeout=10).status_code == 404
