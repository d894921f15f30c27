"""The fields of a photo, and what text becomes a number, a date, a place or a sized URL."""

from __future__ import annotations

import logging
import math
from datetime import UTC, datetime
from pathlib import Path

import pytest

from esclip._core.types import GeoPoint
from esclip.sources import open_source
from esclip.sources.unsplash.fields import (
    blur_hash_color,
    parse_date,
    parse_integer,
    parse_number,
    parse_point,
    sized_url,
)
from esclip.testing.source import records_of
from tests.unit.unsplash_tables import URL, metadata, photo, write


def test_values_have_types(tmp_path: Path) -> None:
    """Every column that is kept becomes a field under its short name, with a value of the right type."""
    found = metadata(
        tmp_path,
        photo_submitted_at="2020-05-06 07:08:09.123456",
        photo_featured="t",
        photo_width="3000",
        photo_height="2000",
        photo_aspect_ratio="1.5",
        photographer_username="al",
        photographer_first_name="Ada",
        photographer_last_name="Lo",
        exif_iso="100",
        exif_aperture_value="2.8",
        exif_focal_length="35",
        exif_exposure_time="1/250",
        photo_location_latitude="12.5",
        photo_location_longitude="-170.25",
        stats_views="9000000000",
        ai_primary_landmark_name="Tower",
        ai_primary_landmark_latitude="1",
        ai_primary_landmark_longitude="2",
        ai_primary_landmark_confidence="99.5",
        blur_hash="LEHV6nWB2yk8pyo0adR*.7kCMdnj",
    )
    assert found == {
        "submitted_at": datetime(2020, 5, 6, 7, 8, 9, 123_000, tzinfo=UTC),
        "featured": True,
        "width": 3000,
        "height": 2000,
        "aspect_ratio": 1.5,
        "orientation": "landscape",
        "color": "#979695",
        "photographer_username": "al",
        "photographer": "Ada Lo",
        "iso": 100,
        "aperture": 2.8,
        "focal_length": 35.0,
        "exposure_time": "1/250",
        "point": GeoPoint(12.5, -170.25),
        "views": 9_000_000_000,
        "landmark": "Tower",
        "landmark_point": GeoPoint(1.0, 2.0),
        "landmark_confidence": 99.5,
    }


def test_values_that_say_nothing_are_left_out(tmp_path: Path) -> None:
    """A camera's nonsense is no reason to reject a photo."""
    found = metadata(
        tmp_path,
        exif_iso="abc",
        stats_views="99999999999999999999",
        exif_aperture_value="nan",
        exif_focal_length="inf",
        photo_featured="maybe",
        photo_submitted_at="yesterday",
        photo_width="0",
        photo_height="10",
        photo_location_latitude="91",
        photo_location_longitude="200",
    )
    assert found == {"width": 0, "height": 10}


def test_description_is_the_photographers_else_the_ais(tmp_path: Path) -> None:
    """People's words come first; the AI's are kept as a field of their own, too."""
    rows = [photo("a", photo_description="p", ai_description="i"), photo("b", ai_description="i"), photo("c")]
    write(tmp_path / "photos.tsv", rows)
    records = records_of(open_source([tmp_path]))
    assert [record.description for record in records] == ["p", "i", ""]
    assert [record.metadata.get("ai_description") for record in records] == ["i", "i", None]


def test_unknown_columns_are_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A later release's column is no error, and is told of once."""
    with caplog.at_level(logging.WARNING, logger="esclip"):
        assert metadata(tmp_path, photo_mood="calm", photo_width="5") == {"width": 5}
    assert [record.getMessage().count("photo_mood") for record in caplog.records] == [1]


@pytest.mark.parametrize(
    ("width", "height", "asked"),
    [
        (4000, 3000, 299),
        (3000, 4000, 224),
        (500, 500, 224),
        (6000, 1000, 1344),
        (300, 100, 300),
        (100, 900, 100),
        (None, None, 640),
        (0, 5, 640),
    ],
)
def test_sized_url_asks_for_the_shortest_side(width: int | None, height: int | None, asked: int) -> None:
    """The shortest side arrives with 224 pixels or a few more, and never larger than the original."""
    assert sized_url(URL, width, height) == f"{URL}?fm=jpg&q=80&fit=max&w={asked}"
    if width and height and min(width, height) >= 224:
        assert 224 <= min(asked, math.ceil(asked * height / width)) <= 225


@pytest.mark.parametrize(
    ("url", "sized"),
    [
        (f"{URL}?ixid=a%2Fb&w=5000&q=1&empty=", f"{URL}?ixid=a%2Fb&empty=&fm=jpg&q=80&fit=max&w=224"),
        (f"{URL}?s=%FF", f"{URL}?s=%FF&fm=jpg&q=80&fit=max&w=224"),
        ("http://127.0.0.1:8000/a#x", "http://127.0.0.1:8000/a?fm=jpg&q=80&fit=max&w=224#x"),
        ("https://[bad", "https://[bad"),
        ("file:///etc/passwd", "file:///etc/passwd"),
        ("no url", "no url"),
        ("", ""),
    ],
)
def test_sized_url_keeps_the_rest(url: str, sized: str) -> None:
    """Other parameters stay as they are, ours replace theirs; what is no URL is left alone."""
    assert sized_url(url, 1000, 1000) == sized


def test_numbers_are_plain() -> None:
    """What Python would take but no dataset means is no number."""
    assert [parse_integer(text) for text in ("400", "-3", "400.0", "1_000", " 4", "4.5", "", "٣")] == [
        400, -3, 400, None, None, None, None, None,
    ]  # fmt: skip
    assert [parse_integer(str(number)) for number in (2**63 - 1, 2**63)] == [2**63 - 1, None]
    assert [parse_number(text) for text in ("1e3", "nan", "-inf", "1_0", "f/2.8", "")] == [
        1000.0,
        *[None] * 5,
    ]


def test_dates_are_utc() -> None:
    """A time without a zone is in UTC; another zone is converted; beyond the calendar is nothing."""
    expected = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    for text in ("2020-01-02 03:04:05", "2020-01-02T03:04:05Z", "2020-01-02 05:04:05.000999+02"):
        assert parse_date(text) == expected
    assert parse_date("0001-01-01 00:00:00+02") is None


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        ("45", "90", (45, 90)),
        ("-90", "-180", (-90, -180)),
        ("151.2", "-33.8", (-33.8, 151.2)),
        ("95", "95", None),
        ("200", "5", None),
        ("5", "181", None),
        ("nan", "1", None),
        ("", "5", None),
    ],
)
def test_places_are_on_earth(latitude: str, longitude: str, expected: tuple[float, float] | None) -> None:
    """A latitude beyond the pole was swapped with its longitude; what is nowhere either way is nothing."""
    assert parse_point(latitude, longitude) == expected


@pytest.mark.parametrize(
    ("blur_hash", "color"),
    [
        ("LEHV6nWB2yk8pyo0adR*.7kCMdnj", "#979695"),
        ("00TSUA", "#ffffff"),
        ("LEHV6nWB2yk8pyo0adR*.7kCMdn", None),
        ("LE~~~~WB2yk8pyo0adR*.7kCMdnj", None),
        ("L\u00c9HV6nWB2yk8pyo0adR*.7kCMdnj", None),
        ("L", None),
        ("", None),
    ],
)
def test_the_color_of_a_blur_hash(blur_hash: str, color: str | None) -> None:
    """Its mean colour; none where it is cut, too large, or of other characters."""
    assert blur_hash_color(blur_hash) == color
