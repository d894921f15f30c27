"""Slices of a source: parts that together are the whole, for as many machines."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

import esclip
from esclip import ConfigError
from esclip._cli.app import app
from esclip._protocols import Source
from esclip.sources import open_source
from esclip.sources.slices import Slice
from esclip.stores.memory import MemoryStore
from esclip.testing.source import records_of, rejections_of

COUNT = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, two of them alike, with what is none and what is no picture at all."""
    folder = tmp_path_factory.mktemp("slices") / "photos"
    folder.mkdir()
    for number in range(20):
        Image.new("RGB", (32, 32), (number // 2 * 20, 90, 200 - number // 2 * 10)).save(
            folder / f"{number}.png"
        )
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "film.mkv").write_bytes(b"")
    return folder


def sliced(folder: Path, count: int) -> list[Source]:
    """All slices of a folder."""
    return [open_source([folder], slice=f"{number}/{count}") for number in range(1, count + 1)]


@pytest.mark.parametrize("count", [1, 2, COUNT, 100])
def test_slices_are_the_whole(folder: Path, count: int) -> None:
    """Each record is in one slice, the one that it is in again; what is passed over is counted once."""
    whole = open_source([folder])
    records = [records_of(source) for source in sliced(folder, count)]
    assert Counter(one.id for some in records for one in some) == Counter(one.id for one in records_of(whole))
    assert records == [records_of(source) for source in sliced(folder, count)]
    passed: Counter[str] = Counter()
    for source in sliced(folder, count):
        records_of(source)
        passed.update(source.passed_over())
    assert passed == whole.passed_over()
    assert passed


def test_slices_are_of_about_one_size() -> None:
    """Of 10,000 ids each of 16 slices has a sixteenth, by 15 %."""
    sizes = [sum(Slice(number, 16).has(f"photo-{n}.jpg") for n in range(10_000)) for number in range(1, 17)]
    assert sum(sizes) == 10_000
    assert max(abs(size - 625) for size in sizes) < 94


def test_rows_without_an_id_are_rejected_once(tmp_path: Path) -> None:
    """A row that can't be read is of one slice as well."""
    table = tmp_path / "list.csv"
    table.write_text(
        "id,url\n" + "".join(f"{n},{'no url' if n % 3 else f'https://example.org/{n}'}\n" for n in range(30))
    )
    whole = rejections_of(open_source([table]))
    parts = [
        rejection
        for number in range(1, COUNT + 1)
        for rejection in rejections_of(open_source([table], slice=f"{number}/{COUNT}"))
    ]
    assert whole
    assert Counter(map(str, parts)) == Counter(map(str, whole))


def test_slices_fill_an_index_as_one_ingest_does(folder: Path, tmp_path: Path) -> None:
    """Documents and rejections are the same, and no slice is written twice."""
    with esclip.open_index(MemoryStore("whole"), encoder="palette") as whole:
        expected = whole.ingest(folder)
        with esclip.open_index(tmp_path, "parts", "palette") as parts:
            reports = [parts.ingest(folder, slice=f"{n}/{COUNT}") for n in (3, 1, 5, 2, 4)]
            again = [parts.ingest(folder, slice=f"{n}/{COUNT}") for n in range(1, COUNT + 1)]
            assert sum(report.written for report in reports) == expected.written == 20
            assert sum(report.rejected for report in reports) == expected.rejected == 1
            assert sum(report.written for report in again) == 0
            assert [*parts] == [*whole]
            assert {r.id for r in parts.rejections()} == {r.id for r in whole.rejections()}
            assert parts.ingest(folder, prune=True).skipped == 20


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "1/0", "a/b", "1/4/2", "-1/4", "1/1000000", "1 / 4"])
def test_a_slice_that_is_none(folder: Path, text: str) -> None:
    """Told in one line, with how it is written."""
    with pytest.raises(ConfigError, match="1/16 to 16/16"):
        open_source([folder], slice=text)


def test_a_prune_needs_all_records(folder: Path, tmp_path: Path) -> None:
    """A slice would take the others' documents for gone."""
    with (
        esclip.open_index(tmp_path, encoder="palette") as index,
        pytest.raises(ValueError, match="and slice"),
    ):
        index.ingest(folder, prune=True, slice="1/2")


def test_a_slice_from_the_command_line(folder: Path, tmp_path: Path) -> None:
    """A machine of a job array ingests its own."""
    args = ["ingest", str(folder), "--store", str(tmp_path), "--encoder", "palette", "--json", "--slice"]
    for number in (1, 2):
        result = CliRunner().invoke(app, [*args, f"{number}/2"])
        assert result.exit_code == 0, result.output
    with esclip.open_index(tmp_path) as index:
        assert len(index) == 20
    assert CliRunner().invoke(app, [*args, "3/2"]).exit_code == 1
