"""Hits: a sequence, a table, and a gallery that shows no more than it should."""

from __future__ import annotations

import base64
import io
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from esclip import GeoPoint, Hit, Hits
from esclip._core.types import content_fingerprint
from scripts.picture_bombs import jpeg_of_scans


def hit(rank: int, location: str = "https://example.org/a.jpg", **more: object) -> Hit:
    values: dict[str, object] = {"page": None, "description": "", "metadata": {}} | more
    return Hit(rank, f"id{rank}", 1 - rank / 10, location, **values)  # type: ignore[arg-type]


def test_hits_are_a_sequence() -> None:
    """Length, index, slice, iteration and equality are those of a sequence."""
    hits = Hits([hit(1), hit(2), hit(3)])
    assert len(hits) == 3
    assert hits[0] == hit(1)
    assert hits[1:] == Hits([hit(2), hit(3)])
    assert [h.id for h in hits] == ["id1", "id2", "id3"]
    assert "id1 0.900" in repr(hits)


def test_a_table_has_a_column_for_each_field() -> None:
    """Fields that only some hits have are columns too; an empty result is an empty table."""
    hits = Hits([hit(1, metadata={"country": "Norway"}), hit(2, metadata={"width": 4000})])
    table = hits.to_pandas()
    columns = ["rank", "id", "score", "location", "page", "description", "country", "width"]
    assert list(table.columns) == columns
    assert table["country"].tolist()[0] == "Norway"
    assert list(Hits([]).to_pandas().columns) == columns[:6]
    judged = Hits([hit(1, relevance=0.9), hit(2)]).to_pandas()
    assert list(judged.columns) == [*columns[:6], "relevance"]


def test_json_has_plain_values() -> None:
    """Dates, places and lists are as JSON has them."""
    metadata = {
        "at": datetime(2024, 5, 1, tzinfo=UTC),
        "point": GeoPoint(61.0, 8.5),
        "colors": ("red", "blue"),
    }
    assert hit(1, metadata=metadata).to_json()["metadata"] == {
        "at": "2024-05-01T00:00:00Z",
        "point": {"lat": 61.0, "lon": 8.5},
        "colors": ["red", "blue"],
    }


def test_the_gallery_shows_files_and_addresses(tmp_path: Path) -> None:
    """A file is embedded as a thumbnail, a web picture linked, and of one that is gone the place is told."""
    Image.new("RGB", (4000, 3000), "red").save(tmp_path / "big.png")
    hits = Hits([hit(1, str(tmp_path / "big.png")), hit(2), hit(3, str(tmp_path / "gone.png"))])
    page = hits._repr_html_()
    assert "data:image/jpeg;base64," in page
    assert 'src="https://example.org/a.jpg"' in page
    assert len(page) < 20_000
    assert f"<code>{tmp_path / 'gone.png'}</code>" in page


def shown(location: str | Path, content: str | None = None) -> Image.Image | None:
    """The thumbnail that the gallery has of a hit."""
    page = Hits([hit(1, str(location), content=content)])._repr_html_()
    found = re.search(r'src="data:image/jpeg;base64,([^"]*)"', page)
    return Image.open(io.BytesIO(base64.b64decode(found[1]))) if found else None


def test_the_gallery_shows_what_was_encoded(tmp_path: Path) -> None:
    """What is transparent is white, 16 bits of grey are scaled, and a picture stands upright."""
    logo = Image.new("RGBA", (300, 200), (0, 0, 0, 0))
    logo.paste((0, 0, 0, 255), (0, 0, 150, 200))
    logo.save(tmp_path / "logo.png")
    Image.fromarray(np.full((200, 300), 0x8000, np.uint16)).save(tmp_path / "grey.png")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (300, 200), "red").save(tmp_path / "turned.jpg", exif=exif)
    small = {name: shown(tmp_path / name) for name in ("logo.png", "grey.png", "turned.jpg")}
    assert all(small.values())
    left, right = (small["logo.png"].getpixel((x, 100)) for x in (20, 280))  # type: ignore[union-attr]
    assert max(left) < 20  # type: ignore[arg-type]
    assert min(right) > 235  # type: ignore[arg-type]
    assert small["grey.png"].getpixel((9, 9)) == pytest.approx((128,) * 3, abs=3)  # type: ignore[union-attr]
    assert small["turned.jpg"].height > small["turned.jpg"].width  # type: ignore[union-attr]


def test_the_gallery_opens_only_what_was_encoded(tmp_path: Path) -> None:
    """An index may name any file of this machine: without the fingerprint of its bytes it stays closed."""
    Image.new("RGB", (30, 20), "red").save(tmp_path / "private.png")
    content = content_fingerprint((tmp_path / "private.png").read_bytes())
    assert shown(tmp_path / "private.png", content) is not None
    for other in ("", "0" * 24, content_fingerprint(b"")):
        assert shown(tmp_path / "private.png", other) is None
    Image.new("RGB", (30, 20), "blue").save(tmp_path / "private.png")
    assert shown(tmp_path / "private.png", content) is None


def test_the_gallery_decodes_as_an_ingest_does(tmp_path: Path) -> None:
    """Pipes and devices aren't waited for, other formats and bombs not opened; their place is told."""
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "a.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    (tmp_path / "bomb.jpg").write_bytes(jpeg_of_scans(1_000, 9_459, progressive=True))
    files = [str(tmp_path / name) for name in ("pipe.png", "a.eps", "bomb.jpg")]
    for place in ("/dev/stdin", "/dev/zero", *files):
        assert shown(place) is None
        assert f"<code>{place}</code>" in Hits([hit(1, place)])._repr_html_()


@pytest.mark.parametrize(
    "location",
    [
        "http://[",
        "http://h:x/a.png",
        "file:///etc/passwd",
        "ftp://h/a.png",
        "a\0b.png",
        "",
        "http://u:pw@h/a",
    ],
)
def test_what_is_no_address_is_text(location: str) -> None:
    """Neither the place nor the page of a hit leads anywhere then; a password in it is not shown."""
    page = Hits([hit(1, location, page=location)])._repr_html_()
    assert "<img" not in page
    assert "href" not in page
    assert "pw" not in page


def test_the_gallery_asks_unsplash_for_small_pictures() -> None:
    """An original of many megabytes is never shown."""
    assert (
        "https://images.unsplash.com/p?h=480&amp;"
        in Hits([hit(1, "https://images.unsplash.com/p")])._repr_html_()
    )


@pytest.mark.parametrize("evil", ['"><script>alert(1)</script>', "javascript:alert(1)"])
def test_the_gallery_escapes_what_it_shows(evil: str) -> None:
    """Texts and links of a dataset can't bring code into a notebook."""
    page = Hits([hit(1, evil, page=evil, description=evil, metadata={"photographer": evil})])._repr_html_()
    assert "<script" not in page
    assert 'href="javascript' not in page
