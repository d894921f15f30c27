"""What public calls take: what can only be meant in one way, or a `ConfigError` that says what they take."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import esclip
from esclip import (
    ConfigError,
    ImageIndex,
    Query,
    Reason,
    SimilarTo,
    Text,
    VectorQuery,
)
from esclip._ingest.ledger import Ledger
from esclip._ingest.retry import LedgerSource
from esclip.stores.memory import MemoryStore
from esclip.testing.pictures import draw_photos

Given = Any
Call = Callable[[Given], Any]


@pytest.fixture
def its(photos: Path) -> Iterator[Given]:
    """An index of a plain picture of each colour, with what a notebook has at hand."""
    yield from at_hand(photos)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    """The same for all calls that change nothing."""
    yield from at_hand(draw_photos(tmp_path_factory.mktemp("photos") / "photos"))


def at_hand(photos: Path) -> Iterator[Given]:
    """The index and what is in it, until it is closed."""
    index = esclip.open_index(MemoryStore("colors"), encoder="palette")
    index.ingest(photos)
    red, green = (index.search_text(color, 1)[0] for color in ("red", "green"))
    yield SimpleNamespace(
        lib=esclip,
        index=index,
        photos=photos,
        red=red,
        green=green,
        picture=photos / "red.png",
        array=np.full((8, 8, 3), (255, 0, 0), np.uint8),
        vector=index.store.documents([red.id])[red.id].vector,
    )
    index.close()


def best(hits: Any) -> str:
    """The file name of the best hit."""
    return str(hits[0].metadata["file_name"])


def searched_as_a_file(its: Given) -> Any:
    """By an image file that is open."""
    with its.picture.open("rb") as file:
        return its.index.search_image(file)


TAKEN: dict[str, tuple[Call, str]] = {
    "a text": (lambda its: its.index.search("red"), "red.png"),
    "NumPy's text": (lambda its: its.index.search(np.str_("red")), "red.png"),
    "a part": (lambda its: its.index.search(Text("red")), "red.png"),
    "a hit": (lambda its: its.index.search(its.red), ""),
    "a hit for an id": (lambda its: its.index.similar(its.red), ""),
    "a path": (lambda its: its.index.search(its.picture), "red.png"),
    "a PIL image": (lambda its: its.index.search(Image.new("RGB", (8, 8), "red")), "red.png"),
    "a vector": (lambda its: its.index.search(its.vector), "red.png"),
    "a list as a vector": (lambda its: its.index.search(VectorQuery(its.vector.tolist())), "red.png"),
    "an array as a picture": (lambda its: its.index.search(its.array), "red.png"),
    "parts as they are made of": (lambda its: its.index.search(Query("red", its.picture, k=2)), "red.png"),
    "queries of all kinds": (
        lambda its: its.index.search_many(q for q in ("red", Text("red")))[1],
        "red.png",
    ),
    "texts of a generator": (lambda its: its.index.search_texts(t for t in ["red"])[0], "red.png"),
    "texts of a tuple": (lambda its: its.index.search_texts(("green", "red"))[1], "red.png"),
    "texts of a series": (lambda its: its.index.search_texts(pd.Series(["red"]))[0], "red.png"),
    "texts of an array": (lambda its: its.index.search_texts(np.array(["red"]))[0], "red.png"),
    "an image as an array": (lambda its: its.index.search_image(its.array), "red.png"),
    "an image in grey": (lambda its: its.index.search_image(np.zeros((8, 8), np.uint8)), "black.png"),
    "an image as an open file": (lambda its: searched_as_a_file(its), "red.png"),
    "an image in memory": (
        lambda its: its.index.search_image(io.BytesIO(its.picture.read_bytes())),
        "red.png",
    ),
    "an image as a bytearray": (
        lambda its: its.index.search_image(bytearray(its.picture.read_bytes())),
        "red.png",
    ),
    "NumPy's numbers": (
        lambda its: its.index.search_text("red", np.int64(2), min_score=np.float32(0)),
        "red.png",
    ),
    "where as a tuple": (lambda its: its.index.search_text("red", where=("file_name=red.png",)), "red.png"),
    "targets as a generator": (
        lambda its: its.index.search_text("red", targets=(p for p in ["pictures"])),
        "red.png",
    ),
    "like a hit": (lambda its: its.index.recommend(its.red, its.green), ""),
    "like an id": (lambda its: its.index.recommend(its.red.id, its.green.id), ""),
    "like hits": (lambda its: its.index.recommend(its.index.search_text("red", 2), [its.green]), ""),
    "like ids of a generator": (lambda its: its.index.recommend(h.id for h in [its.red]), ""),
    "a stored picture as a hit": (lambda its: its.index.search(Query(SimilarTo(its.red))), ""),
}


@pytest.mark.parametrize("call", TAKEN.values(), ids=TAKEN.keys())
def test_what_is_taken(lasting: Given, call: tuple[Call, str]) -> None:
    """What users have at hand is taken for what they mean."""
    hits = call[0](lasting)
    assert len(hits) > 0
    assert not call[1] or best(hits) == call[1]
    assert call[1] or lasting.red.id not in [hit.id for hit in hits]


INGESTED: dict[str, Call] = {
    "a list": lambda its: its.index.ingest([its.photos]),
    "several, alone and in lists": lambda its: its.index.ingest(its.picture, [its.photos]),
    "a generator": lambda its: its.index.ingest(its.photos.glob("*.png")),
    "a set of texts": lambda its: its.index.ingest({str(its.photos)}),
    "one host": lambda its: its.index.ingest(its.photos, allow_hosts="localhost"),
    "one reason": lambda its: its.index.retry(reasons="bad_url"),
    "a reason": lambda its: its.index.retry(reasons=Reason.BAD_URL),
    "labels in a generator": lambda its: its.index.ingest(its.photos, labels=(c for c in ("red", "blue"))),
    "parts as one name": lambda its: its.index.ingest(its.photos, parts="captions"),
    "NumPy's numbers": lambda its: its.index.ingest(its.photos, batch_size=np.int64(4), limit=np.int32(2)),
}


@pytest.mark.parametrize("call", INGESTED.values(), ids=INGESTED.keys())
def test_what_an_ingest_takes(its: Given, call: Call) -> None:
    """Paths alone or together, names alone or together."""
    assert call(its).rejected == 0


def test_captions_may_be_a_dictionary(its: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of paths, absolute or from here on, and texts."""
    monkeypatch.chdir(its.photos)
    its.index.ingest(its.photos, captions={"red.png": "a rose", its.photos / "black.png": "a hole"})
    described = {hit.description for hit in its.index.search(Query(where="file_name=red.png,black.png"))}
    assert described == {"a rose", "a hole"}


def test_classify_takes_lists_and_arrays(its: Given, tmp_path: Path) -> None:
    """Pictures alone or in a list, labels of a file."""
    labels = tmp_path / "labels.txt"
    labels.write_text("red\nblue\n", encoding="utf-8")
    encoder = esclip.load_encoder("palette")
    for given in ((its.picture, its.array), ([its.picture, its.array],), (iter([its.picture]), its.array)):
        guesses = esclip.classify(*given, labels=labels, encoder=encoder)
        assert [guess[0].label for guess in guesses] == ["red", "red"]


WRONG: dict[str, tuple[Call, str]] = {
    "search(None)": (lambda its: its.index.search(None), "a text, Text, ImageQuery"),
    "search(5)": (lambda its: its.index.search(5), "a text, Text, ImageQuery"),
    "search([...])": (lambda its: its.index.search(["red"]), "one by one"),
    "search({})": (lambda its: its.index.search({"text": "red"}), "of type dict"),
    "search_many(text)": (lambda its: its.index.search_many("red"), "several queries"),
    "search_many(Query)": (lambda its: its.index.search_many(Query("red")), "several queries"),
    "search_many(None)": (lambda its: its.index.search_many(None), "is None"),
    "search_many([None])": (lambda its: its.index.search_many([None]), "a text, Text, ImageQuery"),
    "search_text(list)": (lambda its: its.index.search_text(["red"]), "search_texts"),
    "search_text(None)": (lambda its: its.index.search_text(None), "one text"),
    "search_text(bytes)": (lambda its: its.index.search_text(b"red"), "of type bytes"),
    "search_text(path)": (lambda its: its.index.search_text(its.picture), "one text"),
    "search_text(where=5)": (lambda its: its.index.search_text("red", where=5), "expression"),
    "search_text(where=[5])": (lambda its: its.index.search_text("red", where=[5]), "expression"),
    "search_text(targets=5)": (lambda its: its.index.search_text("red", targets=5), "targets"),
    "search_text(exact=text)": (lambda its: its.index.search_text("red", exact="no"), "True or False"),
    "search_text(sort=5)": (lambda its: its.index.search_text("red", sort=5), "sort is of type int"),
    "search_texts(text)": (lambda its: its.index.search_texts("red"), "search_text"),
    "search_texts(None)": (lambda its: its.index.search_texts(None), "several texts"),
    "search_texts([5])": (lambda its: its.index.search_texts(["red", 5]), "of type int"),
    "search_texts(dict)": (lambda its: its.index.search_texts({"red": 1}), "of type dict"),
    "search_texts(array of one)": (lambda its: its.index.search_texts(np.array("red")), "several texts"),
    "search_image(None)": (lambda its: its.index.search_image(None), "a PIL image or an array"),
    "search_image(5)": (lambda its: its.index.search_image(5), "a PIL image or an array"),
    "search_image(hit)": (lambda its: its.index.search_image(its.red), "a PIL image or an array"),
    "search_image(list)": (lambda its: its.index.search_image([its.picture]), "a PIL image or an array"),
    "search_image(floats)": (lambda its: its.index.search_image(its.array / 255), "uint8"),
    "search_image(batch)": (lambda its: its.index.search_image(its.array[None]), "shape"),
    "search_image(text file)": (lambda its: its.index.search_image(io.StringIO("x")), "a PIL image"),
    "similar(None)": (lambda its: its.index.similar(None), "an id or a hit"),
    "similar(5)": (lambda its: its.index.similar(5), "an id or a hit"),
    "similar(hits)": (lambda its: its.index.similar(its.index.search("red")), "an id or a hit"),
    "recommend(None)": (lambda its: its.index.recommend(None), "ids or hits"),
    "recommend([5])": (lambda its: its.index.recommend([5]), "an id or a hit"),
    "duplicates(where=5)": (lambda its: its.index.duplicates(where=5), "expression"),
    "duplicates(on_progress=5)": (lambda its: its.index.duplicates(on_progress=5), "a function"),
    "ingest(None)": (lambda its: its.index.ingest(None), "a path"),
    "ingest(5)": (lambda its: its.index.ingest(5), "a path"),
    "ingest(bytes)": (lambda its: its.index.ingest(b"photos"), "a path"),
    "ingest([5])": (lambda its: its.index.ingest([5]), "a path"),
    "ingest(dict)": (lambda its: its.index.ingest({"a": "b"}), "a path"),
    "ingest(captions=[...])": (lambda its: its.index.ingest(its.photos, captions=["a"]), "dictionary"),
    "ingest(captions={.: 5})": (lambda its: its.index.ingest(its.photos, captions={"a": 5}), "caption"),
    "ingest(captions={5: .})": (lambda its: its.index.ingest(its.photos, captions={5: "a"}), "caption"),
    "ingest(images=5)": (lambda its: its.index.ingest(its.photos, images=5), "a path"),
    "ingest(labels=5)": (lambda its: its.index.ingest(its.photos, labels=5), "labels"),
    "ingest(labels=[5])": (lambda its: its.index.ingest(its.photos, labels=[5, 6]), "labels"),
    "ingest(labels=dict)": (lambda its: its.index.ingest(its.photos, labels={"red": 1}), "labels"),
    "ingest(captioner=5)": (lambda its: its.index.ingest(its.photos, captioner=5), "captioner"),
    "ingest(detector=5)": (lambda its: its.index.ingest(its.photos, detector=5), "detector"),
    "ingest(parts=5)": (lambda its: its.index.ingest(its.photos, parts=5), "parts"),
    "ingest(allow_hosts=5)": (lambda its: its.index.ingest(its.photos, allow_hosts=5), "allow_hosts"),
    "ingest(cache=5)": (lambda its: its.index.ingest(its.photos, cache=5), "a path"),
    "ingest(stop=5)": (lambda its: its.index.ingest(its.photos, stop=5), "a CancelToken"),
    "ingest(on_progress=5)": (lambda its: its.index.ingest(its.photos, on_progress=5), "a function"),
    "ingest(on_rejection=5)": (lambda its: its.index.ingest(its.photos, on_rejection=5), "a function"),
    "ingest(prune=text)": (lambda its: its.index.ingest(its.photos, prune="false"), "True or False"),
    "ingest(dry_run=5)": (lambda its: its.index.ingest(its.photos, dry_run=5), "True or False"),
    "ingest(slice=5)": (lambda its: its.index.ingest(its.photos, slice=5), "slice is of type int"),
    "ingest([source, 5])": (lambda its: its.index.ingest([LedgerSource(Ledger(None), ()), 5]), "a path"),
    "add(None)": (lambda its: its.index.add(None), "records is None; it takes pictures"),
    "add(5)": (lambda its: its.index.add(5), "records is of type int; it takes pictures"),
    "add(fields=5)": (lambda its: its.index.add([], fields=5), "by the names of fields"),
    "add(fields={. 5})": (lambda its: its.index.add([], fields={"a": 5}), "it may be keyword"),
    "add(stop=5)": (lambda its: its.index.add([], stop=5), "a CancelToken"),
    "get(None)": (lambda its: its.index.get(None), "ids or hits"),
    "ids(after=5)": (lambda its: its.index.ids(5), "after is of type int; it takes a text"),
    "facets(fields=5)": (lambda its: its.index.facets(5), "several texts"),
    "get([5])": (lambda its: its.index.get([5]), "an id or a hit"),
    "rejections(5)": (lambda its: its.index.rejections(5), "reasons"),
    "rejection_counts(None)": (lambda its: its.index.rejection_counts(None), "reasons"),
    "retry(reasons=5)": (lambda its: its.index.retry(reasons=5), "reasons"),
    "encode(out=5)": (lambda its: its.lib.encode("photos", out=5), "it takes a path"),
    "reencode(5)": (lambda its: its.index.reencode(5), "it takes an open index"),
    "reencode(on_outcome=5)": (lambda its: its.index.reencode(its.index, on_outcome=5), "a function"),
    "export(5)": (lambda its: its.index.export(5), "it takes a path"),
    "export(on_progress=5)": (lambda its: its.index.export("c", on_progress=5), "a function"),
    "adopt(id_field=5)": (lambda its: its.index.adopt(id_field=5), "it takes a text"),
    "import_vectors(None)": (lambda its: its.index.import_vectors(None), "it takes a path"),
    "delete(5)": (lambda its: its.index.delete(5), "ids or hits"),
    "delete(paths=5)": (lambda its: its.index.delete(paths=5), "a path"),
    "delete(where=5)": (lambda its: its.index.delete(where=5), "expression"),
    "open_index(5)": (lambda its: its.lib.open_index(5), "a folder, an address or a Store"),
    "open_index(bytes)": (lambda its: its.lib.open_index(b"store"), "a folder, an address or a Store"),
    "open_index(index=5)": (lambda its: its.lib.open_index(its.photos, 5), "a name"),
    "open_index(index=None)": (lambda its: its.lib.open_index(its.photos, None), "a name"),
    "open_index(encoder=5)": (lambda its: its.lib.open_index(its.photos, encoder=5), "an Encoder"),
    "open_index(text_encoder=5)": (
        lambda its: its.lib.open_index(its.photos, text_encoder=5),
        "a model's name",
    ),
    "open_index(auth=text)": (lambda its: its.lib.open_index("http://x:1", auth="me"), "a StoreAuth"),
    "open_index(encoder_token=5)": (lambda its: its.lib.open_index(its.photos, encoder_token=5), "a text"),
    "load_encoder(5)": (lambda its: its.lib.load_encoder(5), "a model's name"),
    "load_encoder(None)": (lambda its: its.lib.load_encoder(None), "a model's name"),
    "load_encoder(text_encoder=5)": (lambda its: its.lib.load_encoder("palette", 5), "a model's name"),
    "load_encoder(device=0)": (lambda its: its.lib.load_encoder("clip-ViT-B-32", device=0), "a text"),
    "encode_texts(text)": (
        lambda its: its.lib.load_encoder("palette").encode_texts("red"),
        "several texts",
    ),
    "encode_texts(None)": (
        lambda its: its.lib.load_encoder("palette").encode_texts(None),
        "several texts",
    ),
    "encode_texts([5])": (lambda its: its.lib.load_encoder("palette").encode_texts([5]), "a text"),
    "preprocess(path)": (
        lambda its: its.lib.load_encoder("palette").preprocess(its.picture),
        "a PIL image",
    ),
    "classify(None)": (lambda its: its.lib.classify(None, labels="red", encoder="palette"), "a PIL image"),
    "classify([5])": (lambda its: its.lib.classify([5], labels="red", encoder="palette"), "a PIL image"),
    "classify(labels=None)": (
        lambda its: its.lib.classify(its.picture, labels=None, encoder="palette"),
        "labels",
    ),
    "classify(encoder=5)": (
        lambda its: its.lib.classify(its.picture, labels="red", encoder=5),
        "an Encoder",
    ),
    "Labelling(5)": (lambda its: its.lib.LabelSet(5), "labels"),
    "Labelling([None])": (lambda its: its.lib.LabelSet([None]), "labels"),
    "Labelling(templates=5)": (lambda its: its.lib.LabelSet(["red"], 5), "templates"),
    "Text(None)": (lambda its: its.lib.Text(None), "one text"),
    "Words(5)": (lambda its: its.lib.Keywords(5), "one text"),
    "Picture(None)": (lambda its: its.lib.ImageQuery(None), "a PIL image"),
    "Stored(5)": (lambda its: its.lib.SimilarTo(5), "an id or a hit"),
    "Raw(text)": (lambda its: its.lib.VectorQuery("red"), "numbers"),
    "Raw(dict)": (lambda its: its.lib.VectorQuery({"a": 1}), "numbers"),
    "Access(user=5)": (lambda its: its.lib.StoreAuth(user=5, password="x"), "a text"),
    "Access(api_key=bytes)": (lambda its: its.lib.StoreAuth(api_key=b"key"), "a text"),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG.keys())
def test_what_is_not_taken(lasting: Given, call: tuple[Call, str]) -> None:
    """Another kind of value is one line that says what is taken, and no error of Python's own."""
    with pytest.raises(ConfigError) as told:
        call[0](lasting)
    assert call[1] in str(told.value)
    assert "\n" not in str(told.value)


def test_every_method_is_tried() -> None:
    """No public method of an index is left out of the table, but those that take nothing, or a number."""
    tried = {name.partition("(")[0] for name in WRONG}
    public = {name for name, _ in inspect.getmembers(ImageIndex, inspect.isfunction) if name[0] != "_"}
    assert public - tried == {"close", "drop", "follow", "peek", "renew", "stats"}


CLOSED: dict[str, Call] = {
    "load_encoder": lambda its: its.index.load_encoder(),
    "get": lambda its: its.index.get([]),
    "follow": lambda its: its.index.follow(),
    "peek": lambda its: its.index.peek(),
    "ids": lambda its: its.index.ids(),
    "facets": lambda its: its.index.facets(),
    "len": lambda its: len(its.index),
    "in": lambda its: "a" in its.index,
    "iter": lambda its: list(its.index),
    "add": lambda its: its.index.add(its.picture),
    "search": lambda its: its.index.search("red"),
    "search_many": lambda its: its.index.search_many(["red"]),
    "search_text": lambda its: its.index.search_text("red"),
    "search_texts": lambda its: its.index.search_texts(["red"]),
    "search_image": lambda its: its.index.search_image(its.picture),
    "similar": lambda its: its.index.similar(its.red),
    "recommend": lambda its: its.index.recommend([its.red]),
    "duplicates": lambda its: its.index.duplicates(),
    "ingest": lambda its: its.index.ingest(its.photos),
    "retry": lambda its: its.index.retry(),
    "rejections": lambda its: its.index.rejections(),
    "rejection_counts": lambda its: its.index.rejection_counts(),
    "delete": lambda its: its.index.delete(its.red),
    "stats": lambda its: its.index.stats(),
    "drop": lambda its: its.index.drop(),
    "export": lambda its: its.index.export(its.photos / "cache"),
    "import_vectors": lambda its: its.index.import_vectors(its.photos),
    "reencode": lambda its: its.index.reencode(its.index),
    "adopt": lambda its: its.index.adopt(),
    "with": lambda its: its.index.__enter__(),
}


@pytest.mark.parametrize("call", CLOSED.values(), ids=CLOSED.keys())
def test_a_closed_index_does_nothing(its: Given, call: Call) -> None:
    """Each method says that it is closed, in every thread; to close it twice is fine."""
    its.index.search("red")
    with its.index:
        pass
    its.index.close()
    with pytest.raises(ConfigError, match="the index is closed; open it again"):
        call(its)
    told: list[BaseException] = []

    def elsewhere() -> None:
        try:
            call(its)
        except ConfigError as error:
            told.append(error)

    thread = Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(told) == 1


def test_rejections_end_with_the_index(its: Given) -> None:
    """Those that were asked for before are no way around a closed index."""
    for name in ("broken.png", "none.png"):
        (its.photos / name).write_text("no picture", encoding="utf-8")
    its.index.ingest(its.photos)
    rejections = its.index.rejections()
    assert next(rejections).reason is Reason.NOT_AN_IMAGE
    its.index.close()
    with pytest.raises(ConfigError, match="the index is closed"):
        next(rejections)


def test_every_method_of_a_closed_index_is_tried() -> None:
    """No public method is left out of that table but `close`, and `renew`, which forks call."""
    public = {name for name, _ in inspect.getmembers(ImageIndex, inspect.isfunction) if name[0] != "_"}
    assert public - CLOSED.keys() == {"close", "renew"}
