"""Make a folder that looks like an unzipped Unsplash dataset, of any size, with made-up words in it.

    OUT/photos.tsv000 ...        N rows, the columns of release 1.4
    OUT/keywords.tsv000 ...      --keywords-per-photo rows for each photo
    OUT/colors.tsv000 ...        10 for each photo
    OUT/collections.tsv000 ...   66 for each photo
    IMAGES/<photo_id>.jpg        a small picture of its own colours for each photo, if wanted

The same arguments give the same bytes. A photo's rows are strewn over the whole of the other tables.

    python scripts/make_unsplash.py OUT --photos 25000
"""

from __future__ import annotations

import argparse
import colorsys
import csv
import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
from PIL import Image

__all__ = ["main", "make_dataset"]

BASE_URL = "https://images.unsplash.com"
ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
ROWS_AT_ONCE = 500_000

SYLLABLES = ("ba", "ko", "ri", "lu", "me", "ta", "no", "si", "fe", "du", "ga", "hi", "po", "wa", "ze", "xy")
WORDS = np.array([a + b + c for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES])
COLORS = np.array(
    ["black", "white", "red", "green", "blue", "gray", "orange", "gold", "teal", "navy", "olive"]
)
PLACES = [("Norway", 61.0, 8.5), ("Japan", 36.2, 138.3), ("NA", -22.6, 17.1), ("Chile", -33.4, -70.7)]
SIZES = [(4000, 3000), (3000, 4500), (3000, 3000), (6000, 2000)]

PHOTO_HEADER = (
    "photo_id photo_url photo_image_url photo_submitted_at photo_featured photo_width photo_height "
    "photo_aspect_ratio photo_description photographer_username photographer_first_name "
    "photographer_last_name exif_camera_make exif_camera_model exif_iso exif_aperture_value "
    "exif_focal_length exif_exposure_time photo_location_name photo_location_latitude "
    "photo_location_longitude photo_location_country photo_location_city stats_views stats_downloads "
    "ai_description ai_primary_landmark_name ai_primary_landmark_latitude "
    "ai_primary_landmark_longitude ai_primary_landmark_confidence blur_hash"
)

Integers = npt.NDArray[np.int64]
Strings = npt.NDArray[np.str_]


def make_dataset(
    folder: Path,
    photos: int,
    *,
    keywords_per_photo: int = 108,
    images: Path | None = None,
    base_url: str = BASE_URL,
    parts: int = 2,
    seed: int = 0,
) -> list[str]:
    """Write the tables into `folder`, each in `parts` files, and pictures into `images`; returns the ids."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = np.random.default_rng(seed).integers(0, len(ID_LETTERS), (photos, 11))
    ids: Strings = np.array(list(ID_LETTERS))[letters].view("U11").ravel()
    for part, numbers in enumerate(np.array_split(np.arange(photos), parts)):
        _write_photos(folder / f"photos.tsv{part:03}", ids, numbers, base_url)
    for table, per_photo in (("keywords", keywords_per_photo), ("colors", 10), ("collections", 66)):
        rows = photos * per_photo
        for part in range(parts):
            first, last = rows * part // parts, rows * (part + 1) // parts
            _write_children(folder / f"{table}.tsv{part:03}", ids, first, last)
    if images is not None:
        _draw(images, ids)
    return [str(id) for id in ids]


def _write_photos(path: Path, ids: Strings, numbers: Integers, base_url: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        columns = PHOTO_HEADER.split()
        writer.writerow(columns)
        for number in numbers.tolist():
            row = _photo(str(ids[number]), number, base_url)
            writer.writerow([row.get(column, "") for column in columns])


def _photo(id: str, number: int, base_url: str) -> dict[str, object]:
    width, height = SIZES[number % len(SIZES)]
    country, latitude, longitude = PLACES[number // 3 % len(PLACES)]
    words = [str(WORDS[number * step % len(WORDS)]) for step in (1, 7, 31, 101)]
    row: dict[str, object] = {
        "photo_id": id,
        "photo_url": f"https://unsplash.com/photos/{id}",
        "photo_image_url": f"{base_url}/photo-{number}-{id}",
        "photo_submitted_at": datetime(2020, 1, 1) + timedelta(minutes=number, microseconds=number % 999),
        "photo_featured": "t" if number % 2 else "f",
        "photo_width": width,
        "photo_height": height,
        "photo_aspect_ratio": round(width / height, 2),
        "photographer_username": f"{words[0]}{number % 1000}",
        "photographer_first_name": words[0].title(),
        "photographer_last_name": words[1].title(),
        "stats_views": number * 1009 % 10_000_000,
        "stats_downloads": number * 31 % 100_000,
        "ai_description": f"{words[0]} and {words[1]} near {words[2]}",
        "blur_hash": f"L{number:027}",
    }
    if number % 2:
        row |= {"exif_camera_make": "Zewaxy", "exif_camera_model": f"Z{number % 9}", "exif_iso": 100}
        row |= {"exif_aperture_value": 2.8, "exif_focal_length": 35.0, "exif_exposure_time": "1/250"}
    if number % 3 == 0:
        row |= {"photo_location_name": f"{words[2].title()}, {country}", "photo_location_country": country}
        row |= {"photo_location_latitude": latitude, "photo_location_longitude": longitude}
    if number % 5 == 0:
        row["photo_description"] = f'{words[3]} "{words[1]}"\n\tof {words[2]}'
    return row


def _write_children(path: Path, ids: Strings, first: int, last: int) -> None:
    table = path.name.partition(".")[0]
    with path.open("wb") as file:
        options = pa_csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
        for begin in range(first, last, ROWS_AT_ONCE):
            rows = np.arange(begin, min(begin + ROWS_AT_ONCE, last))
            columns = dict(_children(table, ids, rows))
            if begin == first:
                file.write(("\t".join(columns) + "\n").encode())
            pa_csv.write_csv(pa.table(columns), file, options)


def _children(table: str, ids: Strings, rows: Integers) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """The columns of these rows. Every photo comes once in each round through all, in a scrambled order."""
    stride = next(n for n in range(len(ids) * 5 // 8 + 1, 2 * len(ids) + 2) if math.gcd(n, len(ids)) == 1)
    photos, rounds = rows * stride % len(ids), rows // len(ids)
    words = WORDS[(photos * 7 + rounds * 13) % len(WORDS)]
    percents = (photos * 31 + rounds * 17) % 6000 / 100 + 40
    flags = np.array(["f", "t"])
    yield "photo_id", ids[photos]
    if table == "keywords":
        by_user = (photos % 4 > 0) & (rounds % 8 == 0)
        yield "keyword", words
        yield "ai_service_1_confidence", percents
        yield "ai_service_2_confidence", percents[::-1]
        yield "suggested_by_user", flags[by_user.astype(int)]
        yield "user_suggestion_source", np.where(by_user, "photographer", "")
        yield "suggested_by_ai_service_3", flags[rounds % 2]
        yield "confirmed_by_ai_service_3", flags[rounds % 2]
    elif table == "colors":
        yield "hex", WORDS[photos % len(WORDS)]
        for channel in ("red", "green", "blue"):
            yield channel, photos % 256
        yield "keyword", COLORS[(photos + rounds) % len(COLORS)]
        yield "coverage", percents / 1000
        yield "score", percents / 100
    else:
        yield "collection_id", rows // 7
        yield "collection_title", words
        yield "photo_collected_at", np.full(len(rows), "2021-02-03 04:05:06")
        yield "collection_type", np.where(rounds % 9, "collection", "topic")


def _draw(folder: Path, ids: Strings) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, id in enumerate(ids):
        picture = Image.new("RGB", (64, 48), _rgb(number * 0.618034))
        picture.paste(_rgb(number * 0.414214 + 0.5), (8 + number % 32, 8 + number // 32 % 24, 56, 40))
        picture.save(folder / f"{id}.jpg", quality=90)


def _rgb(hue: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, 0.8, 0.5 + hue / 7 % 0.5)
    return int(red * 255), int(green * 255), int(blue * 255)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make one from the command line."""
    parser = argparse.ArgumentParser(description="Make a synthetic Unsplash dataset folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=25_000)
    parser.add_argument("--keywords-per-photo", type=int, default=108)
    parser.add_argument("--images", type=Path, help="folder for pictures; none are drawn without it")
    parser.add_argument("--base-url", default=BASE_URL, help="what photo_image_url begins with")
    parser.add_argument("--parts", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    make_dataset(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
