"""The promises of stores, encoders and sources as test classes, for those that others write. Needs pytest.

from esclip.testing import StoreContract

class TestMyStore(StoreContract):    # the fixture and the methods to write: see `StoreCase`
    ...
"""

from __future__ import annotations

from pkgutil import iter_modules

import pytest

pytest.register_assert_rewrite(*(module.name for module in iter_modules(__path__, f"{__name__}.")))

from esclip.testing.encoder import EncoderContract, RecordingEncoder  # noqa: E402  # they are rewritten now
from esclip.testing.source import SourceContract  # noqa: E402
from esclip.testing.store import StoreContract  # noqa: E402

__all__ = ["EncoderContract", "RecordingEncoder", "SourceContract", "StoreContract"]
