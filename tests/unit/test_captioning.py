"""Descriptions that a captioner writes at ingest: found, marked, kept, and made anew by another one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import esclip
from esclip import CancelToken, ConfigError, EncoderError, ImageIndex, Keywords, Query, Reason
from esclip._core.captions import MAX_CAPTION_BYTES
from esclip._core.outcomes import Result
from esclip.stores.memory import MemoryStore

COLORS = {"beacon": "red", "meadow": "green", "lagoon": "blue"}


class Namer:
    """Tells pictures by their colour, and remembers what it was shown."""

    def __init__(self, name: str = "namer", fails_at: str = "", says: str = "a {color} {word}") -> None:
        self.name, self.fails_at, self.says = name, fails_at, says
        self.seen: list[str] = []

    def __call__(self, pictures: Sequence[Any]) -> list[str]:
        for picture in pictures:
            assert picture.dtype == np.uint8
            assert picture.shape == (6, 8, 3)
        words = [[*COLORS][int(picture[0, 0].argmax())] for picture in pictures]
        if self.fails_at in words:
            raise ValueError("no\nidea")
        self.seen += words
        return [self.says.format(color=COLORS[word], word=word) for word in words]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for word, color in COLORS.items():
        Image.new("RGB", (8, 6), color).save(folder / f"{word}.png")
    return folder


def described(index: ImageIndex) -> dict[str, tuple[str, Any]]:
    """Description and captioner of each picture, by its file's stem."""
    return {
        Path(document.record.location).stem: (
            document.record.description,
            document.record.all_metadata.get("caption_by"),
        )
        for document in index.peek(100)
    }


def by(name: str) -> dict[str, tuple[str, Any]]:
    return {word: (f"a {color} {word}", name) for word, color in COLORS.items()}


def test_captions_are_found_kept_and_made_anew_by_another_captioner(index: ImageIndex, folder: Path) -> None:
    """Keywords, filters and vectors find them; what the same captioner has described it isn't shown again."""
    first = Namer()
    assert index.ingest(folder, captioner=first, parts=["captions"]).written == 3
    assert sorted(first.seen) == sorted(COLORS)
    assert described(index) == by("namer")
    assert [Path(hit.location).stem for hit in index.search(Query(Keywords("lagoon")))] == ["lagoon"]
    best = index.search_text("green", targets=["captions"], where={"caption_by": "namer"}, k=1)
    assert Path(best[0].location).stem == "meadow"

    again = Namer()
    for options in ({"captioner": again}, {}):
        assert index.ingest(folder, **options).skipped == 3  # type: ignore[arg-type]
    Image.new("RGB", (8, 6), "red").save(folder / "meadow.png")
    assert index.ingest(folder, captioner=again).written == 1
    assert again.seen == ["beacon"]

    results: list[Result] = []
    other = Namer("other")
    index.ingest(folder, captioner=other, on_outcome=lambda outcome: results.append(outcome.result))
    assert results == [Result.UPDATED] * 3  # no picture was encoded
    assert set(described(index).values()) == {("a red beacon", "other"), ("a blue lagoon", "other")}
    assert len(index.search_text("red", targets=["captions"], where={"caption_by": "other"}, k=9)) == 3


def test_the_words_of_a_person_stay(memory: ImageIndex, folder: Path) -> None:
    """They replace a machine's, and no machine is asked for others; captions that are taken away are both."""
    captioner = Namer()
    memory.ingest(folder, captioner=captioner)
    mine = {str(folder / "beacon.png"): "our house"}
    assert memory.ingest(folder, captions=mine, captioner=captioner).written == 1
    assert described(memory) == by("namer") | {"beacon": ("our house", None)}
    assert memory.ingest(folder, captioner=Namer("other")).written == 2
    assert described(memory) == by("other") | {"beacon": ("our house", None)}
    memory.ingest(folder, captions="")
    assert set(described(memory).values()) == {("", None)}
    given = {"id": "1", "image": Image.new("RGB", (8, 6), "red"), "description": "mine"}
    memory.add([given, {"id": "2", "image": Image.new("RGB", (8, 6), "red")}], captioner=captioner)
    added = [document.record.description for document in memory.get(["1", "2"])]
    assert added == ["mine", "a red beacon"]


def test_a_picture_at_which_the_captioner_fails(memory: ImageIndex, folder: Path) -> None:
    """It is rejected with its copies, the others of its batch aren't; a retry writes it without a caption."""
    (folder / "copy.png").write_bytes((folder / "meadow.png").read_bytes())
    report = memory.ingest(folder, captioner=Namer(fails_at="meadow"))
    assert (report.read, report.written, report.rejections) == (4, 2, {Reason.CAPTION_FAILED: 2})
    assert {entry.detail for entry in memory.rejections()} == {"namer: ValueError: no idea"}
    assert memory.retry().written == 2
    assert described(memory)["meadow"] == described(memory)["copy"] == ("", None)
    captioner = Namer()
    assert memory.ingest(folder, captioner=captioner).written == 2
    assert described(memory) == {**by("namer"), "copy": ("a green meadow", "namer")}


def test_copies_are_described_once(memory: ImageIndex, folder: Path) -> None:
    """In a run; one with a description of its own keeps it."""
    for name in ("copy", "mine"):
        (folder / f"{name}.png").write_bytes((folder / "beacon.png").read_bytes())
    captioner = Namer()
    memory.ingest(folder, captioner=captioner, captions={str(folder / "mine.png"): "mine"})
    assert sorted(captioner.seen) == sorted(COLORS)
    assert described(memory) == {**by("namer"), "copy": ("a red beacon", "namer"), "mine": ("mine", None)}


def test_an_end_in_the_middle(memory: ImageIndex, folder: Path) -> None:
    """What has been described is written, and the next run does the rest, without a second caption."""
    for number in range(1, 21):
        Image.new("RGB", (8, 6), (255, number, 0)).save(folder / f"{number}.png")
    for captioner in (Namer(), Namer("other")):  # in new documents, and in those that there are
        stop = CancelToken()

        def ending(pictures: Sequence[Any], captioner: Namer = captioner, stop: CancelToken = stop) -> Any:
            stop.request()
            return captioner(pictures)

        ending.__name__ = captioner.name
        assert memory.ingest(folder, captioner=ending, stop=stop).stopped
        assert 0 < len(captioner.seen) < 23
        memory.ingest(folder, captioner=captioner)
        assert len(captioner.seen) == 23
        assert {by for _, by in described(memory).values()} == {captioner.name}


def test_hostile_captions(memory: ImageIndex, folder: Path) -> None:
    """They become one line of printable characters, of the length that any caption may have."""
    says = "\x1b]0;gotcha\x07\n{word}\x00\udc80 \u202e" + "ü" * MAX_CAPTION_BYTES
    memory.ingest(folder, captioner=Namer(says=says))
    description, _ = described(memory)["beacon"]
    assert description.startswith("]0;gotcha beacon ü")
    assert description.isprintable()
    assert len(description.encode()) <= MAX_CAPTION_BYTES
    assert memory.ingest(folder, captioner=Namer(says=says)).skipped == 3


def test_nothing_to_say(memory: ImageIndex, folder: Path) -> None:
    """A picture without a caption has no mark, and isn't shown again."""
    silent = Namer(says=" ")
    memory.ingest(folder, captioner=silent)
    assert set(described(memory).values()) == {("", None)}
    assert memory.ingest(folder, captioner=silent).skipped == 3


WRONG: dict[str, tuple[Any, str]] = {
    "a number": (5, "captioner"),
    "one text": (lambda pictures: "a dog", "not a list of texts"),
    "too few": (lambda pictures: [], "0 texts for"),
    "others": (lambda pictures: [None] * len(pictures), "NoneType among its texts"),
    "a name of nothing": (Namer(" "), "printable"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_captioner(memory: ImageIndex, folder: Path, wrong: str) -> None:
    """Ends the run, with an error that says why."""
    captioner, told = WRONG[wrong]
    with pytest.raises(ConfigError, match=told):
        memory.ingest(folder, captioner=captioner)


@pytest.mark.parametrize("name", ["./nothing", "some/model", "pictures", "a\x1b[2J", ""])
def test_a_model_that_is_not_here(
    memory: ImageIndex, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is an error before anything is read, in one line, and says how to get it; '' is none."""
    monkeypatch.chdir(folder.parent)
    if not name:
        assert memory.ingest(folder, captioner=name).written == 3
        return
    with pytest.raises(EncoderError, match="folder") as caught:
        memory.ingest(folder, captioner=name)
    assert str(caught.value).isprintable()


def test_a_dry_run_describes_nothing(memory: ImageIndex, folder: Path) -> None:
    """It counts what would be described anew as updated."""
    memory.ingest(folder, captioner=Namer())
    other = Namer("other")
    report = memory.ingest(folder, captioner=other, dry_run=True)
    assert report.dry_run is not None
    assert (report.dry_run.updated, other.seen) == (3, [])


def test_captions_go_with_their_documents(folder: Path, tmp_path: Path) -> None:
    """Through a vector cache into an index, which then knows them as described."""
    captioner = Namer()
    esclip.encode(folder, out=tmp_path / "cache", encoder="palette", captioner=captioner)
    with esclip.open_index(MemoryStore("y"), "y", "palette") as index:
        assert index.import_vectors(tmp_path / "cache").written == 3
        assert described(index) == by("namer")
        assert index.ingest(folder, captioner=captioner).skipped == 3
