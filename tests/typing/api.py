"""The public API as a user's type checker sees it: checked by mypy and pyright, never executed.

A wrong call stands with `# type: ignore[code]`. Both checkers report an ignore that suppresses nothing, so an
error that is no longer found fails the check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import assert_type

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

import esclip
from esclip import encoders


def open_and_close() -> None:
    """An index by a folder, an address, a store; with the encoder by name or as a value."""
    assert_type(esclip.open_index(), esclip.ImageIndex)
    esclip.open_index("photos.lance", "pictures", "clip-ViT-B-32", device="cpu", precision="bf16")
    esclip.open_index(Path("photos.lance"), encoder=esclip.load_encoder("palette"))
    access = esclip.StoreAuth(user="reader", password="secret")
    with esclip.open_index("https://search.example:9200", auth=access) as index:
        assert_type(index, esclip.ImageIndex)
        assert_type(index.stats(), esclip.Stats)
        assert_type(index.load_encoder(), esclip.Encoder)
        assert_type(esclip.list_indexes("photos.lance", auth=access), list[esclip.Stats])
        assert_type(index.drop(), None)

    esclip.open_index(1)  # type: ignore[arg-type]
    esclip.open_index("photos.lance", acces=access)  # type: ignore[call-arg]


def plan(index: esclip.ImageIndex, encoder: esclip.Encoder) -> None:
    """A number of pictures, an encoder by name or as a value, the stats of an index, options."""
    plan = esclip.plan(1_000_000, encoder="palette", engine="opensearch", shards=6, node_memory=64)
    assert_type(plan, esclip.Plan)
    assert_type(plan.lines[0], esclip.PlanLine)
    assert_type(plan.values, Mapping[str, float])
    esclip.plan(10, encoder=encoder, index=index.stats(), probe=True, parts=["crops"])

    esclip.plan("many")  # type: ignore[arg-type]
    esclip.plan(10, nodes=3)  # type: ignore[call-arg]


def ingest(
    index: esclip.ImageIndex,
    stop: esclip.CancelToken,
    progress: list[esclip.Progress],
    source: esclip.Source,
) -> None:
    """Paths one by one or together; options by their names."""
    report = index.ingest("unsplash", images="pictures", limit=100, labels=["dog", "cat"], parts=["crops"])
    assert_type(report, esclip.IngestReport)
    index.ingest([Path("a"), Path("b")], prune=True, confirm=lambda path, count: count < 10)
    index.ingest("photos", captions={"a.jpg": "a boat"}, batch_size=8, workers=4, cache=None, stop=stop)
    index.ingest("photos", on_progress=progress.append)
    index.retry(reasons=esclip.Reason.TIMEOUT, max_rejection_rate=0.1)
    assert_type(index.rejections("timeout"), Iterator[esclip.LedgerEntry])
    assert_type(index.rejection_counts(), Mapping[esclip.Reason, int])
    assert_type(index.delete(["a", "b"], paths="photos/old", where={"label": "dog"}), int)
    assert_type(index.get(["a", "b"]), esclip.Documents)
    assert_type(index.peek(3)[0], esclip.StoredDocument)
    assert_type(index.get("a").to_pandas(vectors=True), pd.DataFrame)
    assert_type(next(iter(index)), str)
    assert_type(len(index) + ("a" in index), int)

    index.ingest("photos", batch_sise=8)  # type: ignore[call-arg]
    index.ingest(source, "photos")
    index.ingest([source])
    index.ingest("photos", workers="4")  # type: ignore[arg-type]


def add(
    index: esclip.ImageIndex,
    image: Image.Image,
    pixels: npt.NDArray[np.uint8],
    frame: pd.DataFrame,
    record: esclip.ImageRecord,
) -> None:
    """Pictures of all kinds, one or many; what is known about them; types of fields."""
    assert_type(index.add("photos/a.jpg"), esclip.IngestReport)
    for one in (Path("a.jpg"), b"bytes", image, pixels, {"id": "a", "image": image, "likes": 3}, record):
        index.add(one)
    index.add([Path("a.jpg"), "https://example.org/a.jpg"], allow_hosts=["example.org"], workers=4)
    index.add(({"image": image, "n": n} for n in range(3)), fields={"n": "float"}, limit=2)
    index.add(frame, fields={"taken": esclip.FieldType.DATE}, labels=["dog", "cat"], parts=["crops"])

    index.add(3)  # type: ignore[arg-type]
    index.add("photos/a.jpg", prune=True)  # type: ignore[call-arg]


def search(
    index: esclip.ImageIndex, image: Image.Image, pixels: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]
) -> None:
    """Each search gives hits; options are those of a query."""
    hits = index.search_text("a red car", 5, {"country": ["Norway", "Sweden"]}, hybrid=0.5, min_score=0.2)
    assert_type(hits, esclip.Hits)
    assert_type(hits[0], esclip.Hit)
    assert_type(hits[:3], esclip.Hits)
    assert_type([hit.score for hit in hits], list[float])
    assert_type(hits.to_pandas(), pd.DataFrame)
    assert_type(index.search_texts(["a", "b"], where="width>=4000"), list[esclip.Hits])
    for example in ("photo.jpg", Path("photo.jpg"), b"\xff\xd8", image, pixels):
        index.search_image(example, exact=True)
    index.similar(hits[0], targets=["pictures", "crops"])
    index.recommend(hits, unlike="some-id", collapse=0.95)
    assert_type(index.duplicates(0.9), list[esclip.DuplicateGroup])
    facets = index.facets(["country", "width"], where="width>=1000", limit=5)
    assert_type(facets["country"], esclip.Facet)
    assert_type(facets["country"].values, tuple[esclip.ValueCount, ...])
    assert_type(facets.documents, int)
    index.search_text("a dog", sort="-width")
    judgements = esclip.Judgements({"a dog": {"some-id": 1.0}})
    assert_type(judgements[0], esclip.JudgedQuery)
    evaluation = esclip.evaluate(index, judgements, against=index, queries=5, search={"hybrid": 1.0})
    assert_type(evaluation["mrr"], esclip.Figure)
    assert_type(evaluation.differences[""]["mrr"], esclip.Difference)

    index.search_text(["a", "b"])  # type: ignore[arg-type]
    index.search_text("a", ofset=10)  # type: ignore[call-arg]
    index.search_text("a", explain="yes")  # type: ignore[arg-type]


def query(index: esclip.ImageIndex, image: Image.Image) -> None:
    """Queries of several parts, with weights and filters."""
    dogs = esclip.Query(
        esclip.Text("two dogs"),
        esclip.Keywords("snow", 0.3),
        esclip.ImageQuery(image),
        esclip.SimilarTo("some-id", -0.5),
        esclip.VectorQuery([0.1, 0.2]),
        k=20,
        where=["country=Norway", "width>=4000"],
        offset=20,
        explain=True,
    )
    assert_type(index.search(dogs), esclip.Hits)
    assert_type(index.search_many([dogs, "a plain text", Path("photo.jpg")]), list[esclip.Hits])

    esclip.Query("a text", limit=3)  # type: ignore[call-arg]


def client(image: Image.Image) -> None:
    """A service is searched as an index is; a list of queries gives a list of hits."""
    with esclip.Client("http://127.0.0.1:8080", "token", timeout=5) as client:
        assert_type(client, esclip.Client)
        assert_type(client.search("a dog"), esclip.Hits)
        esclip.evaluate(client, esclip.Judgements({"a dog": {"a": 1.0}}), against_search={"hybrid": 1.0})
        assert_type(client.search(esclip.Query("a dog", image, k=5)), esclip.Hits)
        assert_type(
            client.search(["a dog", Path("b.jpg"), esclip.Document(text="c")], limit=2), list[esclip.Hits]
        )
        assert_type(client.search(text for text in ["a dog"]), list[esclip.Hits])
        assert_type(client.search_many(["a dog"]), list[esclip.Hits])
        assert_type(client.search_text("a dog", k=3, where="width>1", hybrid=0.5), esclip.Hits)
        assert_type(client.similar("a", 3, min_score=0.5), esclip.Hits)
        assert_type(client.get(["a"]), esclip.Documents)
        assert_type(client.stats(), esclip.Stats)
        assert_type(client.facets("label")["label"].values, tuple[esclip.ValueCount, ...])
        assert_type(len(client) + ("a" in client), int)
        document = esclip.Document(uri=Path("apple.png"), id="apple", tags={"shop": "oslo"})
        assert_type(client.index([document, "a text"]), esclip.IngestReport)
        assert_type(client.add([{"id": "a", "image": image}, document]), esclip.IngestReport)
        assert_type(client.delete(where={"shop": "oslo"}), int)
        assert_type(client.encode(["a text", image]), npt.NDArray[np.float32])
        assert_type(client.classify(image, labels="cat,dog")[0], tuple[esclip.LabelScore, ...])
        assert_type(client.rank([document])[0].matches[0].score, float | None)
        assert_type(client.profile().network, float)

    esclip.Client(5)  # type: ignore[arg-type]
    esclip.Document("a text")  # type: ignore[call-arg]
    esclip.Document(path="apple.png")  # type: ignore[call-arg]


def classify(image: Image.Image, encoder: esclip.Encoder) -> None:
    """Labels of pictures without an index."""
    (guesses,) = esclip.classify(image, labels="cat,dog", encoder=encoder)
    assert_type(guesses, tuple[esclip.LabelScore, ...])
    assert_type(guesses[0].probability, float)
    esclip.classify(["a.jpg", b"\xff\xd8"], labels=esclip.LabelSet(["狗"], templates=["一张{}的照片"]))
    assert_type(esclip.models(), tuple[esclip.Model, ...])
    assert_type(esclip.load_encoder("palette"), esclip.Encoder)

    esclip.classify("a.jpg")  # type: ignore[call-arg]


class Feed(esclip.Source):
    """A source of one's own: two members to write, the others have defaults."""

    @property
    def fields(self) -> Sequence[esclip.Field]:
        """One field."""
        return [esclip.Field("country", esclip.FieldType.KEYWORD)]

    def records(self, cancelled: Event) -> Iterator[esclip.ImageRecord | esclip.Rejection]:
        """One record."""
        yield esclip.ImageRecord("a", "https://example.org/a", "https://example.org/a.jpg", "a.jpg")


class Brightness:
    """An encoder of one's own, which inherits from nothing."""

    space = esclip.Space("brightness", "brightness", weights="", preprocessing="1 pixel", dim=1)
    runtime = "NumPy"
    useful_side: int | None = 1
    encode_concurrency = 1
    logit_scale = 1.0

    def preprocess(self, image: Image.Image) -> npt.NDArray[np.float32]:
        """The mean brightness."""
        return np.asarray(image.convert("L").resize((1, 1)), dtype=np.float32)

    def encode_images(self, batch: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        """Ones, as all vectors of one dimension are."""
        return np.ones((len(batch), 1), dtype=np.float32)

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The same for texts."""
        return np.ones((len(texts), 1), dtype=np.float32)


def extend(store: esclip.Store) -> None:
    """Sources, encoders and stores of others fit where esclip's own do."""
    source: esclip.Source = Feed()
    assert_type(source.total(), int | None)
    index = esclip.open_index(store, encoder=Brightness())
    assert_type(index, esclip.ImageIndex)
    esclip.open_index(store, encoder=Feed())  # type: ignore[arg-type]
    esclip.Store("address", "index")  # type: ignore[abstract]


def handle_errors(index: esclip.ImageIndex, log: Callable[[str], None]) -> None:
    """One base class catches all of esclip's errors."""
    try:
        index.search_text("a red car")
    except (esclip.IndexNotFound, esclip.StoreUnavailable) as error:
        log(str(error))
    except esclip.EsclipError as error:
        log(str(error))


def name_wrongly() -> None:
    """A name that the package doesn't have is an error, though names are imported when first used."""
    assert_type(esclip.__version__, str)
    esclip.opn_index()  # type: ignore[attr-defined]
    encoders.load_encodr()  # type: ignore[attr-defined]
