"""What answers at an encoder's address may be anything: an answer of any shape is used, or is one error."""

from __future__ import annotations

import json
from random import Random

import pytest

from esclip import EncoderError
from esclip.encoders.palette import PaletteEncoder
from esclip.encoders.remote.encoder import RemoteEncoder
from esclip.encoders.remote.protocol import EncoderInfo
from tests.fuzzing import fuzz_tries
from tests.odd_answers import variants
from tests.servers import PictureServer, body

PALETTE = PaletteEncoder()
ABOUT = EncoderInfo(PALETTE.space, PALETTE.preprocess, "palette", 1 << 20).to_json()
TRIED = fuzz_tries(80)


def test_odd_descriptions_are_errors_of_ours() -> None:
    """Types exchanged, keys missing, huge numbers: a server that is described oddly is refused, or works."""
    odd = list(variants(json.loads(json.dumps(ABOUT))))
    with PictureServer({}) as server:
        for answer in Random(1).sample(odd, min(len(odd), TRIED)):
            server.routes["/v1/encoder"] = body(json.dumps(answer).encode(), Content_Type="application/json")
            try:
                encoder = RemoteEncoder(server.url(""), timeout=0.5, backoff=0.01)
            except EncoderError:
                continue
            assert isinstance(encoder.space.model, str), answer
            assert 0 < encoder.logit_scale < 1e6, answer
            assert isinstance(encoder.runtime, str), answer


@pytest.mark.parametrize("said", [b"[" * 100_000, b"[]", b"null", b'"x"', b"\xff", b"{", b"1e999", b""])
def test_bodies_that_are_no_descriptions(said: bytes) -> None:
    """JSON that is nested without end, of another kind, or none, is told as no encoder server's."""
    odd = PictureServer({"/v1/encoder": body(said, Content_Type="application/json")})
    with odd as server, pytest.raises(EncoderError, match="no esclip encoder server"):
        RemoteEncoder(server.url(""), timeout=0.5, backoff=0.01)
