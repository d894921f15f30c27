"""Bytes of every kind, right and wrong, become an upright RGB picture or a reason."""

from __future__ import annotations

import io
import random
import struct
import threading
import time
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageFile

from esclip._errors import DecodeError
from esclip._errors.reasons import Reason
from esclip._images.decode import decode, to_rgb

pillow_heif.register_heif_opener()

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")


def encoded(image: Image.Image, format: str, **settings: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **settings)
    return file.getvalue()


def quarters(size: int = 32) -> Image.Image:
    """Red and green above, blue and white below."""
    image = Image.new("RGB", (2, 2))
    for at, colour in zip(((0, 0), (1, 0), (0, 1), (1, 1)), (RED, GREEN, BLUE, WHITE), strict=True):
        image.putpixel(at, colour)
    return image.resize((size, size), Image.Resampling.NEAREST)


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """Colours near the four corners, each channel rounded to 0, 128 or 255."""
    w, h = image.size
    places = ((w // 4, h // 4), (3 * w // 4, h // 4), (w // 4, 3 * h // 4), (3 * w // 4, 3 * h // 4))
    return [tuple(min(255, round(c / 128) * 128) for c in pixel(image, *at)) for at in places]


def pixel(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    value = image.getpixel((x, y))
    assert isinstance(value, tuple)
    return value


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def reason_for(data: bytes, **settings: int) -> Reason:
    with pytest.raises(DecodeError) as caught:
        decode(data, **settings)
    assert "\n" not in caught.value.detail
    assert caught.value.detail
    return caught.value.reason


class TestFormats:
    @pytest.mark.parametrize("format", FORMATS)
    def test_reads_each(self, format: str) -> None:
        """A picture of each format comes out as RGB, with its colours where they were."""
        image = decode(encoded(quarters(), format))
        assert image.mode == "RGB"
        assert image.size == (32, 32)
        assert corners(image) == [RED, GREEN, BLUE, WHITE]

    @pytest.mark.parametrize("format", ["ICO", "PPM", "TGA", "ICNS", "PCX", "PDF", "DDS"])
    def test_reads_no_other(self, format: str) -> None:
        """What Pillow could read beyond the supported formats is no picture here."""
        assert reason_for(encoded(quarters(), format)) is Reason.NOT_AN_IMAGE

    @pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF", "MPO"])
    def test_takes_the_first_frame(self, format: str) -> None:
        """Of an animation or a file of several pictures the first is taken."""
        frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, GREEN, BLUE)]
        data = encoded(frames[0], format, save_all=True, append_images=frames[1:])
        assert corners(decode(data)) == [RED] * 4


class TestModes:
    @pytest.mark.parametrize("format", ["PNG", "TIFF"])
    @pytest.mark.parametrize(("stored", "expected"), [(0, 0), (257, 1), (32896, 128), (65535, 255)])
    def test_scales_sixteen_bits(self, format: str, stored: int, expected: int) -> None:
        """Grey of 16 bits is scaled to 8, not clipped at 255."""
        grey = Image.fromarray(np.full((4, 4), stored, dtype=np.uint16))
        assert pixel(decode(encoded(grey, format)), 1, 1) == (expected,) * 3

    def test_scales_floats_to_their_range(self) -> None:
        """Grey of floating point, whose range a file doesn't say, is spread over its own."""
        values = np.array([[-1.0, 0.0], [1.0, np.nan]], dtype=np.float32)
        image = decode(encoded(Image.fromarray(values), "TIFF"))
        assert [pixel(image, x, y)[0] for y in (0, 1) for x in (0, 1)] == [0, 128, 255, 128]

    @pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "LAB"])
    def test_converts_opaque_modes(self, mode: str) -> None:
        """White stays white whatever the colours are stored as."""
        white = Image.new("RGB", (8, 8), WHITE)
        assert min(pixel(decode(encoded(_in_mode(white, mode), "TIFF")), 4, 4)) >= 254

    def test_reads_cmyk_jpeg(self) -> None:
        """A JPEG in the printer's colours is not inverted."""
        assert corners(decode(encoded(quarters().convert("CMYK"), "JPEG")))[3] == WHITE

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB"])
    def test_puts_what_is_transparent_on_white(self, mode: str) -> None:
        """Black that nobody can see, by an alpha channel or a transparent colour, becomes white."""
        black = Image.new(mode, (8, 8), {"RGBA": (0, 0, 0, 0), "LA": (0, 0), "RGB": (0, 0, 0)}.get(mode, 0))
        settings: dict[str, dict[str, object]] = {
            "P": {"transparency": 0},
            "L": {"transparency": 0},
            "RGB": {"transparency": (0, 0, 0)},
        }
        assert decode(encoded(black, "PNG", **settings.get(mode, {}))).getpixel((4, 4)) == WHITE

    def test_mixes_what_is_half_transparent(self) -> None:
        """Half a black over white is grey."""
        image = decode(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG"))
        assert pixel(image, 1, 1) == (127, 127, 127)

    @pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK", "I", "F", "I;16", "La", "RGBa", "HSV"])
    def test_converts_images_of_a_program(self, mode: str) -> None:
        """An image that was never a file becomes RGB from any mode."""
        assert to_rgb(Image.new(mode, (3, 5))).mode == "RGB"


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode != "LAB":
        return image.convert(mode)
    return Image.merge("LAB", [Image.new("L", image.size, value) for value in (255, 128, 128)])


class TestOrientation:
    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_turns_upright(self, format: str, orientation: int) -> None:
        """Whichever of the eight ways a camera was held, the picture comes out upright."""
        stored = quarters().resize((32, 16), Image.Resampling.NEAREST)
        undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what a viewer would have to undo
        if orientation in undo:
            stored = stored.transpose(Image.Transpose(undo[orientation]))
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = decode(encoded(stored, format, exif=exif.tobytes()))
        assert image.size == (32, 16)
        assert corners(image) == [RED, GREEN, BLUE, WHITE]

    def test_damaged_exif_costs_nothing(self) -> None:
        """Metadata that can't be read warns nobody and leaves the picture as it is."""
        data = encoded(quarters(), "JPEG", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff\x12\x01")
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            assert corners(decode(data)) == [RED, GREEN, BLUE, WHITE]
        assert seen == []


class TestRefusals:
    @pytest.mark.parametrize(
        "data",
        [b"", b"\x00", b"<html><body>Please log in", b"BMW is no bitmap", b"%PDF-1.7", b"GIF", b"\xff\xd8"],
    )
    def test_what_is_no_picture(self, data: bytes) -> None:
        """Nothing, a web page and other files are told apart from damaged pictures."""
        assert reason_for(data) is Reason.NOT_AN_IMAGE

    @pytest.mark.parametrize("format", FORMATS)
    @pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
    def test_a_picture_cut_short(self, format: str, share: float) -> None:
        """A picture that ends too early is damaged, never half grey."""
        noise = Image.frombytes("RGB", (64, 64), random.Random(1).randbytes(64 * 64 * 3))
        data = encoded(noise, format)
        assert reason_for(data[: int(len(data) * share)]) is Reason.TRUNCATED

    def test_too_many_pixels(self) -> None:
        """A size above the cap is refused by the header alone, without a warning."""
        before = time.monotonic()
        assert reason_for(png_header(60_000, 60_000)) is Reason.TOO_LARGE
        assert time.monotonic() - before < 1

    def test_the_cap_is_the_callers(self) -> None:
        """As many pixels as the cap pass, and one more does not."""
        data = encoded(Image.new("RGB", (10, 10)), "PNG")
        assert decode(data, max_pixels=100).size == (10, 10)
        assert reason_for(data, max_pixels=99) is Reason.TOO_LARGE

    def test_a_broken_image_of_a_program(self) -> None:
        """An image whose file turns out to be cut short is refused by the same error."""
        data = encoded(quarters(256), "JPEG")
        with pytest.raises(DecodeError) as caught:
            to_rgb(Image.open(io.BytesIO(data[: len(data) // 2])))
        assert caught.value.reason is Reason.TRUNCATED


class TestSurroundings:
    def test_leaves_pillow_and_warnings_as_they_were(self) -> None:
        """Neither Pillow's settings nor the process's warning filters differ afterwards, from any thread."""
        before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
        pictures = [encoded(quarters(), format) for format in FORMATS] * 20
        with ThreadPoolExecutor(8) as pool:
            assert all(image.mode == "RGB" for image in pool.map(decode, pictures))
        after = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
        assert after == before

    def test_reads_in_parallel(self) -> None:
        """One thread may begin a picture while another is in the middle of one."""
        inside, release = threading.Event(), threading.Event()

        class Slow(Image.Image):
            def load(self) -> None:
                inside.set()
                assert release.wait(10)
                raise OSError("cut short")

        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(to_rgb, Slow())
            assert inside.wait(10)
            assert decode(encoded(quarters(), "PNG")).size == (32, 32)
            release.set()
            assert isinstance(slow.exception(), DecodeError)


def flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 6)):
        data[rng.randrange(len(data))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))


def cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def splice(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    data[at : at + rng.randrange(40)] = rng.randbytes(rng.randrange(40))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("mutate", [flip, cut, splice])
def test_hostile_bytes_give_a_picture_or_a_reason(
    format: str, mutate: Callable[[bytearray, random.Random], None], capfd: pytest.CaptureFixture[str]
) -> None:
    """Hundreds of damaged pictures of each format each give an RGB picture or a `DecodeError`, silently."""
    rng = random.Random(f"{format} {mutate.__name__}")
    exif = Image.Exif()
    exif[0x0112] = 6
    settings = {} if format in ("GIF", "BMP") else {"exif": exif.tobytes()}
    modes = {"PNG": ("RGB", "P", "LA", "I;16"), "TIFF": ("RGB", "CMYK", "F"), "GIF": ("P",)}
    originals = [
        encoded(
            quarters(12).convert(mode) if mode != "I;16" else Image.new(mode, (12, 12)), format, **settings
        )
        for mode in modes.get(format, ("RGB",))
    ]
    outcomes = set()
    for _ in range(250):
        data = bytearray(rng.choice(originals))
        mutate(data, rng)
        try:
            outcomes.add(decode(bytes(data), max_pixels=1_000_000).mode)
        except DecodeError as error:
            outcomes.add(error.reason.value)
    assert outcomes <= {"RGB", "not_an_image", "truncated", "too_large"}
    assert "truncated" in outcomes
    assert capfd.readouterr() == ("", "")
