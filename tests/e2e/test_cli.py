"""The command line's contract, on the embedded store: what it prints, where, and how it exits."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from esclip.testing.pictures import PLAIN
from tests.command_line import Esclip

HIT_KEYS = ["rank", "id", "score", "location", "page", "description", "metadata"]
REPORT_KEYS = [
    "read",
    "skipped",
    "written",
    "rejected",
    "rejections",
    "seconds",
    "images_per_second",
    "index",
    "store",
    "encoder",
]


def test_ingest_then_search_by_text_image_and_id(esclip: Esclip, photos: Path) -> None:
    """The three searches find the picture that they should, after one ingest, with nothing else set up."""
    report = esclip("ingest", photos, "--encoder", "palette", "--json").json
    assert list(report) == REPORT_KEYS
    assert (report["read"], report["written"], report["index"]) == (11, 11, "image_search")
    (hit,) = esclip("search-text", "something red", "-k", "1", "--json").hits
    assert list(hit) == HIT_KEYS
    assert Path(hit["location"]) == photos / "red.png"
    assert hit["score"] == pytest.approx(1, abs=1e-4)
    (same,) = esclip("search-image", photos / "red.png", "-k", "1", "--json").hits
    assert same["id"] == hit["id"]
    others = esclip("similar", hit["id"], "--json").hits
    assert len(others) == 10
    assert hit["id"] not in {other["id"] for other in others}
    assert [other["rank"] for other in others] == list(range(1, 11))


def test_piped_hits_are_tab_separated(quick_esclip: Esclip, photos: Path) -> None:
    """Without `--json` and off a terminal a hit is a line: score, id, location."""
    quick_esclip("ingest", photos, "--encoder", "palette")
    lines = quick_esclip("search-text", "blue", "-k", "2").out.splitlines()
    score, _, location = lines[0].split("\t")
    assert (score, location) == ("1.0000", str(photos / "more" / "blue.png"))
    assert len(lines) == 2


def test_a_second_ingest_skips_everything(quick_esclip: Esclip, photos: Path) -> None:
    """An unchanged folder is not encoded again, from whichever working directory; no rate is told of that."""
    assert " pictures/s)" in quick_esclip("ingest", photos, "--encoder", "palette").err
    ran = quick_esclip("ingest", photos.name, "--json", cwd=photos.parent)
    assert (ran.json["read"], ran.json["skipped"], ran.json["written"]) == (11, 11, 0)
    assert "pictures/s" not in ran.err


def test_rejections_are_counted_and_kept(quick_esclip: Esclip, photos: Path, tmp_path: Path) -> None:
    """A bad picture is rejected with its reason, the rest is written, and the exit status is 0."""
    (photos / "page.jpg").write_text("<!doctype html>")
    (photos / ".hidden.png").write_bytes(b"")
    kept = tmp_path / "rejections.jsonl"
    report = quick_esclip("ingest", photos, "--encoder", "palette", "--json", "--rejections", kept).json
    assert (report["read"], report["written"], report["rejected"]) == (12, 11, 1)
    assert report["rejections"] == {"not_an_image": 1}
    (rejection,) = map(json.loads, kept.read_text().splitlines())
    assert list(rejection) == ["id", "location", "stage", "reason", "detail"]
    assert rejection["location"] == str(photos / "page.jpg")
    assert rejection["stage"] == "decode"


def test_too_many_rejections_fail(quick_esclip: Esclip, tmp_path: Path) -> None:
    """A run whose records are mostly rejected is no success."""
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "a.jpg").write_text("no")
    ran = quick_esclip("ingest", folder, "--encoder", "palette", status=1)
    assert "not_an_image" in ran.err
    assert len(ran.err.splitlines()) == 1
    report = quick_esclip("ingest", folder, "--encoder", "palette", "--json", status=1).json
    assert (report["read"], report["rejected"]) == (1, 1)


def test_where_filters(quick_esclip: Esclip, photos: Path) -> None:
    """Only documents that fulfil all conditions are found; an unknown field names the nearest."""
    quick_esclip("ingest", photos, "--encoder", "palette")
    hits = quick_esclip("search-text", "red", "--where", "file_name=green.png", "--json").hits
    assert [Path(hit["location"]).name for hit in hits] == ["green.png"]
    assert "file_name" in quick_esclip("search-text", "red", "--where", "filename=x", status=1).err
    quick_esclip("search-text", "red", "--where", "file_name", status=2)


def test_nothing_found_is_told(quick_esclip: Esclip, photos: Path, tmp_path: Path) -> None:
    """Where nothing is found, one line on stderr says why, for each query, and the exit status is 0."""
    quick_esclip("ingest", photos, "--encoder", "palette")
    queries = tmp_path / "queries.txt"
    queries.write_text("red\nblue\n")
    (hit,) = quick_esclip("search-text", "red", "-k", "1", "--json").hits
    none = "esclip: no document fulfils file_name=Green.png; did you mean file_name=green.png?\n"
    for command in (["search-text", "red"], ["similar", hit["id"]], ["search"], ["recommend", hit["id"]]):
        for shown in ([], ["--json"]):
            run = quick_esclip(*command, "--where", "file_name=Green.png", *shown)
            assert (run.out, run.err) == ("", none), command
    assert quick_esclip("duplicates", "--where", "file_name=Green.png").err.startswith(none)
    each = quick_esclip("search-texts", queries, "--min-score", "1", "--where", "file_name=green.png")
    lines = [line.rpartition(" ")[0] for line in each.err.splitlines()]
    assert lines == [
        f"esclip: {query}: no hit has a score of 1 or more; the best has" for query in ("red", "blue")
    ]
    beyond = quick_esclip("search-text", "red", "--offset", "40")
    assert beyond.err == "esclip: the search has 11 hits, and passes over 40\n"
    assert quick_esclip("search", "--words", "zebra").err == "esclip: no document has a word of 'zebra'\n"
    assert quick_esclip("search-text", "red", "--where", "file_name==green.png").out
    for where in ("folder=~x", "file_name=I*G", "file_name='green.png'"):
        assert "in double quotes" in quick_esclip("search-text", "red", "--where", where, status=2).err


def test_words_and_reasons(quick_esclip: Esclip, photos: Path) -> None:
    """File names are words to be found, alone or beside the vector, and each hit says why it is there."""
    quick_esclip("ingest", photos, "--encoder", "palette")
    (green,) = quick_esclip("search", "--words", "green.png", "-k", "1").out.splitlines()
    assert green.startswith("1.0000\t")
    assert green.endswith("green.png")
    both = quick_esclip(
        "search", "--text", "red", "--words:2", "green", "-k", "2", "--explain", "--json"
    ).hits
    assert {hit["metadata"]["file_name"] for hit in both} == {"red.png", "green.png"}
    (words,) = [hit["why"] for hit in both if hit["metadata"]["file_name"] == "green.png"]
    assert [one["part"] for one in words] == ["text: red", "words: green", "green"]
    assert words[1]["rank"] == 1
    told = quick_esclip("search-text", "green", "--hybrid", "1", "-k", "1", "--explain").out
    assert "words: green 1.0000 x 1, rank 1, adds 0.0164" in told
    listed = quick_esclip("search", "--where", "file_name=green.png,red.png").out.splitlines()
    assert sorted(line.rsplit("/", 1)[1] for line in listed) == ["green.png", "red.png"]
    assert "window" in quick_esclip("search-text", "x", "--hybrid", "1", "--offset", "500", status=1).err
    for wrong in (["search"], ["search", "--words:-1", "red"], ["search", "--words", " "]):
        quick_esclip(*wrong, status=2)


def test_relevance(quick_esclip: Esclip, photos: Path, tmp_path: Path) -> None:
    """A query that matches nothing says so on stderr, once there are pictures enough to tell."""
    few = quick_esclip("ingest", photos, "--encoder", "palette")
    told = quick_esclip("search-text", "red", "--min-relevance", "0.5", status=1).err
    assert "fewer than 100 pictures" in told
    for n in range(100):
        Image.new("RGB", (8, 8), (n, 2 * n, 255 - n)).save(photos / f"{n}.png")
    many = quick_esclip("ingest", photos)
    assert len(few.err.splitlines()) == len(many.err.splitlines()) == 1
    sure = quick_esclip("search-text", "red", "--min-relevance", "0.5", "-k", "50", "--json")
    assert 0 < len(sure.hits) < 50
    assert all(hit["relevance"] >= 0.5 and hit["percentile"] > 90 for hit in sure.hits)
    assert "stands out" not in sure.err
    assert "no hit stands out" in quick_esclip("search-text", "two dogs").err
    (tmp_path / "queries.txt").write_text("red\ntwo dogs\n", encoding="utf-8")
    ran = quick_esclip("search-texts", tmp_path / "queries.txt", "-k", "1")
    (line,) = [line for line in ran.err.splitlines() if "stands out" in line]
    assert line.startswith("esclip: two dogs: ")
    wrong = ("search", "--text", "red", "--words", "red", "--min-relevance", "0.5")
    assert "only what texts" in quick_esclip(*wrong, status=1).err


def test_queries_of_any_origin(quick_esclip: Esclip, photos: Path, tmp_path: Path) -> None:
    """A file as Windows writes it, or a pipe, has the queries that it shows; what is no text is one line."""
    quick_esclip("ingest", photos, "--encoder", "palette")
    file = tmp_path / "queries.txt"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        file.write_bytes("red\r\ngrün\r\n".encode(encoding))
        for name, stdin in ((file, None), ("-", file)):
            found = quick_esclip("search-texts", name, "-k", "1", "--json", stdin=stdin).hits
            assert [hit["query"] for hit in found] == ["red", "grün"]
    file.write_bytes("red\ngrün\n".encode("cp1252"))
    for name, told, stdin in ((file, str(file), None), ("-", "<stdin>", file)):
        ran = quick_esclip("search-texts", name, status=1, stdin=stdin)
        assert ran.err.startswith(f"esclip: queries {told}: line 2 is not UTF-8 (byte 0xfc at offset 6)")
        assert ran.err.count("\n") == 1


def test_what_is_passed_over_is_told(quick_esclip: Esclip, photos: Path, tmp_path: Path) -> None:
    """Videos and pictures that this installation can't read are counted, on stderr and in the report."""
    for name in ("a.HEIC", "b.heic", "c.mov", "d.nef"):
        (photos / name).write_bytes(b"")
    (photos / "linked").symlink_to(tmp_path, target_is_directory=True)
    without = tmp_path / "without_heic.py"
    text = "import sys; sys.modules['pillow_heif'] = None; from esclip._cli.app import main; main()"
    without.write_text(text, encoding="utf-8")
    ran = quick_esclip("ingest", photos, "--encoder", "palette", "--json", script=without)
    assert ran.json["passed_over"] == {"heic": 2, "video": 1, "raw": 1, "linked_folders": 1}
    assert (ran.json["read"], ran.json["rejected"]) == (11, 0)
    (line,) = [line for line in ran.err.splitlines() if "passed over" in line]
    assert line == (
        "esclip: passed over: HEIC 2 (pip install 'esclip[heic]' reads them), raw camera pictures 1, "
        "videos 1 (to ingest their frames, name them), linked folders 1 (to ingest them, name them)"
    )
    ran = quick_esclip("ingest", photos / "a.HEIC", "--encoder", "palette", status=1, script=without)
    assert "not_an_image" in ran.err


def test_a_gallery_shows_no_private_picture(quick_esclip: Esclip, photos: Path, tmp_path: Path) -> None:
    """What a dataset says of where its pictures are leads to no other file of the disk."""
    data, images = tmp_path / "data", tmp_path / "images"
    data.mkdir()
    images.mkdir()
    rows = "".join(f"{id}\t{photos / 'red.png'}\thttp://[\n" for id in ("a", "b"))
    (data / "photos.tsv000").write_text(f"photo_id\tphoto_image_url\tphoto_url\n{rows}", encoding="utf-8")
    for id in ("a", "b"):
        Image.new("RGB", (200, 150), "blue").save(images / f"{id}.jpg")
    quick_esclip("ingest", data, "--images", images, "--encoder", "palette")
    quick_esclip("duplicates", "--page", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    pictures = [Image.open(io.BytesIO(base64.b64decode(one))) for one in re.findall(r'base64,([^"]*)', page)]
    assert len(pictures) == 2
    for picture in pictures:
        assert picture.getpixel((9, 9)) == pytest.approx((0, 0, 255), abs=20)


def test_duplicates(quick_esclip: Esclip, photos: Path, tmp_path: Path) -> None:
    """Copies are a group apart from what only looks alike; a page shows both; to have none is no error."""
    quick_esclip("ingest", photos, "--encoder", "palette")
    ran = quick_esclip("duplicates")
    assert (ran.out, ran.err) == ("", "esclip: 0 groups, 0 of them exact, with 0 of 11 pictures\n")
    shutil.copy(photos / "red.png", photos / "copy.png")
    Image.new("RGB", (200, 150), "white").save(photos / "large.png")
    quick_esclip("ingest", photos)
    ran = quick_esclip("duplicates", "--page", "page.html", cwd=tmp_path)
    rows = [line.split("\t") for line in ran.out.splitlines()]
    assert [(number, cosine) for number, _, cosine, *_ in rows] == [
        (number, "1.0000") for number in ("1", "1", "2", "2")
    ]
    names = {
        kind: {Path(where).name for _, of, *_, where in rows if of == kind} for kind in ("exact", "near")
    }
    assert names == {"exact": {"red.png", "copy.png"}, "near": {"white.png", "large.png"}}
    assert Path(next(row[-1] for row in rows if row[1] == "near")).name == "large.png"
    assert "2 groups, 1 of them exact, with 4 of 13 pictures" in ran.err
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<img") == 4
    assert str(photos / "copy.png") in page
    groups = quick_esclip("duplicates", "--json", "--where", "file_size>=1").hits
    assert sorted(group["exact"] for group in groups) == [False, True]
    assert "--page" in quick_esclip("duplicates", "--page", tmp_path / "no" / "page.html", status=1).err
    quick_esclip("duplicates", "--threshold", "1.5", status=2)
    (hit,) = [
        one
        for one in quick_esclip("search-text", "red", "--collapse", "0.9", "--json").hits
        if one["rank"] == 1
    ]
    assert len(hit["duplicates"]) == 1


def test_stats_and_drop(quick_esclip: Esclip, photos: Path) -> None:
    """`stats` says what the index holds; after `drop` there is none."""
    quick_esclip("ingest", photos, "--encoder", "palette")
    stats = quick_esclip("stats", "--json").json
    assert stats["documents"] == 11
    assert (stats["encoder"], stats["dimension"], stats["index"]) == ("palette", 12, "image_search")
    assert stats["engine"].startswith("Lance")
    assert stats["runtimes"] == ["palette"]
    assert re.search(r"^runtimes +palette$", quick_esclip("stats").out, re.MULTILINE)
    quick_esclip("drop", "--yes")
    for command in (["stats"], ["search-text", "red"], ["similar", "x"], ["drop", "--yes"]):
        ran = quick_esclip(*command, status=1)
        assert "image_search" in ran.err
        assert ran.out == ""


def test_drop_asks_first(quick_esclip: Esclip, photos: Path) -> None:
    """Where nobody can be asked it removes nothing, and names the option; on a terminal the answer counts."""
    quick_esclip("ingest", photos, "--encoder", "palette")
    ran = quick_esclip("drop", status=1)
    assert "11 documents" in ran.err
    assert "--yes" in ran.err
    assert len(ran.err.splitlines()) == 1
    assert (
        "Remove index 'image_search' and its 11 documents?" in quick_esclip("drop", answer="n", status=1).err
    )
    assert quick_esclip("stats", "--json").json["documents"] == 11
    quick_esclip("drop", answer="y")
    quick_esclip("stats", status=1)


def test_a_missing_index_says_how_to_fill_it(quick_esclip: Esclip) -> None:
    """A search before any ingest is an error with the next step, not an empty success."""
    ran = quick_esclip("search-text", "red", status=1)
    assert "esclip ingest" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_another_space_is_refused_with_both_named(quick_esclip: Esclip, photos: Path, tmp_path: Path) -> None:
    """Vectors of two models don't mix in one index."""
    from scripts.make_models import make_clip

    make_clip(tmp_path / "clip", "tiny", seed=1)
    quick_esclip("ingest", photos, "--encoder", "palette")
    ran = quick_esclip("ingest", photos, "--encoder", tmp_path / "clip", status=1)
    assert "palette" in ran.err
    assert str(tmp_path / "clip") in ran.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ingest", "/no/such/place", "--encoder", "palette"], "/no/such/place"),
        (["search-image", "/no/such.jpg"], "esclip ingest"),
        (["stats", "--index", "Not Valid"], "Not Valid"),
        (["stats", "--store", "http://127.0.0.1:9"], "127.0.0.1:9"),
        (["ingest", ".", "--encoder", "no-such-model", "--limit", "1"], "no-such-model"),
        (["ingest", ".", "--encoder", "palette", "--rejections", "/no/such/file"], "/no/such/file"),
    ],
)
def test_wrong_input_is_one_line(esclip: Esclip, photos: Path, arguments: list[str], says: str) -> None:
    """An error tells in one line what happened to what; there is no traceback."""
    ran = esclip(*arguments, status=1, cwd=photos, HF_HUB_OFFLINE="1")
    assert says in ran.err
    assert len(ran.err.splitlines()) == 1
    assert ran.out == ""


@pytest.mark.parametrize(
    "arguments",
    [["search-text"], ["search-text", " "], ["search-text", "x", "-k", "0"], ["ingest"], ["no-such-command"]],
)
def test_wrong_usage_exits_with_2(quick_esclip: Esclip, arguments: list[str]) -> None:
    """Wrong usage is told apart from a failure."""
    assert quick_esclip(*arguments, status=2).out == ""


def test_ids_may_begin_with_a_dash(quick_esclip: Esclip, photos: Path) -> None:
    """An id with one dash is looked up as it stands, one with two where it stands after `--`."""
    quick_esclip("ingest", photos, "--encoder", "palette")
    for words in (["-kB0_cDeFgH"], ["--", "-kB0_cDeFgH"], ["-k", "3", "-aB_cDeFgH"], ["--", "--aB_cDeFgH"]):
        assert words[-1] in quick_esclip("similar", *words, status=1).err
    assert "-- --aB_cDeFgH" in quick_esclip("similar", "--aB_cDeFgH", status=2).err


def test_settings_come_from_the_environment(quick_esclip: Esclip, photos: Path, tmp_path: Path) -> None:
    """The four variables stand for their options."""
    environ = {"ESCLIP_STORE": str(tmp_path / "s"), "ESCLIP_INDEX": "mine", "ESCLIP_ENCODER": "palette"}
    report = quick_esclip("ingest", photos, "--json", **environ).json
    assert (report["store"], report["index"], report["encoder"]) == (str(tmp_path / "s"), "mine", "palette")
    assert (tmp_path / "s" / "mine.lance").is_dir()


def test_palette_says_what_it_does_not_know(quick_esclip: Esclip, photos: Path) -> None:
    """A query without a colour word gets a warning on stderr beside its hits."""
    quick_esclip("ingest", photos, "--encoder", "palette")
    ran = quick_esclip("search-text", "two dogs playing", "-k", "1")
    assert "colour" in ran.err
    assert len(ran.out.splitlines()) == 1


def test_demo_shows_results(quick_esclip: Esclip, tmp_path: Path) -> None:
    """The demo draws, ingests and searches offline, and its first hits are what was asked for."""
    ran = quick_esclip("demo", "--folder", tmp_path / "demo")
    blocks = [block.splitlines() for block in ran.out.strip().split("\n\n")]
    first = [lines[1].split("  ")[-1] for lines in blocks if lines[0].startswith("esclip search-text")]
    for color, name in zip(("red", "red", "yellow", "pink", "blue"), first, strict=True):
        assert color in name
    assert "<img" in (tmp_path / "demo" / "demo.html").read_text()
    last = ran.out.strip().splitlines()[-1]
    assert last.endswith(f": esclip serve --store {tmp_path / 'demo' / 'store'} --index demo --browse")


def test_doctor_tells_what_is_missing(quick_esclip: Esclip) -> None:
    """What was named and doesn't work makes the exit status 1; what is merely absent doesn't."""
    ran = quick_esclip("doctor", "--encoder", "palette")
    assert all(name in ran.out for name in ("store", "JPEG", "HEIC"))
    assert ran.err == ""
    assert (
        "MISSING" in quick_esclip("doctor", "--store", "http://127.0.0.1:9", HF_HUB_OFFLINE="1", status=1).out
    )


def test_models_lists_what_is_known(esclip: Esclip, tmp_path: Path) -> None:
    """The known models are told without a network, and that this machine has none of them."""
    offline = {"HF_HOME": str(tmp_path / "hub"), "HF_ENDPOINT": "http://127.0.0.1:9"}
    listed = esclip("models", "--json", **offline).hits
    assert {model["name"]: model["dim"] for model in listed}["clip-ViT-L-14"] == 768
    assert all(model["folder"] is None and model["prepared"] == [] for model in listed)
    lines = [line.split("\t") for line in esclip("models", **offline).out.splitlines()]
    assert lines[0][0] == "model"
    assert [line[0] for line in lines[1:]] == [model["name"] for model in listed]
    assert {len(line) for line in lines} == {9}


def test_a_transparent_or_odd_picture_can_be_a_query(
    quick_esclip: Esclip, photos: Path, tmp_path: Path
) -> None:
    """A query picture is decoded like any other; one that can't be is named in the error."""
    quick_esclip("ingest", photos, "--encoder", "palette")
    Image.new("LA", (5, 5), (0, 255)).save(tmp_path / "black.png")
    (hit,) = quick_esclip("search-image", tmp_path / "black.png", "-k", "1", "--json").hits
    assert Path(hit["location"]).name == "black.png"
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n")
    assert "broken.png" in quick_esclip("search-image", tmp_path / "broken.png", status=1).err


def test_help_names_every_command(quick_esclip: Esclip) -> None:
    """`esclip --help` lists all commands, and each has help of its own."""
    text = quick_esclip("--help").out
    searches = ("search-text", "search-image", "similar")
    others = ("classify", "stats", "forget", "drop", "doctor", "models", "serve-encoder", "demo")
    for command in ("ingest", "rejections", "retry", *searches, *others):
        assert command in text
        assert "--help" in quick_esclip(command, "--help").out


def test_eleven_colours_are_found_by_name(quick_esclip: Esclip, photos: Path) -> None:
    """Each plain picture comes first for its own colour's name."""
    quick_esclip("ingest", photos, "--encoder", "palette")
    for color in PLAIN[:4]:
        (hit,) = quick_esclip("search-text", color, "-k", "1", "--json").hits
        assert Path(hit["location"]).stem == color
