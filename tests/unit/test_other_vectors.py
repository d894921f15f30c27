"""Vectors that other programs have made, imported without encoding."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import esclip
from esclip import ConfigError, EsclipError, SourceError
from esclip.encoders.palette import PaletteEncoder
from esclip.stores.memory import MemoryStore
from tests.command_line import Esclip

COLORS = ("red", "green", "blue", "white", "black", "orange", "pink", "brown", "gray")
ENCODER = PaletteEncoder()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A plain picture of each colour."""
    folder = tmp_path_factory.mktemp("pictures")
    for color in COLORS:
        Image.new("RGB", (40, 40), color).save(folder / f"{color}.png")
    return [folder / f"{color}.png" for color in COLORS]


@pytest.fixture(scope="module")
def vectors(pictures: list[Path]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Their vectors."""
    images = [Image.open(path).convert("RGB") for path in pictures]
    return ENCODER.encode_images([ENCODER.preprocess(image) for image in images])


def opened(name: str = "own", encoder: str | None = "palette") -> esclip.ImageIndex:
    """An index in memory, of a model that is named."""
    return esclip.open_index(MemoryStore(name), encoder=encoder)


def write_shards(
    folder: Path, pictures: list[Path], vectors: Any, *, paths: Callable[[Path], str] = str
) -> Path:
    """A folder as clip-retrieval writes it, with two arrays."""
    for name in ("img_emb", "metadata", "text_emb"):
        (folder / name).mkdir(parents=True)
    for number, some in enumerate((slice(0, 5), slice(5, None))):
        np.save(folder / f"img_emb/img_emb_{number}.npy", vectors[some])
        np.save(folder / f"text_emb/text_emb_{number}.npy", vectors[some])
        table = {
            "image_path": [paths(path) for path in pictures[some]],
            "caption": [f"something {path.stem}" for path in pictures[some]],
            "width": [40 for _ in pictures[some]],
        }
        pq.write_table(pa.table(table), folder / f"metadata/metadata_{number}.parquet")
    return folder


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_clip_retrieval(kind: Any, pictures: list[Path], vectors: Any, tmp_path: Path) -> None:
    """Arrays of any float and their metadata become documents; a second import writes nothing."""
    folder = write_shards(tmp_path / "emb", pictures, (vectors * 3).astype(kind))
    with opened() as index:
        report = index.import_vectors(folder)
        assert (report.read, report.written, report.rejected) == (9, 9, 0)
        (hit,) = index.search_text("something red", 1)
        assert (hit.location, hit.description) == (str(pictures[0]), "something red")
        assert hit.metadata["width"] == 40
        assert hit.score == pytest.approx(
            float(ENCODER.encode_texts(["something red"])[0] @ vectors[0]), abs=1e-3
        )
        assert index.import_vectors(folder).skipped == 9


def test_a_later_ingest_of_the_pictures_encodes_nothing(
    pictures: list[Path], vectors: Any, tmp_path: Path
) -> None:
    """What the pictures say of themselves is read; their vectors stay."""
    with opened() as index:
        index.import_vectors(write_shards(tmp_path / "emb", pictures, vectors))
        before = {path: index.search_image(path, 1)[0] for path in pictures}
        encoded = []
        report = index.ingest(pictures[0].parent, on_progress=lambda now: encoded.append(now.encoded))
        assert (report.written + report.skipped, max(encoded)) == (9, 0)
        assert {path: index.search_image(path, 1)[0].id for path in pictures} == {
            path: hit.id for path, hit in before.items()
        }


def test_pictures_that_are_gone(pictures: list[Path], vectors: Any, tmp_path: Path) -> None:
    """Vectors whose pictures can't be read are taken if they are trusted, with where those were."""
    folder = write_shards(tmp_path / "emb", pictures, vectors, paths=lambda path: f"/data/{path.name}")
    with opened() as index:
        with pytest.raises(
            ConfigError, match=r"none of 5 pictures .* \(/data/\w+\.png: there is no such file\)"
        ):
            index.import_vectors(folder)
        assert index.import_vectors(folder, trust=True).written == 9
        assert index.search_text("red", 1)[0].location == "/data/red.png"


def test_a_parquet_file_with_a_column_of_lists(pictures: list[Path], vectors: Any, tmp_path: Path) -> None:
    """As Hugging Face's data sets have it: pictures as bytes, the first row without a vector. They are the
    documents that an ingest of the file has.
    """
    images = [{"bytes": path.read_bytes(), "path": path.name} for path in pictures]
    lists = [None, *vectors[1:].tolist()]
    table = pa.table({"image": images, "text": [path.stem for path in pictures], "embedding": lists})
    file = tmp_path / "train-00000-of-00001.parquet"
    pq.write_table(table, file)
    with opened() as index:
        report = index.import_vectors(file, max_rejection_rate=1)
        assert (report.written, report.rejections) == (8, {esclip.Reason.BAD_VECTOR: 1})
        (hit,) = index.search_text("green", 1)
        assert (hit.description, hit.metadata["file_name"]) == ("green", "green.png")
        assert hit.id == hit.location == f"{file}#1"
        assert index.import_vectors(tmp_path, max_rejection_rate=1).skipped == 8
        encoded = []
        report = index.ingest(file, on_progress=lambda now: encoded.append(now.encoded))
        assert (report.read, len(index), max(encoded)) == (9, 9, 1)


def test_an_array_and_ids(pictures: list[Path], vectors: Any, tmp_path: Path, quick_esclip: Esclip) -> None:
    """As Unsplash's vectors are handed on: each id leads to its page."""
    np.save(tmp_path / "features.npy", vectors.astype(np.float16))
    (tmp_path / "photo_ids.csv").write_text("photo_id\n" + "\n".join(f"pic_{name}" for name in COLORS) + "\n")
    store = ("--store", tmp_path / "store")
    command = ("import", tmp_path / "features.npy", *store)
    assert "name one with --encoder" in quick_esclip(*command, status=1).err
    told = quick_esclip(*command, "--encoder", "palette", status=1).err
    assert told.rstrip().endswith("if you know that they are, add --trust")
    assert quick_esclip(*command, "--encoder", "palette", "--trust", "--json").json["written"] == 9
    (hit,) = quick_esclip("search", "red", "-k", "1", "--json", *store).hits
    assert (hit["id"], hit["page"]) == ("pic_red", "https://unsplash.com/photos/pic_red")
    (tmp_path / "photo_ids.csv").rename(tmp_path / "names.tsv")
    assert "--ids" in quick_esclip(*command, "--trust", status=1).err
    again = quick_esclip(*command, "--trust", "--ids", tmp_path / "names.tsv", "--json")
    assert again.json["skipped"] == 9


def test_vectors_of_another_model(pictures: list[Path], vectors: Any, tmp_path: Path) -> None:
    """Pictures that are encoded anew give other vectors: nothing is written."""
    folder = write_shards(tmp_path / "emb", pictures, np.roll(vectors, 1, axis=0))
    with opened() as index:
        with pytest.raises(
            ConfigError, match=r"not those of palette: with 5 pictures .* below 0\.99; pass one as"
        ):
            index.import_vectors(folder)
        assert len(index) == 0
    with opened(encoder=None) as index, pytest.raises(ConfigError, match="doesn't say which model"):
        index.import_vectors(folder)


def _pickled(folder: Path) -> None:
    np.save(folder / "img_emb/img_emb_0.npy", np.array([{}, {}], dtype=object), allow_pickle=True)


def _pickle_alone(folder: Path) -> None:
    (folder / "img_emb/img_emb_0.npy").write_bytes(pickle.dumps([1.0]))


def _saved(array: Any) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / "img_emb/img_emb_0.npy", array)


def _truncated(folder: Path) -> None:
    path = folder / "img_emb/img_emb_1.npy"
    path.write_bytes(path.read_bytes()[:200])


def _metadata(table: dict[str, list[Any]]) -> Callable[[Path], None]:
    return lambda folder: pq.write_table(pa.table(table), folder / "metadata/metadata_0.parquet")


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "objects": (_pickled, r"img_emb_0\.npy can't be read: it has Python objects"),
    "a pickle": (_pickle_alone, r"img_emb_0\.npy can't be read: it has Python objects"),
    "one vector": (_saved(np.ones(3, np.float32)), r"no array of vectors: of type float32, shape \(3,\)"),
    "integers": (_saved(np.ones((5, 3), int)), r"no array of vectors: of type int64"),
    "another dimension": (
        _saved(np.ones((5, 3), np.float32)),
        "has vectors of 3 dimensions, and those of pal",
    ),
    "truncated": (_truncated, r"img_emb_1\.npy can't be read"),
    "no table": (
        lambda folder: (folder / "metadata/metadata_1.parquet").unlink(),
        r"metadata_1\.parquet is missing, the table of .*img_emb_1\.npy",
    ),
    "fewer rows": (_metadata({"image_path": ["a"]}), r"metadata_0\.parquet has 1 row, and .* 5 vectors"),
    "no picture": (_metadata({"caption": ["a"] * 5}), "says of no row which picture it is"),
    "no Parquet": (
        lambda folder: (folder / "metadata/metadata_0.parquet").write_bytes(b"PAR1"),
        r"metadata_0\.parquet",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit(name: str, pictures: list[Path], vectors: Any, tmp_path: Path) -> None:
    """What can't be read or doesn't fit together is told in one line; nothing is unpickled."""
    folder = write_shards(tmp_path / "emb", pictures, vectors)
    damage, told = WRONG[name]
    damage(folder)
    with opened() as index, pytest.raises(EsclipError, match=told) as error:
        index.import_vectors(folder, trust=True)
    assert "\n" not in str(error.value)


def test_columns_of_vectors(vectors: Any, tmp_path: Path) -> None:
    """Of several columns one is named; a file without any, and a folder without vectors, are told."""
    lists = vectors.tolist()
    table = pa.table({"id": COLORS, "image_vec": lists, "text_vec": lists[::-1]})
    pq.write_table(table, tmp_path / "a.parquet")
    pq.write_table(table.select(["id"]), tmp_path / "b.parquet")
    (tmp_path / "empty").mkdir()
    with opened() as index:
        with pytest.raises(
            SourceError, match="several columns of lists of floats: image_vec, text_vec; name"
        ):
            index.import_vectors(tmp_path / "a.parquet", trust=True)
        with pytest.raises(
            ConfigError, match="no column 'x' of lists of floats; it may be image_vec, text_vec"
        ):
            index.import_vectors(tmp_path / "a.parquet", trust=True, vector_column="x")
        with pytest.raises(SourceError, match=r"has no column of lists of floats$"):
            index.import_vectors(tmp_path / "b.parquet", trust=True)
        for path, told in ((tmp_path / "empty", "has no vectors"), (tmp_path / "no", "is not there")):
            with pytest.raises(SourceError, match=told):
                index.import_vectors(path, trust=True)
        assert (
            index.import_vectors(tmp_path / "a.parquet", trust=True, vector_column="image_vec").written == 9
        )


def test_bad_rows_are_rejected(
    pictures: list[Path], vectors: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Vectors that are no numbers, and rows that name no picture, are counted with their reasons."""
    broken = vectors.copy()
    broken[3], broken[8] = np.nan, 0
    folder = write_shards(
        tmp_path / "emb", pictures, broken, paths=lambda p: "" if p.stem == "red" else str(p)
    )
    with opened() as index, caplog.at_level(logging.WARNING, "esclip"):
        report = index.import_vectors(folder)
        assert (report.read, report.written, report.rejected) == (9, 6, 3)
        assert report.rejections[esclip.Reason.BAD_VECTOR] == 2
