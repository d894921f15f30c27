"""What tests run models on, and how like sentence-transformers' vectors those of each runtime are."""

from __future__ import annotations

import pytest

from esclip.encoders.runtimes.openvino import has_bf16

__all__ = ["RUNTIMES", "TORCH"]

TORCH = "cpu:0"
"""Torch's own name for the CPU, where `cpu` alone means OpenVINO."""

RUNTIMES = [
    pytest.param("cpu", "f32", 0.9999, id="f32"),
    pytest.param(
        "cpu", "bf16", 0.998, id="bf16", marks=pytest.mark.skipif(not has_bf16(), reason="no bf16 here")
    ),
    pytest.param(TORCH, None, 0.99999, id="torch"),
]
"""Device, precision, least cosine. Wider for bf16 than an export's: the texts and pictures here are odder."""
