"""An index as an older version made it, and what that version answered: the steps that made it and used it.

    MAKE ─► the index, kept in tests/fixtures ─► SEARCH ─► WRITE ─► answers, kept beside it
                                              └► the same with the code of today ─► the same answers

`scripts/keep_old_index.py` writes the fixtures.

Everything goes by the command line, which is the same for all versions, and by SQLite for the ledger: paths
in it are rewritten to where the pictures are now.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from esclip._core.picture_color import COLOR

__all__ = [
    "EXAMPLES",
    "FIXTURES",
    "HOME",
    "INDEX",
    "MAKE",
    "SEARCH",
    "WRITE",
    "Steps",
    "differences",
    "engine_ledger",
    "extract_old_index",
    "make_dataset",
    "move_ledger",
    "read_answers",
    "read_engine_index",
    "read_ledger",
    "run_steps",
    "without_colors",
    "write_engine_index",
    "write_ledger",
]

FIXTURES = Path(__file__).parent / "fixtures"
INDEX = "old"
HOME = "/old-index"
"""Where the kept ledger says that the dataset and the pictures are."""

EXAMPLES = ("p000", "p000#0", "p000#caption", "p008", "p030")
"""Documents to look at: with all metadata, a crop, a caption, little metadata, and no caption."""

PHOTOS = 104
"""From 100 pictures on, it is measured what scores say in an index."""

COLORS = {
    "red": (220, 20, 20),
    "green": (20, 130, 30),
    "blue": (20, 30, 220),
    "yellow": (250, 220, 20),
    "purple": (120, 10, 130),
    "white": (250, 250, 250),
    "black": (5, 5, 5),
    "orange": (255, 140, 10),
    "grey": (130, 130, 130),
    "brown": (130, 70, 25),
}

COLUMNS = (  # noqa: SIM905 - a header is read as one line
    "photo_id photo_url photo_image_url photo_submitted_at photo_featured photo_width photo_height "
    "photo_description exif_camera_make exif_iso exif_aperture_value photo_location_country "
    "photo_location_latitude photo_location_longitude ai_description"
).split()

Steps = Mapping[str, Sequence[str]]
"""Arguments of `esclip` by what they are for; {folder} is where the dataset and the pictures are."""

INGEST = (
    "ingest",
    "{folder}/dataset",
    "--images",
    "{folder}/pictures",
    "--max-rejection-rate",
    "0.5",
    "--json",
)

MAKE: Steps = {
    "make": (
        *(*INGEST, "--encoder", "palette", "--captions", "photo_description"),
        *("--parts", "crops,captions", "--labels", "red,green,blue"),
    )
}

SEARCH: Steps = {
    "stats": ("stats", "--json"),
    "rejections": ("rejections", "--json"),
    "text": ("search-text", "red and blue", "-k", "5", "--json"),
    "text in another language": ("search-text", "ein gelbes Haus", "-k", "3", "--json"),
    "exact": ("search-text", "purple", "-k", "3", "--exact", "--json"),
    "filter": ("search-text", "red", "-k", "3", "--where", "country=Norway & iso>=200", "--json"),
    "date": ("search-text", "red", "-k", "3", "--where", "submitted_at>=2020-02 & featured=true", "--json"),
    "place": ("search-text", "red", "-k", "3", "--where", "near(point, 60, 8, 500km)", "--json"),
    "label": ("search-text", "black", "-k", "3", "--where", "label=red & p_red>=0.5", "--json"),
    "relevance": ("search-text", "green", "-k", "3", "--min-relevance", "0.5", "--json"),
    "words": ("search", "--words", "harbour oslo", "-k", "3", "--json"),
    "hybrid": ("search-text", "green harbour", "--hybrid", "0.5", "-k", "3", "--explain", "--json"),
    "listing": ("search", "--where", "aperture<2.5", "-k", "3", "--json"),
    "image": ("search-image", "{folder}/pictures/p007.jpg", "-k", "3", "--json"),
    "crops alone": ("search-text", "blue", "--in", "crops", "-k", "3", "--json"),
    "crops": ("search-text", "green", "--in", "pictures,crops", "-k", "3", "--json"),
    "captions": ("search-text", "white", "--in", "captions", "-k", "3", "--json"),
    "similar": ("similar", "p012", "-k", "3", "--offset", "1", "--json"),
    "recommend": ("recommend", "p001", "p002", "--unlike", "p003", "-k", "3", "--json"),
    "collapse": ("search-text", "brown", "-k", "3", "--collapse", "0.9", "--json"),
    "duplicates": ("duplicates", "--threshold", "0.999", "--json"),
}
"""What only reads."""


def make_dataset(folder: Path) -> None:
    """Made-up photos: pictures of two colours, most of them small, one missing, one broken, one bad row."""
    (folder / "dataset").mkdir(parents=True)
    (folder / "pictures").mkdir()
    rows = [_row(number) for number in range(PHOTOS)]
    for number in range(PHOTOS):
        _draw(folder / "pictures" / f"p{number:03}.jpg", number)
    (folder / "pictures" / "p040.jpg").unlink()
    (folder / "pictures" / "p041.jpg").write_text("no picture")
    for copy, of in (("p050", "p060"), ("p051", "p061")):
        shutil.copyfile(folder / "pictures" / f"{of}.jpg", folder / "pictures" / f"{copy}.jpg")
    _write_table(folder, [*rows, _row(PHOTOS) | {"photo_id": ""}])


def mend_pictures(folder: Path) -> None:
    """The pictures that were missing or broken are there."""
    for number in (40, 41):
        _draw(folder / "pictures" / f"p{number:03}.jpg", number)


def change_dataset(folder: Path) -> None:
    """One photo has another caption, one another picture, and one is new."""
    rows = [_row(number) for number in range(PHOTOS)]
    rows[8]["photo_description"] = "white sails in the harbour"
    rows[9]["photo_image_url"] += "-again"
    _draw(folder / "pictures" / "p009.jpg", 2)
    _draw(folder / "pictures" / "p200.jpg", 200)
    _write_table(folder, [*rows, _row(200)])


def extract_old_index(folder: Path) -> None:
    """A copy of the kept embedded index, of its dataset and of the pictures, in a folder."""
    with tarfile.open(FIXTURES / "old_embedded.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    move_ledger(folder / "store" / f"{INDEX}.rejections.sqlite", HOME, str(folder))


def move_ledger(ledger: Path, old: str, new: str) -> None:
    """Rewrite the paths in a ledger that begin with `old`."""
    columns = ("id", "place", "origin", "location", "detail", "record")
    with closing(sqlite3.connect(ledger)) as connection, connection:
        for name in columns:
            connection.execute(
                f"UPDATE rejections SET {name} = replace({name}, ?, ?)", (f"{old}/", f"{new}/")
            )


def engine_ledger(address: str, index: str) -> Path:
    """Where the ledger of an engine's index is: in the user's data directory, by the engine's address."""
    server = re.sub(r"[^a-z0-9.-]+", "_", address.partition("://")[2].lower())[:80]
    digest = hashlib.sha256(address.encode()).hexdigest()[:8]
    data = Path(os.environ["XDG_DATA_HOME"]) / "esclip"
    return data / "ledgers" / f"{server}-{digest}" / f"{index}.rejections.sqlite"


def read_ledger(path: Path) -> list[str]:
    """The SQL that makes a ledger again."""
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        return [*connection.iterdump(), f"PRAGMA user_version = {version};"]


def write_ledger(path: Path, statements: Sequence[str]) -> None:
    """Make a ledger of what `read_ledger` gave."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("\n".join(statements))


def _request(method: str, url: str, body: Any = None) -> Any:
    """One request to an engine, without esclip, which is of any version."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


GIVEN_BY_ENGINES = (
    "creation_date",
    "provided_name",
    "uuid",
    "version",
    "replication",
    "routing",
    "number_of_routing_shards",
)
"""Settings that are no part of what an index was made with; the last is asked for now, as it was given."""


def read_engine_index(address: str, index: str) -> dict[str, Any]:
    """Settings, mapping and documents of an index, raw."""
    _request("POST", f"{address}/{index}/_refresh")
    about = _request("GET", f"{address}/{index}")[index]
    settings = {
        name: value for name, value in about["settings"]["index"].items() if name not in GIVEN_BY_ENGINES
    }
    # Elasticsearch leaves vectors out unless it is told not to, which OpenSearch does not know
    source: Any = True if "knn" in settings else {"exclude_vectors": False}
    found = _request("POST", f"{address}/{index}/_search", {"size": 1000, "_source": source})["hits"]["hits"]
    documents = {hit["_id"]: hit["_source"] for hit in found}
    assert len(documents) == _request("GET", f"{address}/{index}/_count")["count"]
    return {"settings": {"index": settings}, "mappings": about["mappings"], "documents": documents}


def write_engine_index(address: str, index: str, kept: Mapping[str, Any]) -> None:
    """Make an index of what `read_engine_index` gave."""
    _request("PUT", f"{address}/{index}", {name: kept[name] for name in ("settings", "mappings")})
    lines = [
        json.dumps(line)
        for id, source in kept["documents"].items()
        for line in ({"index": {"_id": id}}, source)
    ]
    answer = _request("POST", f"{address}/{index}/_bulk?refresh=true", ("\n".join(lines) + "\n").encode())
    assert not answer["errors"], answer


PROGRAM = """
import contextlib, json, runpy, sys

for arguments in json.load(sys.stdin):
    sys.argv = ["esclip", *arguments]
    status = 0
    try:
        runpy.run_module("esclip", run_name="__main__")
    except SystemExit as ended:
        status = ended.code or 0
    print(f"\\x1e{status}\\x1d", end="", flush=True)
"""
"""Runs several commands in one process, which loads the store's library once."""


@cache
def read_answers() -> Mapping[str, Any]:
    """What the older version answered, the same on all stores."""
    answers: dict[str, Any] = json.loads((FIXTURES / "old_answers.json").read_text("utf-8"))
    (report,) = answers["as it was"]["ingest"]["lines"]
    report["written"], report["skipped"] = report["skipped"], 0  # since then pictures have a colour
    return answers


def without_colors(answer: Any) -> Any:
    """An answer or a document without the colour of pictures, which older versions did not know."""
    if isinstance(answer, dict):
        return {name: without_colors(value) for name, value in answer.items() if name != COLOR}
    if isinstance(answer, list):
        return [without_colors(value) for value in answer if value != COLOR]
    return answer


def differences(wanted: Any, found: Any, place: str = "") -> list[str]:
    """Where two answers differ; numbers may by a millionth."""
    if isinstance(wanted, float) and isinstance(found, float):
        return [] if abs(wanted - found) <= 1e-6 else [f"{place}: {wanted} is {found}"]
    if isinstance(wanted, dict) and isinstance(found, dict) and wanted.keys() == found.keys():
        return [line for name in wanted for line in differences(wanted[name], found[name], f"{place}/{name}")]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return [line for at, pair in pairs for line in differences(*pair, f"{place}/{at}")]
    return [] if wanted == found else [f"{place}: {wanted} is {found}"]


def run_steps(steps: Steps, folder: Path, store: str, index: str = INDEX) -> dict[str, Any]:
    """What each command answers: its JSON, without times, versions and places."""
    commands = [[argument.format(folder=folder) for argument in step] for step in steps.values()]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ESCLIP_STORE")}
    environ |= {"ESCLIP_STORE": store, "ESCLIP_INDEX": index}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        command, input=json.dumps(commands), env=environ, capture_output=True, text=True, check=False
    )
    shown = done.stdout.split("\x1d")[:-1]
    assert len(shown) == len(steps), done.stderr
    shown = [text.replace(str(folder), HOME).replace(index, INDEX) for text in shown]
    return {name: _answer(text) for name, text in zip(steps, shown, strict=True)}


def _answer(shown: str) -> Any:
    text, _, status = shown.partition("\x1e")
    return {"status": int(status), "lines": [_lasting(json.loads(line)) for line in text.splitlines()]}


PASSING = {
    "bytes",
    "shards",
    "largest_segment",
    "primary_bytes",
    "vectors",
    "engine",
    "seconds",
    "images_per_second",
    "tried",
    "store",
}


def _lasting(answer: Any) -> Any:
    """Without what is another in each run."""
    if isinstance(answer, dict):
        return {name: _lasting(value) for name, value in answer.items() if name not in PASSING}
    return answer


def _row(number: int) -> dict[str, str]:
    """A photo; few have all columns."""
    row = {
        "photo_id": f"p{number:03}",
        "photo_image_url": f"https://pictures.example/{number}",
        "photo_width": "64",
    }
    if number % 8 == 0:
        names = list(COLORS)
        row["photo_description"] = f"a {names[number % 10]} boat, {names[number // 10 % 10]} water"
    if number % 5 == 0:
        row |= {
            "photo_url": f"https://pages.example/{number}",
            "photo_submitted_at": f"2020-{number % 12 + 1:02}-03 04:05:06.789",
            "photo_featured": "t" if number % 2 else "f",
            "exif_camera_make": "Zewaxy",
            "exif_iso": str(100 + number),
            "exif_aperture_value": "1.8" if number % 3 else "2.8",
            "photo_location_country": "Norway" if number > 20 else "Japan",
            "photo_location_latitude": "59.91" if number > 20 else "35.68",
            "photo_location_longitude": "10.75" if number > 20 else "139.69",
            "ai_description": "a harbour near Oslo" if number > 20 else "a garden in spring",
        }
    return row


def _write_table(folder: Path, rows: Sequence[Mapping[str, str]]) -> None:
    with (folder / "dataset" / "photos.tsv000").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _draw(path: Path, number: int) -> None:
    """A field of one colour with more or less of another at its right; one in 21 is cut into crops."""
    colors = list(COLORS.values())
    size = (64, 48) if number % 21 == 0 else (24, 16)
    picture = Image.new("RGB", size, colors[number % 10])
    picture.paste(colors[(number // 10 + number) % 10], (size[0] // 2 + number % 7, number % 5, *size))
    picture.save(path, "PNG")


WRITE: Mapping[str, tuple[Callable[[Path], None], Steps]] = {
    "as it was": (lambda folder: None, {"ingest": INGEST, "rejections": SEARCH["rejections"]}),
    "pictures mended": (mend_pictures, {"retry": ("retry", "--json"), "rejections": SEARCH["rejections"]}),
    "dataset changed": (
        change_dataset,
        {
            "ingest": (*INGEST, "--captions", "photo_description"),
            "text": SEARCH["text"],
            "captions": SEARCH["captions"],
            "words": SEARCH["words"],
            "new": ("similar", "p200", "-k", "2", "--json"),
            "forget": ("forget", "--id", "p012", "--yes", "--json"),
            "forget by a filter": ("forget", "--where", "country=Japan", "--yes", "--json"),
            "stats": SEARCH["stats"],
            "crops": SEARCH["crops"],
        },
    ),
}
"""What writes, by what has happened to the pictures before it, in this order."""
