"""Plans: figures against calculations by hand, documented examples and a real index; the command's output."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import esclip
from esclip import ConfigError, Field, FieldType, IndexSchema, Space, Stats
from esclip._cli.app import app
from esclip._core.types import ImageRecord, Pixels, StoredDocument, Vectors, unit_rows
from esclip.encoders.palette import PaletteEncoder
from esclip.stores import open_store
from esclip.stores.sizes import Layout, annlite_memory, layout_of, native_memory

HUNDRED_MILLION = 100_000_000
GRAPH = {4: 30.0, 333_334: 50.08718, 2_333_334: 61.36052, 33_333_334: 69.22661}
"""Bytes of a node in Lucene's graph of so many: 5 + 20 (1.25 + the sum of exp(-20 * 256^i / n))."""


def run(*words: str, **environ: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of the command."""
    ran = CliRunner().invoke(app, ["plan", *words], env=environ)
    return ran.exit_code, ran.stdout, ran.stderr


@pytest.mark.parametrize(
    ("engine", "bytes_each"),
    [
        ("opensearch", 2048 + GRAPH[33_333_334]),
        ("elasticsearch", 2048 + GRAPH[33_333_334]),
        ("embedded", 518),
    ],
)
def test_memory_of_a_hundred_million(engine: str, bytes_each: float) -> None:
    """Vectors of 512 numbers: 212 GB in Lucene's graph, 52 GB as the embedded index's codes."""
    values = esclip.plan(HUNDRED_MILLION, engine=engine).values
    assert values["memory"] == pytest.approx(HUNDRED_MILLION * bytes_each, rel=1e-6)
    assert values["memory_annlite"] == round(HUNDRED_MILLION * 1.1 * (4 * 512 + 8 * 16))


def test_documented_examples() -> None:
    """OpenSearch's own examples are of a million vectors of 256 dimensions."""
    assert 1_000_000 * annlite_memory(256).bytes == pytest.approx(1.267e9, rel=1e-3)
    for bits, gigabytes in ((32, 1.267), (16, 0.704), (7, 0.387), (1, 0.176)):
        assert 1_000_000 * native_memory(256, bits).bytes == pytest.approx(gigabytes * 1e9, rel=3e-3)


@pytest.mark.parametrize(
    ("vectors", "shard", "measured"),
    [
        ("float", 6_667, 2085),
        ("int8", 6_667, 553),
        ("int8", 33_334, 556.9),
        ("bit", 4_000, 117),
        ("bit", 33_333, 122.7),
    ],
)
def test_memory_is_what_elasticsearch_says(vectors: str, shard: int, measured: float) -> None:
    """`off_heap` in Elasticsearch 9.3.2's statistics, of made-up vectors in merged shards, to 5 %."""
    size = Layout("elasticsearch", vectors, shard).memory(512)
    assert size.bytes == pytest.approx(measured, rel=0.05)


@pytest.mark.parametrize(
    ("engine", "vectors", "memory", "disk"),
    [
        ("elasticsearch", "float", 2048 + GRAPH[333_334], 2048 + GRAPH[333_334]),
        ("elasticsearch", "int8", 528 + GRAPH[333_334], 2576 + GRAPH[333_334]),
        ("elasticsearch", "bit", 78 + GRAPH[333_334], 2126 + GRAPH[333_334]),
        ("opensearch", "float", 2048 + GRAPH[333_334], 2048 + GRAPH[333_334]),
        ("opensearch", "int8", 528 + GRAPH[333_334], 2576 + GRAPH[333_334]),
        ("opensearch", "bit", 211.2, 2259.2),
        ("embedded", "float", 518, 2566),
        ("embedded", "int8", 518, 2566),
        ("embedded", "bit", 344, 2392),
    ],
)
def test_levels_of_a_million(engine: str, vectors: str, memory: float, disk: float) -> None:
    """Codes stand in memory in place of the float32 vectors, and on disk beside them."""
    values = esclip.plan(1_000_000, engine=engine, vectors=vectors, document_bytes=0).values
    assert values["memory"] == pytest.approx(1_000_000 * memory, rel=1e-6)
    assert values["disk"] == pytest.approx(1_000_000 * disk, rel=1e-6)


def test_disk_bbq_stands_beside() -> None:
    """A hundred million by hand: 260,417 centroids of 528 bytes, and a tenth of 2 x 80 bytes a vector."""
    assert esclip.plan(HUNDRED_MILLION, engine="elasticsearch").values["memory_disk_bbq"] == (
        260_417 * 528 + HUNDRED_MILLION * 16
    )
    assert "memory_disk_bbq" not in esclip.plan(HUNDRED_MILLION, engine="opensearch").values


@pytest.mark.parametrize(
    ("shards", "candidates"), [(1_000, 632), (30, 3651), (10, 10_000), (9, 10_000), (1, 10_000)]
)
def test_what_is_known_of_recall(shards: int, candidates: int) -> None:
    """A million by shards: how many vectors of each are considered, and a warning where those miss texts."""
    plan = esclip.plan(1_000_000, engine="opensearch", shards=shards)
    assert plan.values["candidates_per_shard"] == candidates
    warned = [note for note in plan.notes if "texts may miss" in note]
    assert len(warned) == (shards < 10)
    assert all(".932" in note and "`esclip audit`" in note for note in warned)


def test_recall_that_nobody_measured() -> None:
    """A native index is of another library: its plan says that recall was not measured."""
    for engine, told in (("opensearch", True), ("elasticsearch", False)):
        notes = esclip.plan(10_000, engine=engine, vectors="bit").notes
        assert any("recall was not measured" in note for note in notes) == told
    assert "candidates_per_shard" not in esclip.plan(HUNDRED_MILLION).values


def test_a_smaller_level_is_advised() -> None:
    """Where memory begins to count, a plan says what int8 would take in its place."""
    assert any("int8" in note for note in esclip.plan(2_000_000, engine="opensearch").notes)
    for options in ({"pictures": 2_000_000, "vectors": "int8"}, {"pictures": 10_000}):
        assert not any("int8" in note for note in esclip.plan(engine="opensearch", **options).notes)


def test_a_cluster_by_hand() -> None:
    """Disk, copies, shards and nodes of 64 GB are what one computes with a pencil."""
    plan = esclip.plan(
        HUNDRED_MILLION,
        engine="opensearch",
        node_memory=64,
        rate=38,
        picture_bytes=150_000,
        price_node_hour=0.4,
        price_gb_month=0.1,
        price_encoder_hour=0.5,
        price_gb_fetched=0.09,
    )
    values = plan.values
    assert values["disk_per_copy"] == pytest.approx(361_722_660_000, rel=1e-6)
    assert values["disk"] == 2 * values["disk_per_copy"]  # a second node, and so a replica
    assert values["disk_to_provide"] == pytest.approx(851_112_140_000, rel=1e-6)
    assert (values["shards"], values["vectors_per_shard"]) == (6, 33_333_334)
    assert values["primary_shards_advised"] == 13  # of 30 GB: 12.06
    assert values["nodes"] == 16  # 1.2 * 423 GB / 33 GB = 15.4
    assert values["encoding_hours"] == pytest.approx(731, abs=0.1)
    assert values["fetched"] == 15 * 10**12
    assert values["model_download"] == 1150 * 10**6
    assert values["cost_nodes_month"] == pytest.approx(4672)
    assert values["cost_disk_month"] == pytest.approx(85.11, abs=0.01)
    assert values["cost_encoding"] == pytest.approx(365.5, abs=0.1)
    assert values["cost_fetched"] == pytest.approx(1350)
    assert any("into 24, while" in note for note in plan.notes)  # a cluster doubles what it has


def test_options_of_a_cluster() -> None:
    """Shards and replicas count for each index; OpenSearch 2.19 keeps a vector four times as large."""
    plan = esclip.plan(
        1_000_000, engine="opensearch", parts=["captions", "crops"], texts=7, shards=6, replicas=2
    )
    values = plan.values
    assert values["vectors"] == 15_000_007
    assert values["memory"] == pytest.approx(3 * 15_000_007 * (2048 + GRAPH[2_333_334]), rel=1e-6)
    assert values["shards"] == 6 * 3 * 3
    assert values["vectors_per_shard"] == 2_333_334
    assert values["disk_opensearch_2"] > 2 * values["disk"]
    assert not any("shards are few" in note for note in plan.notes)
    assert "disk_opensearch_2" not in esclip.plan(10, engine="elasticsearch").values


def test_small_embedded_indexes_have_no_codes() -> None:
    """Up to 10,000 vectors are compared one by one; a node's count is one, a machine too small is told."""
    assert esclip.plan(10_000).values["memory"] == 0
    assert esclip.plan(10_001).values["memory"] == 10_001 * 518
    large = esclip.plan(HUNDRED_MILLION, node_memory=16)
    assert large.values["nodes"] == 1
    assert "does not fit" in large.notes[0]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"shards": 3}, "shards: an embedded index has none"),
        ({"replicas": 0}, "replicas: an embedded index has none"),
        ({"rate": 3, "probe": True}, "rate and probe at once"),
        ({"picture_size": "64x64"}, "picture_size goes with probe"),
        ({"probe": True, "picture_size": (64, 64)}, "picture_size is of type tuple; it takes a text"),
        ({"probe": True, "picture_size": "1x1"}, "not two sides of 16 to 8,192 pixels"),
        ({"probe": True, "picture_size": "64x64\x1b[31m"}, "picture_size is"),
        ({"price_node_hour": 1}, "price_node_hour goes with node_memory"),
        ({"price_encoder_hour": 1}, "price_encoder_hour goes with a rate or a probe"),
        ({"price_gb_fetched": 1}, "price_gb_fetched goes with picture_bytes"),
        ({"encoder": "clip-ViT-B-32-multilingual-v1"}, "has no tower for pictures"),
        ({"encoder": 3}, "the encoder is of type int"),
        ({"index": "photos"}, "index is of type str"),
    ],
)
def test_options_that_would_do_nothing_are_refused(options: dict[str, Any], told: str) -> None:
    """What an option lacks is told in one line."""
    with pytest.raises(ConfigError, match=told.replace("(", r"\(")) as raised:
        esclip.plan(1000, **({"encoder": "palette"} | options))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("options", [{"engine": "milvus"}, {"rate": float("nan")}, {"texts": -1}])
def test_values_out_of_bounds(options: dict[str, Any]) -> None:
    """Names that aren't known and numbers out of bounds are errors that say which there are."""
    with pytest.raises(ValueError, match=next(iter(options))):
        esclip.plan(1000, **options)


def made_up(count: int, dim: int) -> list[StoredDocument]:
    """Documents with random vectors and a little text."""
    vectors = unit_rows(np.random.default_rng(1).normal(size=(count, dim)))
    return [
        StoredDocument(
            ImageRecord(
                id=f"p{number:08}",
                location=(place := f"/pictures/p{number:08}.jpg"),
                picture=place,
                image_version="1",
                description=f"a made-up picture of dog number {number} on a beach",
                metadata={"country": "Norway", "width": number},
            ),
            vector,
            f"{number:032x}",
        )
        for number, vector in enumerate(vectors)
    ]


def test_the_embedded_store_takes_what_is_computed(tmp_path: Path) -> None:
    """2,000 documents take on disk what the plan says for right after an ingest, to 15 %."""
    fields = (Field("country", FieldType.KEYWORD), Field("width", FieldType.INTEGER))
    with open_store(tmp_path, "made") as store:
        store.ensure_index(IndexSchema(Space("palette", "palette", "w", "p", 512), fields))
        documents = made_up(2000, 512)
        with store.bulk_load():
            for start in range(0, 2000, 500):
                assert not store.upsert(documents[start : start + 500])
        info = store.info()
    assert info
    stats = Stats.of(info, "made", str(tmp_path))
    values = esclip.plan(2000, index=stats, encoder="clip-ViT-B-32", document_bytes=180).values
    assert values["index_disk"] == pytest.approx(values["disk_after_ingest"], rel=0.15)
    assert values["index_disk_computed"] == values["disk"]
    assert values["index_difference"] == pytest.approx(100, abs=15)  # as much again, for ten minutes
    assert values["disk_by_index"] == info.bytes


def test_an_index_of_a_cluster_beside_the_plan() -> None:
    """Engine, model and copies are those of the index, which are counted by the bytes of its primaries."""
    index = Stats(
        documents=20_000,
        index="photos",
        store="http://localhost:9200",
        engine="OpenSearch 3.6.0",
        access=None,
        encoder="clip-ViT-L-14",
        text_encoder="clip-ViT-L-14",
        dimension=768,
        runtimes=(),
        bytes=200_000_000,
        fields=(),
        shards=20,
        primary_bytes=100_000_000,
    )
    plan = esclip.plan(1_000_000, index=index)
    assert (plan.engine, plan.encoder, plan.dimension) == ("opensearch", "clip-ViT-L-14", 768)
    assert plan.values["index_disk_computed"] == pytest.approx(20_000 * (3072 + 39.2792 + 1500) * 2, rel=1e-6)
    assert plan.values["index_shards"] == 20
    assert plan.values["disk_by_index"] == 10_000_000_000
    assert "index_largest_segment" not in plan.values
    for segment, warned in ((110_000, False), (110_001, True)):
        plan = esclip.plan(10, index=replace(index, largest_segment=segment))
        assert plan.values["index_largest_segment"] == segment
        assert any("index 'photos'" in note for note in plan.notes) == warned
    unknown = esclip.plan(1_000_000, index=replace(index, primary_bytes=None))
    assert unknown.values["index_disk_computed"] * 2 == plan.values["index_disk_computed"]
    assert "index_disk" not in esclip.plan(10, index=replace(index, bytes=None)).values
    assert "index_disk" not in esclip.plan(10, index=replace(index, documents=0)).values


@pytest.mark.parametrize("vectors", ["float", "int8"])
def test_an_index_of_an_old_opensearch_is_planned_as_that_keeps_it(vectors: str) -> None:
    """Disk, shards and cost of a plan for a server of version 2 are those of its larger documents."""
    index = Stats(
        documents=20_000,
        index="photos",
        store="http://localhost:9200",
        engine="OpenSearch 2.19.6",
        access=None,
        encoder="clip-ViT-B-32",
        text_encoder="clip-ViT-B-32",
        dimension=512,
        runtimes=(),
        bytes=170_000_000,
        fields=(),
        vectors=vectors,
    )
    options: dict[str, Any] = {"document_bytes": 60, "price_gb_month": 1}
    new = esclip.plan(20_000, engine="opensearch", vectors=vectors, **options)
    old = esclip.plan(20_000, index=index, **options)
    assert old.values["disk"] == new.values["disk_opensearch_2"] == old.values["index_disk_computed"]
    assert "disk_opensearch_2" not in old.values
    assert old.values["cost_disk_month"] == pytest.approx(old.values["disk"] / 0.85 / 1e9, rel=1e-6)
    assert esclip.plan(20_000, index=index, engine="opensearch", **options).lines == old.lines
    assert esclip.plan(10, index=replace(index, engine="OpenSearch 3.6.0")).values["disk_opensearch_2"]


def test_nothing_is_opened_because_an_index_names_it(tmp_path: Path) -> None:
    """A plan takes the dimension from the index; a probe of such a model wants it to be given."""
    index = Stats(
        documents=1,
        index="theirs",
        store="http://localhost:9200",
        engine="OpenSearch 3.6.0",
        access=None,
        encoder=str(tmp_path / "theirs"),
        text_encoder="x",
        dimension=64,
        runtimes=(),
        bytes=None,
        fields=(),
        vectors="int8",
    )
    assert esclip.plan(10, index=index).dimension == 64
    assert esclip.plan(10, index=index).values["memory"] == 10 * (64 + 16 + GRAPH[4])
    with pytest.raises(ConfigError, match="a probe needs it"):
        esclip.plan(10, index=index, probe=True)


class SlowEncoder(PaletteEncoder):
    """Takes 4 ms for a picture, one call after the other."""

    encode_concurrency = 1

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        """Wait, and encode."""
        time.sleep(0.004 * len(batch))
        return super().encode_images(batch)


def test_the_probe_measures_the_encoder() -> None:
    """An encoder that takes 4 ms a picture is not found to be faster, and the hours follow from the rate."""
    plan = esclip.plan(900_000, encoder=SlowEncoder(), probe=True, picture_size="48x32")
    assert 0 < plan.values["rate"] <= 250
    assert plan.values["encoding_hours"] == pytest.approx(250 / plan.values["rate"])
    (line,) = (line for line in plan.lines if line.name == "rate")
    assert "64 pictures of 48 x 32" in line.formula


def test_what_a_plan_looks_like() -> None:
    """In Python it is a table with formulas, and its JSON has each line."""
    plan = esclip.plan(25_000)
    assert repr(plan) == (
        "<Plan: 25,000 pictures in embedded, encoder clip-ViT-B-32, 512 dimensions, memory 12.9 MB, "
        "disk 102 MB>"
    )
    assert "25,000 * (d + 6), d = 512" in plan._repr_html_()
    lines = plan.to_json()["lines"]
    assert {
        "name": "memory",
        "value": 12_950_000,
        "unit": "bytes",
        "formula": "25,000 * (d + 6), d = 512",
    } in lines
    assert esclip.plan(1).lines[0].text == "1"


def test_the_command_prints_lines_json_and_a_table() -> None:
    """Lines with tabs in a pipe, one object with --json, and on a terminal a table as wide as that."""
    status, out, err = run("1000000", "--engine", "elasticsearch", "--node-memory", "8")
    rows = [line.split("\t") for line in out.splitlines()]
    assert status == 0
    assert ["memory_per_copy", "2098087177", "bytes", "1,000,000 * (4 d + g), d = 512, g = 50.1"] in rows
    assert all(len(row) == 4 for row in rows)
    assert "1,000,000 pictures in elasticsearch" in err
    status, out, err = run("1000000", "--engine", "elasticsearch", "--json")
    assert json.loads(out)["engine"] == "elasticsearch"
    assert not err
    for width in (36, 80, 200):
        status, out, _ = run("100000000", COLUMNS=str(width), TTY_COMPATIBLE="1", NO_COLOR="1")
        assert max(map(len, out.splitlines())) <= width
        assert "51.8 GB" in out


def test_the_command_compares_with_an_index(tmp_path: Path) -> None:
    """--index shows what that index has; without it none is opened, whatever the variable says."""
    store = str(tmp_path / "store")
    with esclip.open_index(store, "few", "palette") as index:
        index.add(Image.new("RGB", (64, 64), color) for color in ("red", "blue"))
    _, out, _ = run("1000", "--index", "few", "--json", ESCLIP_STORE=store)
    found = json.loads(out)
    values = {line["name"]: line["value"] for line in found["lines"]}
    assert (found["encoder"], found["dimension"]) == ("palette", 12)
    assert values["index_documents"] == 2
    assert values["disk_by_index"] == 500 * values["index_disk"]
    _, out, _ = run("9", "--index", "few", "--probe", "--picture-size", "16x16", ESCLIP_STORE=store)
    assert ", by palette" in out
    status, _, err = run("1000", "--index", "none", ESCLIP_STORE=store)
    assert status == 1
    assert "index 'none' does not exist" in err
    _, out, _ = run("1000", ESCLIP_STORE=store, ESCLIP_INDEX="few")
    assert "index_documents" not in out


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["0"], 2),
        (["many"], 2),
        (["1000", "--engine", "milvus"], 2),
        (["1000", "--engine", "opensearch,elasticsearch"], 2),
        (["1000", "--rate", "nan"], 2),
        (["1000", "--shards", "3"], 1),
    ],
)
def test_wrong_words(words: list[str], status: int) -> None:
    """Wrong usage is told as such; what doesn't go together in one line."""
    found, _, err = run(*words)
    assert found == status
    assert "Traceback" not in err


def test_layouts_by_what_stores_call_themselves() -> None:
    """A store's own words for its kind give its layout."""
    assert layout_of("OpenSearch 3.6.0").engine == "opensearch"
    assert layout_of("Elasticsearch").engine == "elasticsearch"
    assert layout_of("Lance 14.0.2").embedded
