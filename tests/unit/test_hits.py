"""Hits: a sequence, a table, and a gallery that shows no more than it should."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from esclip import GeoPoint, Hit, Hits


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
    """A file is embedded as a thumbnail, a web picture linked, and one that is gone leaves an empty frame."""
    Image.new("RGB", (4000, 3000), "red").save(tmp_path / "big.png")
    hits = Hits([hit(1, str(tmp_path / "big.png")), hit(2), hit(3, str(tmp_path / "gone.png"))])
    page = hits._repr_html_()
    assert "data:image/jpeg;base64," in page
    assert 'src="https://example.org/a.jpg"' in page
    assert len(page) < 20_000


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
