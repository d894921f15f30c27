"""ClipEncoder on models with random weights: it has to agree with sentence-transformers to the last digit."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from esclip import LabelSet, classify
from esclip._core.null_queries import NULL_TEXTS
from esclip._errors import ConfigError, EncoderError
from esclip._protocols import Encoder
from esclip._server.encoder_app import open_server
from esclip.encoders import load_encoder
from esclip.encoders.checkpoints.folder import ModelFolder
from esclip.encoders.clip import ClipEncoder
from esclip.encoders.runtimes import export
from esclip.testing.encoder import EncoderContract, sample_images
from scripts.make_models import make_clip, make_text_tower
from tests.models import Models, tiny_models
from tests.runtimes import RUNTIMES, TORCH

__all__ = ["tiny_models"]

pytestmark = pytest.mark.model


class TestClipEncoder(EncoderContract):
    """As it runs by default."""

    @pytest.fixture
    def encoder(self, tiny_models: Models) -> Encoder:
        return load_encoder(str(tiny_models.clip), str(tiny_models.texts), device="cpu")

    @pytest.fixture
    def again(self, tiny_models: Models) -> Encoder:
        return load_encoder(str(tiny_models.clip), str(tiny_models.texts), device="cpu")


class TestClipEncoderAlone(EncoderContract):
    """A model that reads texts itself."""

    @pytest.fixture
    def encoder(self, tiny_models: Models) -> Encoder:
        return load_encoder(str(tiny_models.clip), device="cpu")

    @pytest.fixture
    def again(self, tiny_models: Models) -> Encoder:
        return load_encoder(str(tiny_models.clip), device="cpu")


class TestTorch(EncoderContract):
    """On a device of torch's, as on a GPU."""

    @pytest.fixture
    def encoder(self, tiny_models: Models) -> Encoder:
        return load_encoder(str(tiny_models.clip), str(tiny_models.texts), device=TORCH)

    @pytest.fixture
    def again(self, tiny_models: Models) -> Encoder:
        return load_encoder(str(tiny_models.clip), str(tiny_models.texts), device=TORCH)


@pytest.mark.parametrize(("device", "precision", "likeness"), RUNTIMES)
def test_images_agree_with_sentence_transformers(
    tiny_models: Models, device: str, precision: str | None, likeness: float
) -> None:
    """A picture's vector is sentence-transformers' on every runtime, whatever the picture's shape."""
    pictures = [*sample_images(), Image.new("RGB", (640, 48), "teal"), Image.new("RGB", (5, 5), "white")]
    encoder = load_encoder(str(tiny_models.clip), device=device, precision=precision)
    vectors = encoder.encode_images([encoder.preprocess(picture) for picture in pictures])
    assert np.sum(vectors * _reference(tiny_models.clip, pictures), axis=1).min() >= likeness
    assert (precision or "torch") in encoder.runtime


def test_the_softmax_is_the_models(tiny_models: Models, tmp_path: Path) -> None:
    """The probabilities of labels are those that transformers' CLIPModel gives, with its own scale."""
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import CLIPModel, CLIPProcessor

    folder = Path(shutil.copytree(tiny_models.clip, tmp_path / "model"))
    weights = folder / "0_CLIPModel" / "model.safetensors"
    save_file(load_file(weights) | {"logit_scale": torch.tensor(3.0)}, weights, {"format": "pt"})
    texts, pictures = ["a red car", "two dogs", "snow"], sample_images()
    processor = CLIPProcessor.from_pretrained(weights.parent, use_fast=False)
    inputs = processor(text=texts, images=pictures, return_tensors="pt", padding=True)
    with torch.no_grad():
        logits = CLIPModel.from_pretrained(weights.parent).eval()(**inputs).logits_per_image
    encoder = load_encoder(str(folder), device=TORCH)
    assert encoder.logit_scale == pytest.approx(np.exp(3))
    found = classify(*pictures, labels=LabelSet(texts, ["{}"]), encoder=encoder)
    for guesses, wanted in zip(found, logits.softmax(dim=1).tolist(), strict=True):
        # pixels are resized with SIMD: single levels differ, which so small a model feels
        assert [dict(guesses)[text] for text in texts] == pytest.approx(wanted, abs=5e-3)


def test_weights_without_a_scale(tiny_models: Models) -> None:
    """A text tower alone has none; it is then the one that CLIP's training ends at."""
    assert ModelFolder("texts", tiny_models.texts).logit_scale == 100


@pytest.mark.parametrize(("device", "precision", "likeness"), RUNTIMES)
@pytest.mark.parametrize("tower", ["texts", "clip"])
def test_texts_agree_with_sentence_transformers(
    tiny_models: Models, tower: str, device: str, precision: str | None, likeness: float
) -> None:
    """A text's vector is sentence-transformers' on every runtime, scaled to unit length."""
    folder: Path = getattr(tiny_models, tower)
    texts = ["two dogs playing in the snow", "ein Hund", "雪の中の犬", "", "a " * 400]
    encoder = load_encoder(str(tiny_models.clip), str(folder), device=device, precision=precision)
    vectors = encoder.encode_texts(texts)
    assert np.sum(vectors * _reference(folder, texts), axis=1).min() >= likeness


@pytest.mark.parametrize(("required", "is_used"), [(0.5, True), (0.99999, False)])
def test_int8_is_used_where_it_is_like_enough(
    tiny_models: Models,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    required: float,
    is_used: bool,
) -> None:
    """Towers of 8 bits are made on request; one that is too far off is refused, and a finer one used."""
    monkeypatch.setitem(export.MIN_COSINE, "int8", required)  # how far they are is the processor's
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    encoder = load_encoder(str(tiny_models.clip), str(tiny_models.texts), device="cpu", precision="int8")
    texts = ["two small dogs in the snow", "a red car at sunset", "ein Haus am See"]
    with caplog.at_level(logging.INFO):
        vectors = encoder.encode_texts(texts)
        assert ("int8" in encoder.runtime) == is_used
    agreement = np.sum(vectors * _reference(tiny_models.texts, texts), axis=1).min()
    assert agreement >= (required if is_used else 0.99)
    assert ("texts by OpenVINO int8 on cpu" in caplog.text) == is_used
    assert ("texts in int8 refused" in caplog.text) != is_used
    assert ("pictures in int8 refused" in caplog.text) != is_used


def test_a_second_process_needs_no_torch(tiny_models: Models) -> None:
    """Once the towers are exported, texts and pictures are encoded without torch or transformers."""
    code = (
        "import sys; from PIL import Image; from esclip.encoders import load_encoder\n"
        f"e = load_encoder({str(tiny_models.clip)!r}, {str(tiny_models.texts)!r}, device='cpu')\n"
        "e.space, e.encode_texts(['a dog']), e.encode_images([e.preprocess(Image.new('RGB', (9, 9)))])\n"
        "print({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules))"
    )
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_exports_are_made_once(tiny_models: Models, tmp_path: Path) -> None:
    """A tower is exported into the cache once, whole; a damaged one is made again."""

    def encode() -> dict[Path, int]:
        ClipEncoder(str(tiny_models.clip), device="cpu", cache=tmp_path).encode_texts(["a dog"])
        return {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}

    first = encode()
    compiled, *kept = sorted((path.name for path in first), key=lambda name: not name.endswith(".blob"))
    assert kept == ["tokenizer.json", "tower.bin", "tower.json", "tower.xml"]
    assert compiled.endswith(".blob")
    assert encode() == first
    weights = next(path for path in first if path.name == "tower.bin")
    weights.write_bytes(weights.read_bytes()[:-100])
    assert encode().keys() >= {path for path in first if path.suffix != ".blob"}
    assert weights.stat().st_size > 100


def test_null_queries_are_encoded_once(
    tiny_models: Models, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Their vectors are kept beside the text tower, which is then not loaded for them; others' aren't."""

    def encode(texts: Sequence[str] = NULL_TEXTS) -> npt.NDArray[np.float32]:
        caplog.clear()
        with caplog.at_level(logging.INFO):
            return ClipEncoder(str(tiny_models.clip), device="cpu", cache=tmp_path).encode_texts(texts)

    encode(["a dog"])  # which makes the export
    first = encode()
    assert "texts by OpenVINO" in caplog.text
    np.testing.assert_array_equal(encode(), first)
    assert "texts by OpenVINO" not in caplog.text
    encode(NULL_TEXTS[:1])
    assert "texts by OpenVINO" in caplog.text
    (kept,) = tmp_path.rglob("null-queries-*")
    for damage in (b"", b"\x00" * kept.stat().st_size, kept.read_bytes() + b"\x00"):
        kept.write_bytes(damage)
        np.testing.assert_allclose(encode(), first, atol=1e-6)
        assert "texts by OpenVINO" in caplog.text


def test_a_damaged_compiled_tower_is_compiled_again(tiny_models: Models, tmp_path: Path) -> None:
    """What is kept compiled only saves time: cut short or overwritten, it costs no search its answer."""
    for damage in (lambda data: data[:-2000], lambda data: b"\x00" * len(data), lambda data: b""):
        encoder = ClipEncoder(str(tiny_models.clip), device="cpu", cache=tmp_path)
        expected = encoder.encode_texts(["a dog"])
        (kept,) = tmp_path.rglob("*.blob")
        kept.chmod(0o600)
        kept.write_bytes(damage(kept.read_bytes()))
        again = ClipEncoder(str(tiny_models.clip), device="cpu", cache=tmp_path)
        np.testing.assert_allclose(again.encode_texts(["a dog"]), expected, atol=1e-6)


def test_many_first_searches_at_once(tiny_models: Models, tmp_path: Path) -> None:
    """Processes that find an export and nothing compiled get the same vector; one is kept."""
    code = (
        "from pathlib import Path; from esclip.encoders.clip import ClipEncoder\n"
        f"e = ClipEncoder({str(tiny_models.clip)!r}, device='cpu', cache=Path({str(tmp_path)!r}))\n"
        "print(e.encode_texts(['a dog']).tolist())"
    )
    expected = ClipEncoder(str(tiny_models.clip), device="cpu", cache=tmp_path).encode_texts(["a dog"])
    (compiled,) = tmp_path.glob("*/compiled")
    shutil.rmtree(compiled)
    command = [sys.executable, "-c", code]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * 4
    np.testing.assert_allclose([json.loads(answer) for answer in answers], [expected] * 4, atol=1e-6)
    (blob,) = compiled.iterdir()
    assert blob.suffix == ".blob"


@pytest.mark.parametrize("name", ["tower.bin", "tower.xml", "tokenizer.json", "*.blob"])
def test_a_changed_export_is_not_used(tiny_models: Models, tmp_path: Path, name: str) -> None:
    """A file of an exported tower that was changed at equal size, and dated back, is made anew."""
    expected = ClipEncoder(str(tiny_models.clip), device="cpu", cache=tmp_path).encode_texts(["a dog"])
    (changed,) = tmp_path.rglob(name)
    data, before = changed.read_bytes(), changed.stat()
    changed.chmod(0o600)
    at = data.rindex(b"1") if changed.suffix in (".json", ".xml") else len(data) // 2
    evil = data[:at] + bytes(byte ^ 1 for byte in data[at : at + 64]) + data[at + 64 :]
    changed.write_bytes(evil)
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))
    again = ClipEncoder(str(tiny_models.clip), device="cpu", cache=tmp_path)
    np.testing.assert_allclose(again.encode_texts(["a dog"]), expected, atol=1e-6)
    (mended,) = tmp_path.rglob(name)
    assert mended.stat().st_size > 0
    assert mended.read_bytes() != evil


def test_two_processes_may_export_at_once(tiny_models: Models, tmp_path: Path) -> None:
    """Both get their vectors, the export is whole, and nothing else is left beside it."""
    code = (
        "from pathlib import Path; from esclip.encoders.clip import ClipEncoder\n"
        f"e = ClipEncoder({str(tiny_models.clip)!r}, device='cpu', cache=Path({str(tmp_path)!r}))\n"
        "print(e.encode_texts(['a dog']).shape)"
    )
    command = [sys.executable, "-c", code]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0] for process in running] == ["(1, 64)\n"] * 2
    assert [len(list(folder.iterdir())) for folder in tmp_path.iterdir()] == [5]


def test_without_openvino_torch_is_used(tiny_models: Models) -> None:
    """Where OpenVINO has no package for the machine, both towers run on torch."""
    code = (
        "import sys; sys.modules['openvino'] = None\n"
        "from esclip.encoders import load_encoder\n"
        f"e = load_encoder({str(tiny_models.clip)!r}, {str(tiny_models.texts)!r}, device='cpu')\n"
        "print(e.runtime, e.encode_texts(['a dog']).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "torch float32 on cpu (1, 64)\n"


def test_an_export_that_differs_is_refused(
    tiny_models: Models, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where sentence-transformers does more than was exported, torch is used, with a warning.

    A default prompt stands before every text that sentence-transformers encodes.
    """
    prompted = Path(shutil.copytree(tiny_models.texts, tmp_path / "prompted"))
    prompts = {"prompts": {"query": "a photo of the sea, the sea: "}, "default_prompt_name": "query"}
    (prompted / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    expected = _reference(prompted, ["a red car"])
    for attempt in range(2):
        caplog.clear()
        encoder = ClipEncoder(str(tiny_models.clip), str(prompted), device="cpu", cache=tmp_path / "cache")
        with caplog.at_level(logging.WARNING):
            np.testing.assert_allclose(encoder.encode_texts(["a red car"]), expected, atol=1e-6)
        refused = [message for message in caplog.messages if "refused" in message]
        assert bool(refused) == (attempt == 0)
        assert "torch, which is slower" in caplog.messages[-1]


def test_a_cache_that_cannot_be_written_costs_time_only(
    tiny_models: Models, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a place for exports torch is used, and a warning says why."""
    (tmp_path / "file").write_text("")
    encoder = ClipEncoder(str(tiny_models.clip), device="cpu", cache=tmp_path / "file" / "cache")
    with caplog.at_level(logging.WARNING):
        assert encoder.encode_texts(["a dog"]).shape == (1, 64)
    assert "Not a directory" in caplog.text
    assert "torch, which is slower" in caplog.messages[-1]


@pytest.mark.parametrize(
    ("device", "precision", "says"),
    [(None, "f16", "choose one of f32, bf16, int8"), ("cuda", "int8", "is for the CPU")],
)
def test_a_precision_that_does_not_fit_is_refused(
    tiny_models: Models, device: str | None, precision: str, says: str
) -> None:
    """What a machine can't do, or nothing can, is an error that says what to choose."""
    with pytest.raises(ConfigError, match=says):
        _use(load_encoder(str(tiny_models.clip), device=device, precision=precision))


def test_a_long_text_is_cut_with_a_warning(tiny_models: Models, caplog: pytest.LogCaptureFixture) -> None:
    """A text over the model's limit is encoded as far as it fits, and the log says so once of all; others say
    nothing.
    """
    encoder = load_encoder(str(tiny_models.clip), str(tiny_models.texts), device="cpu")
    encoder.encode_texts(["a cat"])  # a tower may be prepared, which is logged
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        encoder.encode_texts(["a dog"])
        assert caplog.messages == []
        encoder.encode_texts(["dog " * 300])
        encoder.encode_texts(["a dog", "dog " * 200, "cat " * 300, "bird " * 300])
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "text of 302 tokens cut to the model's 128",
        "text of 202 tokens cut to the model's 128",
    ]
    assert caplog.messages[1].endswith("and 2 others")


def test_loading_is_silent(tiny_models: Models, capfd: pytest.CaptureFixture[str]) -> None:
    """Loading and using both towers shows nothing, and leaves other libraries' log levels as they were."""
    loggers = [
        logging.getLogger(name) for name in ("transformers", "sentence_transformers", "huggingface_hub")
    ]
    before = [logger.level for logger in loggers]
    encoder = load_encoder(str(tiny_models.clip), str(tiny_models.texts), device="cpu")
    _use(encoder)
    encoder.encode_texts(["a dog"])
    assert capfd.readouterr() == ("", "")
    assert [logger.level for logger in loggers] == before


def test_a_lone_surrogate_is_text(tiny_models: Models) -> None:
    """A character that is no valid Unicode, as a shell can pass it, doesn't fail the search."""
    encoder = load_encoder(str(tiny_models.clip), str(tiny_models.texts), device="cpu")
    assert np.isfinite(encoder.encode_texts(["dog \udce4"])).all()


def test_a_text_needs_no_image_tower(tiny_models: Models, tmp_path: Path) -> None:
    """Texts are encoded, and the space known, while the picture tower's weights can't even be loaded."""
    broken = Path(shutil.copytree(tiny_models.clip, tmp_path / "clip"))
    (broken / "0_CLIPModel" / "model.safetensors").write_bytes(b"not weights")
    encoder = load_encoder(str(broken), str(tiny_models.texts), device="cpu")
    assert encoder.space.dim == 64
    assert encoder.preprocess(sample_images(1)[0]).shape == (224, 224, 3)
    assert encoder.encode_texts(["a dog"]).shape == (1, 64)


def test_the_space_is_the_weights_not_the_place(tiny_models: Models, tmp_path: Path) -> None:
    """A copy in another folder has the same space; other weights and other preprocessing have another."""
    copy = Path(shutil.copytree(tiny_models.clip, tmp_path / "copy"))
    other = make_clip(tmp_path / "other", seed=1)
    cropped = Path(shutil.copytree(tiny_models.clip, tmp_path / "cropped"))
    config = cropped / "0_CLIPModel" / "preprocessor_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"do_center_crop": False}))
    space = load_encoder(str(tiny_models.clip)).space
    assert load_encoder(str(copy)).space.same_as(space)
    assert not load_encoder(str(other)).space.same_as(space)
    assert not load_encoder(str(cropped)).space.same_as(space)


def test_the_space_names_both_towers(tiny_models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is named by its absolute path, from whichever working directory it was given."""
    monkeypatch.chdir(tiny_models.clip.parent)
    space = load_encoder(f"./{tiny_models.clip.name}", f"./{tiny_models.texts.name}").space
    assert (space.model, space.text_model) == (str(tiny_models.clip), str(tiny_models.texts))
    alone = load_encoder(f"./{tiny_models.clip.name}").space
    assert (alone.model, alone.text_model) == (str(tiny_models.clip), str(tiny_models.clip))


def test_towers_of_different_dimensions_are_refused(tiny_models: Models, tmp_path: Path) -> None:
    """A text tower of another dimension is an error that names both, before anything is loaded."""
    texts = make_text_tower(tmp_path / "texts", dim=48)
    with pytest.raises(EncoderError, match=r"48 dimensions.* of 64;"):
        load_encoder(str(tiny_models.clip), str(texts))


def _no_modules(model: Path) -> None:
    (model / "modules.json").unlink()


def _damaged_modules(model: Path) -> None:
    (model / "modules.json").write_text("[{")


def _odd_modules(model: Path) -> None:
    (model / "modules.json").write_text('[{"idx": 0}]')


def _no_modules_at_all(model: Path) -> None:
    (model / "modules.json").write_text("[]")


def _no_weights(model: Path) -> None:
    (model / "0_CLIPModel" / "model.safetensors").unlink()


def _damaged_weights(model: Path) -> None:
    (model / "0_CLIPModel" / "model.safetensors").write_bytes(b"\x00" * 100)


def _truncated_weights(model: Path) -> None:
    weights = model / "0_CLIPModel" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def _no_tokenizer(model: Path) -> None:
    (model / "0_CLIPModel" / "vocab.json").write_text("{")


def _no_processor(model: Path) -> None:
    (model / "0_CLIPModel" / "preprocessor_config.json").unlink()


@pytest.mark.parametrize(
    "damage",
    [
        _no_modules,
        _damaged_modules,
        _odd_modules,
        _no_modules_at_all,
        _no_weights,
        _damaged_weights,
        _truncated_weights,
        _no_tokenizer,
        _no_processor,
    ],
)
def test_a_broken_folder_is_an_error_of_one_line(
    tiny_models: Models, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """Whatever is wrong with a model folder, it is an EncoderError of one line that names the folder."""
    broken = Path(shutil.copytree(tiny_models.clip, tmp_path / "broken"))
    damage(broken)
    with pytest.raises(EncoderError) as caught:
        _use(load_encoder(str(broken), str(tiny_models.texts), device="cpu"))
    assert str(broken) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bad_device_is_an_error(tiny_models: Models) -> None:
    """A device that isn't there is an EncoderError that names it."""
    with pytest.raises(EncoderError, match="on warp"):
        _use(load_encoder(str(tiny_models.clip), device="warp"))


def _use(encoder: Encoder) -> None:
    """Make the encoder load and use its picture tower."""
    assert encoder.space.dim
    encoder.encode_images([encoder.preprocess(sample_images(1)[0])])


def _reference(folder: Path, inputs: list[Image.Image] | list[str]) -> npt.NDArray[np.float32]:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    vectors: npt.NDArray[np.float32] = model.encode(
        inputs, normalize_embeddings=True, show_progress_bar=False
    )
    return vectors


def test_a_model_can_be_served(tiny_models: Models) -> None:
    """A client of a server that has the model gets the vectors that it would make itself."""
    local = load_encoder(str(tiny_models.clip), str(tiny_models.texts), device="cpu")
    server = open_server(local, host="127.0.0.1", port=0, token=None, batch_size=8, max_body=1 << 24)
    with server, ThreadPoolExecutor(1) as pool:
        running = pool.submit(server.run)
        try:
            remote = load_encoder(server.address)
            pixels = [remote.preprocess(picture) for picture in sample_images()]
            assert remote.space == local.space
            assert remote.runtime.startswith(local.runtime)
            np.testing.assert_allclose(remote.encode_images(pixels), local.encode_images(pixels), atol=1e-5)
            np.testing.assert_allclose(
                remote.encode_texts(["a dog"]), local.encode_texts(["a dog"]), atol=1e-5
            )
        finally:
            server.stop()
            running.result()
