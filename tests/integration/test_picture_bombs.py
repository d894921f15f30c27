"""Pictures made to take minutes or gigabytes, and good ones that look like them from afar."""

from __future__ import annotations

import io
import json
import random
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from esclip._errors import DecodeError
from esclip._errors.reasons import Reason
from esclip._images.decode import MAX_PIXELS_IN_MEMORY, PixelBudget, decode, decoding
from esclip._images.heif import decoded_pixels
from scripts.picture_bombs import (
    BOMBS,
    MONSTERS,
    UPSIDE_DOWN,
    avif_with_exif,
    gif,
    heic_of_tiles,
    jpeg,
    jpeg_of_scans,
    png,
    png_chunk,
    tiff,
)


@pytest.mark.parametrize("make", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_too_large(make: Callable[[], bytes]) -> None:
    """What would take minutes or gigabytes is refused, by a look at its headers or after a second or two."""
    with pytest.raises(DecodeError) as caught:
        decode(make())
    assert caught.value.reason is Reason.TOO_LARGE
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize("name", ["PNG of 16 bits", "PNG upside down, with alpha"])
def test_the_largest_pictures_take_two_pictures_room(name: str) -> None:
    """Whatever has to be done to 89 million pixels, no more than two copies are in memory."""
    command = [sys.executable, "-m", "scripts.picture_bombs", "-"]
    done = subprocess.run(command, input=MONSTERS[name](), stdout=subprocess.PIPE, check=True)
    _, taken, outcome = json.loads(done.stdout)
    assert outcome == "decoded, 9459 x 9459"
    assert int(taken.removesuffix(" MB")) < 900


def segment(kind: int, data: bytes) -> bytes:
    return bytes((0xFF, kind)) + (len(data) + 2).to_bytes(2, "big") + data


HEAVY = {
    "JPEG, colour profile of 6 MB": jpeg(segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(64_000)) * 100),
    "JPEG, EXIF of 6 MB": jpeg(segment(0xE1, b"Exif\0\0" + bytes(64_000)) * 100),
    "JPEG, broken XMP": jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0\xff<")),
    "JPEG, filled up": jpeg(b"\xff" * 5_000_000),
    "JPEG, junk between its parts": jpeg(segment(0xFE, b"x") + bytes(5_000_000)),
    "JPEG, noise behind its end": jpeg() + b"\xff\xda\0\x08" * 1_000_000,
    "PNG, colour profile of 2 MB": png(extra=png_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(2_000_000)))),
    "PNG, broken colour profile": png(extra=png_chunk(b"iCCP", b"p\0\0not packed")),
    "PNG, texts of 100 MB": png(extra=png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000))) * 100),
    "PNG, texts behind": png(behind=png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(2_000_000)))),
    "GIF, comment of 1 MB": gif(b"!\xfe" + (b"\xff" + b"x" * 255) * 4_000 + b"\0"),
    "TIFF, layers of 5 MB": tiff({37724: (7, 5_000_000, bytes(5_000_000))}, bytes(10_000)),
    "AVIF, EXIF of 5 MB": avif_with_exif(5_000_000),
    "TIFF, count of a tag absurd": tiff({305: (3, 0xFFFFFFFF, 8)}, bytes(10_000)),
}


@pytest.mark.parametrize("data", HEAVY.values(), ids=HEAVY)
def test_heavy_or_broken_metadata_costs_nothing(data: bytes) -> None:
    """A picture with megabytes of metadata, or damage in it, is a picture all the same."""
    assert decode(data).mode == "RGB"


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_the_orientation_is_found_among_much_else(format: str) -> None:
    """Where other metadata stands before it, a picture is still turned upright."""
    image = Image.new("RGB", (16, 16), "white")
    image.paste("black", (0, 0, 16, 8))
    file = io.BytesIO()
    image.save(file, format)
    data = file.getvalue()
    if format == "JPEG":
        other = segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(64_000)) * 50 + segment(0xFE, b"text")
        data = data[:2] + other + segment(0xE1, b"Exif\0\0" + UPSIDE_DOWN) + data[2:]
    else:
        other = png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000))) * 50
        data = data[:33] + other + png_chunk(b"eXIf", UPSIDE_DOWN) + data[33:]
    assert decode(data).getpixel((8, 2)) == (255, 255, 255)


def test_colours_are_found_among_much_else() -> None:
    """The mark that a JPEG's four colours are inverted counts behind a profile in fifty parts, too."""
    file = io.BytesIO()
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(file, "JPEG")
    data = file.getvalue()
    profile = segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(64_000)) * 50
    assert decode(data[:2] + profile + data[2:]).tobytes() == decode(data).tobytes()


def test_a_detailed_progressive_jpeg_is_no_bomb() -> None:
    """As many scans as programs write are decoded, also of a large picture."""
    noise = Image.frombytes("RGB", (200, 200), random.Random(1).randbytes(120_000)).resize((2_000, 2_000))
    file = io.BytesIO()
    noise.save(file, "JPEG", progressive=True, quality=95)
    assert file.getvalue().count(b"\xff\xda") > 8
    assert decode(file.getvalue()).size == (2_000, 2_000)


@pytest.mark.parametrize("sides", [(1, 1), (2, 2), (4, 4)])
def test_a_picture_of_tiles_is_no_bomb(sides: tuple[int, int]) -> None:
    """Tiles that cover a picture, and stand over its edges, are decoded, each as often as it is shown."""
    assert decode(heic_of_tiles(*sides, 1_024 // max(sides))).size == (1_000, 1_000)


@pytest.mark.parametrize(
    ("width", "height", "settings"),
    [(24, 16, {}), (700, 300, {"subsampling": "4:4:4"}), (64, 64, {"max_threads": 1, "quality": 100})],
)
def test_the_size_of_an_av1_frame_is_known(width: int, height: int, settings: dict[str, object]) -> None:
    """By its own header, whatever the file says around it."""
    file = io.BytesIO()
    Image.new("RGBA", (width, height), (255, 0, 0, 9)).save(file, "AVIF", speed=10, **settings)
    size, smaller = (struct.pack(">II", *sides) for sides in ((width, height), (1, 1)))
    for data in (file.getvalue(), file.getvalue().replace(size, smaller)):
        assert decoded_pixels(data, av1=True) == 2 * width * height  # with its alpha


def test_scans_are_counted_to_the_end_of_the_picture() -> None:
    """An end that stands inside of a comment is none, and hides no scans."""
    data = jpeg_of_scans(1_000, 9_459, progressive=True)
    first = data.index(b"\xff\xda")
    hidden = data[:first] + data[first : first + 10] + segment(0xFE, b"\xff\xd9") + data[first + 10 :]
    with pytest.raises(DecodeError, match="scans"):
        decode(hidden)


class TestRoom:
    def test_who_needs_more_than_is_left_waits(self) -> None:
        """Two that fit go on at once, a third one when there is room again."""
        room = PixelBudget(100)
        entered = threading.Event()

        def third() -> None:
            with room(50):
                entered.set()

        thread = threading.Thread(target=third)
        with room(60):
            with room(40):
                pass
            thread.start()
            assert not entered.wait(0.2)
        thread.join(10)
        assert entered.is_set()

    def test_a_large_one_is_not_passed_by_small_ones_for_ever(self) -> None:
        """Who comes later waits behind who waits already."""
        room = PixelBudget(100)
        order: list[int] = []

        def enter(pixels: int) -> None:
            with room(pixels):
                order.append(pixels)

        threads = [threading.Thread(target=enter, args=(pixels,)) for pixels in (100, 10)]
        with room(50):
            for thread in threads:
                thread.start()
                thread.join(0.2)
            assert order == []
        for thread in threads:
            thread.join(10)
        assert order == [100, 10]

    def test_a_picture_has_room_for_as_long_as_it_is_used(self) -> None:
        """Pictures that fill the room keep another one out until one of them is let go."""
        large, small = png(9_459, bits=1, color=0), png(64)
        assert MAX_PIXELS_IN_MEMORY // 9_459**2 == 2
        done = threading.Event()

        def another() -> None:
            with decoding(png(9_000, bits=1, color=0)) as picture:
                assert picture.size == (9_000, 9_000)
            done.set()

        thread = threading.Thread(target=another)
        with decoding(large), decoding(small):
            with decoding(large):
                thread.start()
                assert not done.wait(0.5)
            assert done.wait(60)
        thread.join(10)

    def test_a_failure_leaves_its_room(self) -> None:
        """Damaged pictures, however many, take no room from others."""
        damaged = png(9_000, bits=1, color=0)[:-200]
        for _ in range(3):
            with pytest.raises(DecodeError):
                decode(damaged)
        assert decode(png(9_000, bits=1, color=0)).size == (9_000, 9_000)
