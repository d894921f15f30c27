"""Frame sizes of an AV1 stream, read from its sequence headers (AV1 specification, 5.3 to 5.5).

bytes ─► OBUs ─► sequence headers ─► the largest allowed frame, in pixels
"""

from __future__ import annotations

from collections.abc import Iterator

MAX_OBUS = 256
"""An image has a handful. A stream of more counts as unbounded."""

UNBOUNDED = 1 << 62

MAX_HEADER_BYTES = 512
"""Up to the frame size, with 32 operating points."""

_SEQUENCE_HEADER = 1


def frame_pixels(data: bytes) -> int:
    """Pixels of the largest frame that the stream may have; 0 without a sequence header."""
    pixels = 0
    for count, (kind, begin, end) in enumerate(_units(data)):
        if count == MAX_OBUS:
            return UNBOUNDED
        if kind == _SEQUENCE_HEADER:
            header = data[begin : min(end, begin + MAX_HEADER_BYTES)]
            pixels = max(pixels, _read_frame_size(_Bits(header)))
    return pixels


def _units(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each OBU as (type, begin, end of its content)."""
    offset = 0
    while offset < len(data):
        head = data[offset]
        offset += 2 if head & 4 else 1
        size = len(data) - offset
        if head & 2:
            size, offset = _read_leb128(data, offset)
        yield head >> 3 & 15, offset, offset + size
        offset += size


def _read_leb128(data: bytes, offset: int) -> tuple[int, int]:
    """Read a number of up to eight bytes: (value, end)."""
    value = 0
    for index in range(8):
        byte = data[offset + index] if offset + index < len(data) else 0
        value |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            return value, offset + index + 1
    return value, offset + 8


class _Bits:
    """Reads integers of any number of bits in sequence; zeros behind the end."""

    def __init__(self, data: bytes) -> None:
        self._left = len(data) * 8
        self._value = int.from_bytes(data, "big")

    def read(self, bits: int) -> int:
        self._left -= bits
        shifted = self._value >> self._left if self._left >= 0 else self._value << -self._left
        return shifted & (1 << bits) - 1


def _read_frame_size(bits: _Bits) -> int:
    bits.read(4)  # profile, still picture
    if bits.read(1):  # a reduced header
        bits.read(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    return (bits.read(width_bits) + 1) * (bits.read(height_bits) + 1)


def _skip_operating_points(bits: _Bits) -> None:
    delay = 0
    if bits.read(1):  # timing
        bits.read(64)
        if bits.read(1):
            zeros = 0
            while zeros < 32 and not bits.read(1):
                zeros += 1
            bits.read(zeros if zeros < 32 else 0)
        if bits.read(1):  # decoder model info
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
