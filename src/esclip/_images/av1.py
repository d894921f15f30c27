"""How large the frames of an AV1 stream are, by its sequence headers (AV1 specification, 5.3 to 5.5).

bytes ─► OBUs ─► those that begin a sequence ─► the most pixels that one allows a frame
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["MAX_OBUS", "frame_pixels"]

MAX_OBUS = 256
"""Units that are looked at: a picture has a handful. In more, anything may be hidden."""

UNBOUNDED = 1 << 62

MAX_HEADER_BYTES = 512
"""Bytes of a sequence header up to the size, with 32 operating points."""

_SEQUENCE_HEADER = 1


def frame_pixels(data: bytes) -> int:
    """The most pixels that a frame in the stream may have; 0 where no header says it."""
    pixels = 0
    for number, (kind, begin, end) in enumerate(_units(data)):
        if number == MAX_OBUS:
            return UNBOUNDED
        if kind == _SEQUENCE_HEADER:
            header = data[begin : min(end, begin + MAX_HEADER_BYTES)]
            pixels = max(pixels, _largest_frame(_Bits(header)))
    return pixels


def _units(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each unit's kind, and where its content is."""
    at = 0
    while at < len(data):
        head = data[at]
        at += 2 if head & 4 else 1
        size = len(data) - at
        if head & 2:
            size, at = _leb128(data, at)
        yield head >> 3 & 15, at, at + size
        at += size


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """A number of up to eight bytes, and where it ends."""
    value = 0
    for place in range(8):
        byte = data[at + place] if at + place < len(data) else 0
        value |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return value, at + place + 1
    return value, at + 8


class _Bits:
    """Numbers of any number of bits, one after the other; zeros behind the end."""

    def __init__(self, data: bytes) -> None:
        self._left = len(data) * 8
        self._value = int.from_bytes(data, "big")

    def read(self, bits: int) -> int:
        self._left -= bits
        shifted = self._value >> self._left if self._left >= 0 else self._value << -self._left
        return shifted & (1 << bits) - 1


def _largest_frame(bits: _Bits) -> int:
    bits.read(4)  # profile, still picture
    if bits.read(1):  # a reduced header
        bits.read(5)
    else:
        _pass_operating_points(bits)
    wide, high = bits.read(4) + 1, bits.read(4) + 1
    return (bits.read(wide) + 1) * (bits.read(high) + 1)


def _pass_operating_points(bits: _Bits) -> None:
    delay = 0
    if bits.read(1):  # timing
        bits.read(64)
        if bits.read(1):
            zeros = 0
            while zeros < 32 and not bits.read(1):
                zeros += 1
            bits.read(zeros if zeros < 32 else 0)
        if bits.read(1):  # a decoder's model
            delay = bits.read(5) + 1
            bits.read(42)
    display = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delay and bits.read(1):
            bits.read(2 * delay + 1)
        if display and bits.read(1):
            bits.read(4)
