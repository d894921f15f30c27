"""Text documents on the stores that need no server, and what goes wrong with them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner, Result

import esclip
from esclip import ImageRecord, Query, Rejection, TextRecord
from esclip._cli.app import app
from esclip._core.types import MAX_TEXT_BYTES, Vectors, text_record
from esclip._errors.reasons import Reason
from esclip._search.previews import read_previews
from esclip._server.agents.arguments import ViewPicture
from esclip._server.agents.tools import AgentTools
from esclip._server.label_jobs import label_pictures
from esclip.encoders.palette import PaletteEncoder
from esclip.stores.memory import MemoryStore
from tests.contracts.stores import OfLance, OfMemory
from tests.contracts.texts import TEXTS, TextsInDepth, ids, pictures
from tests.refusing_stores import RefusingStore, StoreBeside
from tests.search_servers import ask, searching


class TestTextsInMemory(OfMemory, TextsInDepth):
    pass


class TestTextsInLance(OfLance, TextsInDepth):
    pass


def refusing_texts() -> RefusingStore:
    """An index of texts that refuses what says so."""
    return RefusingStore("p_texts", lambda document: "refuse" in document.record.description)


def rejected(records: Any) -> list[tuple[str, Reason, str]]:
    """What becomes of records: id, reason and detail of each that is rejected."""
    found: list[Rejection] = []
    with esclip.open_index(MemoryStore("p"), encoder="palette") as index:
        index.add(records, max_rejection_rate=1, on_rejection=found.append)
    return [(rejection.id, rejection.reason, rejection.detail) for rejection in found]


@pytest.mark.parametrize(
    ("record", "reason", "detail"),
    [
        ({"text": ""}, Reason.BAD_ROW, "its text is empty"),
        ({"text": " \n\t"}, Reason.BAD_ROW, "its text is empty"),
        ({"text": None}, Reason.BAD_ROW, "its text is empty"),
        ({"text": 5}, Reason.BAD_ROW, "its text is of type int"),
        ({"text": b"red"}, Reason.BAD_ROW, "its text is of type bytes"),
        ({"text": "red \ud800"}, Reason.BAD_ROW, "not valid Unicode"),
        ({"text": "red", "description": "a colour"}, Reason.BAD_ROW, "a description beside its text"),
        ({"text": "ä" * MAX_TEXT_BYTES}, Reason.TOO_LARGE, "longer than 65,536 bytes"),
        ({"text": "red", "id": "a\x1b[31m"}, Reason.BAD_ID, "not printable"),
        ({"speech": "red"}, Reason.BAD_ROW, "no picture as image or path or url, and no text, but speech"),
        (TextRecord("red", metadata={"url": "x"}), Reason.BAD_ROW, "its metadata has 'url'"),
        (TextRecord("red", metadata={"text": "x"}), Reason.BAD_ROW, "its metadata has 'text'"),
        (TextRecord("red", metadata=["x"]), Reason.BAD_ROW, "its metadata is of type list"),  # type: ignore[arg-type]
        (TextRecord(5), Reason.BAD_ROW, "its text is of type int"),  # type: ignore[arg-type]
    ],
)
def test_texts_that_are_none(record: Any, reason: Reason, detail: str) -> None:
    """Each is rejected by itself, with what is wrong with it."""
    ((_, given, text),) = rejected([record])
    assert given is reason
    assert detail in text


def test_an_empty_description_is_none() -> None:
    """As a client's document has it beside its text."""
    with esclip.open_index(MemoryStore("p"), encoder="palette") as index:
        assert index.add(esclip.Document(text="red").record()).written == 1


def test_a_text_beside_a_picture_is_metadata() -> None:
    """A mapping with a picture keeps its field `text`; a plain `str` is a path."""
    with esclip.open_index(MemoryStore("p"), encoder="palette") as index:
        index.add(pictures()[0] | {"text": "words of its own"})
        (document,) = index.peek()
    assert (document.record.kind, document.record.metadata["text"]) == ("picture", "words of its own")
    ((_, reason, _),) = rejected(["a red door"])
    assert reason is Reason.FILE_NOT_FOUND


def test_a_rejected_text_is_tried_again() -> None:
    """What the store refuses is in the ledger with its text, and a retry writes it."""
    refusing = refusing_texts()
    with esclip.open_index(StoreBeside("p", refusing), encoder="palette") as index:
        texts: list[dict[str, Any]] = [
            {"id": "no", "text": "refuse red", "n": 1},
            {"id": "yes", "text": "blue"},
        ]
        report = index.add(texts)
        assert (report.written, report.rejected) == (1, 1)
        (entry,) = index.rejections()
        assert (entry.id, entry.reason) == ("no", Reason.WRITE_REJECTED)
        refusing.is_refusing = False
        assert index.retry().written == 1
        assert list(index.rejections()) == []
        (document,) = index.get("no")
        assert (document.record.kind, document.record.description) == ("text", "refuse red")
        assert index.add(texts).skipped == 2


def test_a_refused_text_replaces_no_picture() -> None:
    """The picture with its id stays."""
    with esclip.open_index(StoreBeside("p", refusing_texts()), encoder="palette") as index:
        index.add(pictures())
        assert index.add({"id": "red", "text": "refuse red"}, max_rejection_rate=1).rejected == 1
        assert index.get("red")[0].record.kind == "picture"
        assert len(index) == 3


def test_relevance_is_of_pictures() -> None:
    """In a calibrated index, a text has no relevance; what is asked for by relevance is pictures alone."""
    store = MemoryStore("p")
    with esclip.open_index(store, encoder=NoisyPalette()) as index:
        index.add(noise(200))
        before = index.search_text("red", 5)
        index.add(TEXTS)
        hits = index.search_text("red", 10)
        assert [hit.relevance is None for hit in hits] == [hit.kind == "text" for hit in hits]
        assert [hit for hit in hits if hit.kind == "picture"][:3] != []
        assert hits.matched == before.matched is not None
        relevant = index.search_text("red", 10, min_relevance=0.0)
        assert {hit.kind for hit in relevant} == {"picture"}
        with pytest.raises(esclip.ConfigError, match="whole pictures has a relevance"):
            index.search_text("red", min_relevance=0.5, targets=["pictures", "texts"])


class NoisyPalette(PaletteEncoder):
    """Without warnings of texts that name no colour."""

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return np.vstack([super(NoisyPalette, self).encode_texts([text or "red"]) for text in texts])


def noise(number: int) -> list[Any]:
    """Arrays of random pixels."""
    random = np.random.default_rng(3)
    return list(random.integers(0, 256, (number, 8, 8, 3), dtype=np.uint8))


def test_many_texts_are_encoded_in_batches_until_the_end_is_requested() -> None:
    """A run that is asked to stop writes what is encoded, and goes on with the next one."""
    stop, sizes = esclip.CancelToken(), list[int]()

    class Stopping(PaletteEncoder):
        """Asks for the end in the second batch."""

        def encode_texts(self, texts: Sequence[str]) -> Vectors:
            sizes.append(len(texts))
            if len(sizes) == 2:
                stop.request()
            return super().encode_texts(texts)

    texts = [TextRecord(f"red {number}") for number in range(50)]
    with esclip.open_index(MemoryStore("p"), encoder=Stopping()) as index:
        report = index.add(texts, batch_size=8, stop=stop)
        assert report.stopped
        assert sizes == [8, 8]
        assert len(index) == 16
        assert (again := index.add(texts)).skipped == 16
        assert again.written == 34


def test_a_vector_without_direction() -> None:
    """The text is rejected, and the others are written."""

    class Blind(PaletteEncoder):
        """Knows one word less."""

        def encode_texts(self, texts: Sequence[str]) -> Vectors:
            rows = super().encode_texts(texts)
            rows[[text == "red" for text in texts]] = np.nan
            return rows

    with esclip.open_index(MemoryStore("p"), encoder=Blind()) as index:
        report = index.add([TextRecord("red"), TextRecord("blue")])
        assert report.rejections == {Reason.BAD_VECTOR: 1}
        assert report.written == 1


def test_tables_show_the_kind_where_there_are_texts() -> None:
    """Of hits and of documents; without texts the columns are as they were."""
    with esclip.open_index(MemoryStore("p"), encoder="palette") as index:
        index.add(pictures())
        assert "kind" not in index.search_text("red").to_pandas().columns
        assert "kind" not in index.peek().to_pandas().columns
        index.add(TEXTS)
        assert list(index.search_text("red", 2).to_pandas()["kind"]) == ["picture", "text"]
        assert list(index.peek().to_pandas()["kind"]) == ["picture"] * 3 + ["text"] * 2
        assert [one.get("kind") for one in index.peek().to_dicts()] == [None] * 3 + ["text"] * 2


def test_rows_of_a_table() -> None:
    """A row with a picture is one, a row without is its text."""
    import pandas as pd

    table = pd.DataFrame({"image": [pictures()[0]["image"], None], "text": [None, "red"], "id": ["a", "b"]})
    with esclip.open_index(MemoryStore("p"), encoder="palette") as index:
        assert index.add(table).written == 2
        assert [document.record.kind for document in index.get(["a", "b"])] == ["picture", "text"]


def test_a_source_may_give_texts() -> None:
    """Records of the kind are texts wherever they come from."""

    class Texts(esclip.Source):
        """One text."""

        fields = ()

        def records(self, cancelled: Any) -> Any:
            yield text_record("red")

    with esclip.open_index(MemoryStore("p"), encoder="palette") as index:
        assert index.ingest(Texts()).written == 1
        assert ids(index.search_text("red")) == [text_record("red").id]
        assert isinstance(text_record("red"), ImageRecord)


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    """A store with a picture, and a text that would be code in a page or on a terminal."""
    (tmp_path / "photos").mkdir()
    pictures()[2]["image"].save(tmp_path / "photos" / "red.png")
    with esclip.open_index(tmp_path / "store", encoder="palette") as index:
        index.ingest(tmp_path / "photos")
        index.add({"id": "t", "text": "red \x1b[31m\n<script>alert(1)</script>" + " and more" * 200})
    return tmp_path / "store"


def test_a_gallery_shows_a_text_as_a_card(shown: Path) -> None:
    """With its words, escaped and shortened, and its rank; the picture beside it as ever."""
    with esclip.open_index(shown) as index:
        page = index.search_text("red")._repr_html_()
    assert page.count("<img") == page.count("<blockquote") == 1
    assert "red \\u001b[31m &lt;script&gt;alert(1)&lt;/script&gt; and more" in page
    assert "2 · 1.0000" in page
    assert page.count("and more") < 100


def test_the_command_line_shows_texts(shown: Path, tmp_path: Path) -> None:
    """JSON says which hits are texts; copies leave them out, with a count; either kind is looked in."""

    def run(*words: str) -> Result:
        result = CliRunner().invoke(app, ["search-text", "red", "--store", str(shown), *words])
        assert result.exit_code == 0, result.output
        return result

    lines = [orjson.loads(line) for line in run("--json").stdout.splitlines()]
    assert [line.get("kind") for line in lines] == [None, "text"]
    assert lines[1]["description"].startswith("red \x1b[31m\n<script>")
    copied = run("--copy-to", str(tmp_path / "copies"))
    assert "1 picture copied" in copied.stderr
    assert "1 hit without a picture: texts" in copied.stderr
    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["01_red.png"]
    assert run("--in", "texts").stdout.split("\t")[1:] == ["t", "memory:t\n"]
    with esclip.open_index(shown) as index:
        report = index.search_text("red").copy_to(tmp_path / "more")
    assert (len(report.paths), report.failures, report.texts) == (1, {}, 1)


def test_the_page_shows_texts(shown: Path, tmp_path: Path) -> None:
    """In the grid and in the viewer, their words stand where a picture would be, escaped."""
    html = {"Accept": "text/html"}
    with searching(esclip.open_index(shown), tmp_path / "cache") as server:
        grid = ask(server, "GET", "/?q=red", headers=html).body.decode()
        viewer = ask(server, "GET", "/?q=red&view=t", headers=html)
        alike = ask(server, "GET", "/?like=t", headers=html)
    assert grid.count('<q dir="auto" class="words">red ') == 1
    assert "<script>alert" not in grid
    assert viewer.status == alike.status == 200
    assert '<blockquote dir="auto" class="words">red ' in viewer.body.decode()
    assert "&lt;script&gt;alert(1)" in viewer.body.decode()


def test_other_edges_show_no_picture_of_a_text(shown: Path) -> None:
    """Thumbnails on terminals and tools of agents: a text that lies at a picture's place is none."""
    with esclip.open_index(shown) as index:
        place = index.search_text("red", 1)[0].location
        index.add({"id": "t", "text": "red", "location": place})
        hits = index.search_text("red")
        assert [hit.location for hit in hits] == [place, place]
        assert [jpeg is None for jpeg in read_previews(hits)] == [False, True]
        answer = AgentTools(index, show_paths=False).view_picture(ViewPicture(id="t", box=None))
        assert answer.jpeg is None
        assert "it is a text" in answer.text


class TestTextFiles:
    """Text files of folders, on request."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Two pictures, and text files: of several encodings, one in a subfolder, and some that are none."""
        folder = tmp_path / "photos"
        (folder / "more").mkdir(parents=True)
        for picture in pictures()[:2]:
            picture["image"].save(folder / f"{picture['id']}.png")
        (folder / "rose.txt").write_text("\ufeffa red rose\r\n", encoding="utf-8")
        (folder / "more" / "SKY.TXT").write_bytes("blauer Himmel, blue ü".encode("utf-16"))
        (folder / "readme.md").write_text("red", encoding="utf-8")
        return folder

    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[esclip.ImageIndex]:
        with esclip.open_index(tmp_path / "store", encoder="palette") as index:
            yield index

    def test_on_request(self, index: esclip.ImageIndex, folder: Path) -> None:
        """Each is a document of its words, at its place, with what is known of a file; pictures as ever."""
        assert index.ingest(folder).written == 2
        assert (report := index.ingest(folder, texts=True)).written == 2
        assert (report.read, report.skipped) == (4, 2)
        (rose, sky) = index.search_text("red", 2, targets="texts")
        assert (rose.description, rose.location) == ("a red rose", str(folder / "rose.txt"))
        assert (sky.description, sky.metadata["file_name"]) == ("blauer Himmel, blue ü", "SKY.TXT")
        assert rose.metadata["folders"] == (str(folder), *rose.metadata["folders"][1:])  # type: ignore[index]
        assert index.ingest(folder, texts=True).skipped == 4
        (folder / "rose.txt").touch()
        (folder / "rose.txt").write_text("a blue rose", encoding="utf-8")
        assert index.ingest(folder, texts=True).written == 1
        assert index.get(rose.id)[0].record.description == "a blue rose"

    def test_prune(self, index: esclip.ImageIndex, folder: Path) -> None:
        """Texts whose files are gone are removed where texts are asked for, and only there."""
        index.ingest(folder, texts=True)
        index.add({"text": "red", "location": str(folder / "added.pdf")})
        (folder / "rose.txt").unlink()
        (folder / "blue.png").unlink()
        assert index.ingest(folder, prune=True).pruned == 1
        assert index.stats().texts == 3
        assert index.ingest(folder, prune=True, texts=True).pruned == 2
        assert (len(index), index.stats().texts) == (2, 1)

    def test_a_folder_of_texts_alone(self, index: esclip.ImageIndex, tmp_path: Path) -> None:
        """Is no folder without pictures where texts are asked for; when it is empty, it can be pruned."""
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "a.txt").write_text("red", encoding="utf-8")
        with pytest.raises(esclip.SourceError, match="holds neither"):
            index.ingest(tmp_path / "notes")
        assert index.ingest(tmp_path / "notes", texts=True).written == 1
        assert index.ingest(tmp_path / "notes" / "a.txt", texts=True).skipped == 1
        (tmp_path / "notes" / "a.txt").unlink()
        with pytest.raises(esclip.SourceError, match="not there any more"):
            index.ingest(tmp_path / "notes", texts=True)
        report = index.ingest(tmp_path / "notes", texts=True, prune=True, confirm=lambda path, number: True)
        assert (report.pruned, len(index)) == (1, 0)

    @pytest.mark.parametrize(
        ("content", "reason", "detail"),
        [
            (b"", Reason.NOT_A_TEXT, "it is empty"),
            (b" \n\n", Reason.NOT_A_TEXT, "it is empty"),
            (b"caf\xe9", Reason.NOT_A_TEXT, "is not UTF-8"),
            (b"\x89PNG\r\n\0\0", Reason.NOT_A_TEXT, "is not UTF-8"),
            (b"red\0blue", Reason.NOT_A_TEXT, "NUL"),
            (b"red " * 20_000, Reason.TOO_LARGE, "longer than 65,536 bytes"),
        ],
    )
    def test_files_that_are_no_texts(
        self, index: esclip.ImageIndex, folder: Path, content: bytes, reason: Reason, detail: str
    ) -> None:
        """They are rejected one by one, and stay so until they are texts."""
        (folder / "bad.txt").write_bytes(content)
        found: list[Rejection] = []
        report = index.ingest(folder, texts=True, on_rejection=found.append)
        assert (report.written, report.rejected) == (4, 1)
        assert (found[0].reason, found[0].location) == (reason, str(folder / "bad.txt"))
        assert detail in found[0].detail
        (folder / "bad.txt").write_text("green", encoding="utf-8")
        assert index.ingest(folder, texts=True).written == 1
        assert list(index.rejections()) == []

    def test_a_link_leads_to_no_file_elsewhere(
        self, index: esclip.ImageIndex, folder: Path, tmp_path: Path
    ) -> None:
        """A folder from a stranger does not have other texts of this machine indexed."""
        (tmp_path / "secret").write_text("red secret", encoding="utf-8")
        (folder / "link.txt").symlink_to(tmp_path / "secret")
        report = index.ingest(folder, texts=True)
        assert report.rejections == {Reason.UNREADABLE_FILE: 1}

    def test_captions_beside_pictures(self, index: esclip.ImageIndex, folder: Path) -> None:
        """A text file can't be both a caption and a document."""
        with pytest.raises(esclip.ConfigError, match="leave one of both out"):
            index.ingest(folder, texts=True, captions="sidecar")

    def test_on_the_command_line(self, folder: Path, tmp_path: Path) -> None:
        """As an option of an ingest; the folder where one stands has texts, too."""
        words = ["--store", str(tmp_path / "store"), "--encoder", "palette", "--json"]
        result = CliRunner().invoke(app, ["ingest", str(folder), "--texts", *words])
        assert orjson.loads(result.stdout)["written"] == 4
        stats = CliRunner().invoke(app, ["stats", "--store", str(tmp_path / "store"), "--json"])
        assert orjson.loads(stats.stdout)["texts"] == 2


class TestFilesOfJsonLines:
    """Records in `.ndjson` and `.jsonl` files."""

    def test_pictures_and_texts(self, tmp_path: Path) -> None:
        """A line is a mapping for `add`; paths are relative to the file; the index keeps its types."""
        (tmp_path / "more").mkdir()
        pictures()[2]["image"].save(tmp_path / "more" / "red.png")
        file = tmp_path / "records.ndjson"
        file.write_text(
            '\ufeff{"id": "a", "text": "a red ü", "year": 2020}\n\n'
            '{"id": "b", "path": "more/red.png", "metadata": {"year": 2021}}\r\n'
            '{"id": "c", "image": "more/red.png", "description": "red"}\n',
            encoding="utf-8",
        )
        with esclip.open_index(tmp_path / "store", encoder="palette") as index:
            index.add({"text": "blue", "year": 2.5})
            report = index.ingest(file)
            assert (report.read, report.written) == (3, 3)
            assert [document.record.kind for document in index.get(["a", "b"])] == ["text", "picture"]
            assert [document.record.metadata["year"] for document in index.get(["a", "b"])] == [
                2020.0,
                2021.0,
            ]
            assert index.get("b")[0].record.location == str(tmp_path / "more" / "red.png")
            assert index.ingest(file).skipped == 3

    @pytest.mark.parametrize(
        ("line", "detail"),
        [
            ("{", "line 2: it is no JSON"),
            ('{"text": "a"}{"text": "b"}', "line 2: it is no JSON"),
            ("[1]", "line 2: it is no JSON object"),
            ('{"text": "a", "metadata": [1]}', "line 2: it has metadata that is no JSON object"),
            ('{"text": "a", "metadata": {"text": "b"}}', "line 2: it has 'text' twice"),
            ('{"text": ""}', "record 2: its text is empty"),
            ('{"n": 5}', "no picture"),
        ],
    )
    def test_bad_lines(self, tmp_path: Path, line: str, detail: str) -> None:
        """Each is rejected by itself."""
        file = tmp_path / "records.JSONL"
        file.write_text(f'{{"text": "red"}}\n{line}\n{{"text": "blue"}}\n', encoding="utf-8")
        found: list[Rejection] = []
        with esclip.open_index(MemoryStore("p"), encoder="palette") as index:
            assert index.ingest(file, on_rejection=found.append).written == 2
        assert detail in found[0].detail
        assert found[0].reason is Reason.BAD_ROW

    def test_files_that_are_none(self, tmp_path: Path) -> None:
        """What is no text, and what isn't there, is an error of the source."""
        (tmp_path / "a.ndjson").write_bytes(b"\xff\xd8\xff\xe0 a picture")
        with esclip.open_index(MemoryStore("p"), encoder="palette") as index:
            with pytest.raises(esclip.SourceError, match="line 1: it is not UTF-8"):
                index.ingest(tmp_path / "a.ndjson")
            with pytest.raises(esclip.SourceError, match="is not there"):
                index.ingest(tmp_path / "b.ndjson")


def test_two_processes_add_the_first_texts(tmp_path: Path) -> None:
    """A run that began before there were texts takes the index of texts that another has made meanwhile."""

    def texts() -> Iterator[TextRecord]:
        yield TextRecord("red", id="1")
        with esclip.open_index(tmp_path, encoder="palette") as other:
            other.add([TextRecord("blue", id="2", metadata={"year": 2020})])
        yield TextRecord("green", id="3")

    class Texts(esclip.Source):
        """What is read while the other run is going on."""

        fields = ()

        def records(self, cancelled: Any) -> Iterator[Any]:
            for given in texts():
                yield text_record(given.text, id=given.id or "")

    with esclip.open_index(tmp_path, encoder="palette") as index:
        assert index.ingest(Texts()).written == 2
        assert list(index) == ["1", "2", "3"]
        assert ids(index.search_text("blue", 9, "year=2020")) == ["2"]


def test_an_open_index_sees_what_another_process_adds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first texts, and new fields, are found after some seconds, without opening the index again."""
    with esclip.open_index(tmp_path, encoder="palette") as index:
        index.add(pictures())
        before = ids(index.search_text("blue", 9))
        with esclip.open_index(tmp_path, encoder="palette") as other:
            other.add([TextRecord("blue", id="new", metadata={"year": 2020})])
        began = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: began + 10)
        assert sorted(ids(index.search_text("blue", 9))) == sorted([*before, "new"])
        assert ids(index.search_text("blue", 9, "year=2020")) == ["new"]


def test_texts_left_over_from_an_index_that_is_gone() -> None:
    """They are not those of a new index of the same name."""
    store = MemoryStore("p")
    with esclip.open_index(store, encoder="palette") as index:
        index.add(TEXTS)
        store.drop()  # around the index
        assert index.add([TextRecord("red", id="new")]).written == 1
        assert list(index) == ["new"]


def test_both_kinds_are_ordered_by_a_field() -> None:
    """What fits, or what a filter leaves, of either kind."""
    with esclip.open_index(MemoryStore("p"), encoder="palette") as index:
        index.add([one | {"year": year} for one, year in zip(pictures(), (2003, 2001, 2005), strict=True)])
        index.add([{"id": "t1", "text": "red", "year": 2002}, {"id": "t2", "text": "blue", "year": 2004}])
        expected = ["green", "t1", "blue", "t2", "red"]
        assert ids(index.search_text("red", 9, sort="year")) == expected
        assert ids(index.search(Query(where="year>0", sort="-year", k=9))) == expected[::-1]
        assert index.facets(["year"]).documents == 5


def test_labels_of_a_service_are_of_pictures(shown: Path) -> None:
    """Its job labels no texts, and counts none."""
    with esclip.open_index(shown) as index:
        done = label_pictures(index, index.load_encoder, ["red", "blue"], lambda done, total: None)
    assert (len(done.rows), done.found) == (1, 1)
