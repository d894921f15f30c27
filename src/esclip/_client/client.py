"""The client of a search service: the facade's methods, and those of CLIP-as-service, over HTTP.

Client ─┬─► search · search_text · ... · get · peek · stats · duplicates · classify      as `ImageIndex`
        ├─► add · delete                                                                 where it is writable
        └─► encode · index · rank · profile                                              as CLIP-as-service
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast, overload

import numpy as np
import orjson

from esclip._client import answers
from esclip._client.connection import ADDRESS, DOCUMENTS, Connection, can_be_id, pages_of_ids
from esclip._client.document import Document
from esclip._client.duplicates import find_duplicates
from esclip._client.encoding import AnyInput, Embedder
from esclip._client.labelling import classify_pictures
from esclip._client.profile import Profile
from esclip._client.queries import check_pictures, render_query, warn_of_paths, where_expressions
from esclip._client.writing import Writer, check_rate, delete_documents
from esclip._concurrency.retry import SERVICE
from esclip._concurrency.streams import batches
from esclip._core.arguments import (
    AnyId,
    AnyImage,
    AnyRecord,
    Records,
    coerce_callback,
    coerce_ids,
    coerce_several,
    coerce_text,
    coerce_texts,
    wrong_kind,
)
from esclip._core.facets import Facets
from esclip._core.labels import Labels, LabelScores, LabelSet
from esclip._core.options import Opt, declared
from esclip._core.other_names import check_names, name_ours
from esclip._core.rejections import IngestReport, Rejection
from esclip._core.schema import FieldType, Stats
from esclip._core.settings import DEFAULT_K, DUPLICATE, FETCH_WORKERS
from esclip._core.text_forms import compose
from esclip._core.types import Hit, StoredDocument, Vectors
from esclip._errors import ConfigError, DecodeError, IndexNotFound
from esclip._errors.escaping import escape
from esclip._errors.secrets import Address, Secret
from esclip._ingest.options import AddOptions
from esclip._search.documents import Documents
from esclip._search.duplicates import DuplicateGroup
from esclip._search.hits import Hits, SearchResults
from esclip._search.index_handle import IndexHandle
from esclip._search.options import FACET_VALUES, PEEK, THRESHOLD, Where
from esclip._search.query import AnyQuery, ImageQuery, Query, Text
from esclip._search.search_methods import SearchMethods

T = TypeVar("T")

Several: TypeAlias = list[Any] | tuple[Any, ...] | Generator[Any, None, None]
"""Several queries: each as one alone, or a `Document`."""

log = logging.getLogger("esclip")

MAX_QUERIES = 64
"""Of a request."""
MAX_BATCH_BYTES = 4 << 20
"""From so many on a batch is full: a query with the largest picture still fits into a body."""
_PICTURES = "documents with a picture, such as a list"
_INGEST = {name: opt for name, (_, opt) in declared(AddOptions).items() if opt}
_TIMEOUT = Opt(SERVICE.timeout, "Seconds for a request.", minimum=0.1, maximum=86_400.0)


class Client(IndexHandle, SearchMethods):
    """A search service, used as the index that it searches. Thread-safe. To be closed: by `with` or `close`.

    Connects to nothing yet. Pictures and files are read here: the service opens no path and fetches no URL of
    a query. A request that fails because the service is busy, or away for a moment, is sent again.

    Args:
        address: Of the service, such as `http://127.0.0.1:8080`.
        token: The service's token.
        timeout: Seconds for a search, all attempts together; what encodes many pictures may take 20 times as
            long.

    Raises:
        ConfigError: The address or the token can't be used.

    Example:
        with esclip.Client("http://127.0.0.1:8080") as client:
            assert repr(client) == "<Client 'http://127.0.0.1:8080'>"
    """

    @check_names()
    def __init__(self, address: str = "", token: str | None = None, timeout: float = SERVICE.timeout) -> None:
        """Make a client; see the class."""
        super().__init__()
        address = Address(address) if isinstance(address, str) else address  # shown by no traceback
        if not address:
            raise ConfigError(
                f"a client needs the address of a search service, such as {ADDRESS}; an index in this "
                "program is opened by open_index()"
            )
        if token is not None and not isinstance(token, str):
            raise wrong_kind("the client's token", token, "a text")
        token = Secret(token) if token is not None else None
        self._connection = Connection(address, token, _TIMEOUT.check("timeout", timeout))
        self._known_fields: dict[str, FieldType] = {}

    if not TYPE_CHECKING:
        __getattr__ = name_ours("Client")

    @overload
    def search(self, query: Several, *, limit: int | None = None) -> list[Hits]: ...

    @overload
    def search(self, query: AnyQuery | Document, *, limit: int | None = None) -> Hits: ...

    @check_names(instead='options belong to the query, as in Query("a dog", k=5), or go to search_text')
    def search(self, query: AnyQuery | Document | Several, *, limit: int | None = None) -> Hits | list[Hits]:
        """Search by a query of one or several parts; or, as CLIP-as-service has it, by a list of queries.

        Args:
            query: A `Query`, or its single part: a text, a `Path`, a PIL image, an array, a hit, a clause; or
                several of these and `Document`s, such as a list. A `str` is always a text.
            limit: Hits of each query, in place of its `k`.

        Returns:
            Hits, best first; for several queries a list of them.

        Raises:
            EsclipError: As `ImageIndex.search`.
            StoreUnavailable: The service is away, or too busy.

        Example:
            for hits in client.search(["something red", Path("photos/red.png")], limit=2):
                print(hits[0].id, hits[0].score)
        """
        if isinstance(query, list | tuple | Generator):
            return self._search_all([_limit(_query_of(one), limit) for one in warn_of_paths(query)])
        (hits,) = self._search_all([_limit(_query_of(one), limit) for one in warn_of_paths([query])])
        return hits

    @check_names()
    def search_many(self, queries: Iterable[AnyQuery]) -> list[Hits]:
        """Search by several queries at once: up to 64 in a request, encoded together.

        Args:
            queries: Queries, each as in `search`.

        Returns:
            Hits of each query, in order.

        Raises:
            EsclipError: As `search`.
        """
        given = coerce_several("queries", queries, "several queries, such as a list")
        return self._search_all([Query.of(query) for query in given])

    @check_names()
    def get(self, ids: AnyId | Iterable[AnyId]) -> Documents:
        """Read documents by id, with their vectors.

        Args:
            ids: Ids or hits, or one.

        Returns:
            The documents in this order, without those that the index lacks: their ids are its `missing`.

        Raises:
            IndexNotFound: There is no such index.
        """
        named = coerce_ids("ids", ids)
        documents: dict[str, StoredDocument] = {}
        distinct = [id for id in dict.fromkeys(named) if can_be_id(id)]
        for page in pages_of_ids(distinct):
            parameters = [("vectors", "true"), *(("ids", id) for id in page)]
            read = partial(self._read, answers.read_documents, "documents")
            documents |= self._connection.get(DOCUMENTS, read, parameters)
        if not distinct:
            self.stats()  # without an index, that is an error
        missing = dict.fromkeys(id for id in named if id not in documents)
        return Documents((documents[id] for id in named if id in documents), missing)

    @check_names()
    def peek(self, n: int = DEFAULT_K) -> Documents:
        """Read some documents, to see what the index holds: the first by id.

        Args:
            n: Number of documents, 1 to 10,000, at most.

        Returns:
            The documents, with their vectors.

        Raises:
            IndexNotFound: There is no such index.
        """
        n = int(PEEK.check("n", n))
        return self.get([*islice(self._scan_ids("", min(n, 1000)), n)])

    @check_names()
    def ids(self, after: str = "") -> Iterator[str]:
        """Iterate over the ids of all documents, in their order.

        Args:
            after: Begin behind this id, whether it is there or not.

        Raises:
            IndexNotFound: There is no such index.
        """
        return self._scan_ids(coerce_text("after", after), 1000)

    def stats(self) -> Stats:
        """Count documents and bytes, and tell encoder, fields, labels and parts of the index.

        Its `store` is the service, and `access` how that authenticates the client: `token`, or None.

        Raises:
            IndexNotFound: There is no such index.
        """
        address, access = self._connection.address, self._connection.access
        read = partial(answers.read_stats, address=address, access=access)
        stats = self._connection.get("/v1/index", read)
        with self._lock:
            self._known_fields = {field.name: field.type for field in stats.fields}
        return stats

    @check_names()
    def add(
        self,
        records: Records | Document | Iterable[AnyRecord | Document],
        *,
        fields: Mapping[str, FieldType | str] | None = None,
        labels: Sequence[str] | None = None,
        parts: Sequence[str] = (),
        workers: int = FETCH_WORKERS,
        allow_hosts: Iterable[str] = (),
        max_rejection_rate: float = 0.5,
        on_rejection: Callable[[Rejection], None] | None = None,
        show_progress: bool | None = None,
    ) -> IngestReport:
        """Write pictures that a program has, with what is known about them, through a writable service.

        They are read and fetched here, and sent in batches. What the index holds unchanged is skipped: the
        same call after one that was broken off writes what is missing.

        Args:
            records: As in `ImageIndex.add`; or `Document`s.
            fields: As in `ImageIndex.add`.
            labels: Labels to classify each picture by. Default: those of the last ingest.
            parts: Parts that get vectors of their own: `captions`, `crops`.
            workers: Concurrent reads and fetches. Default: 16.
            allow_hosts: Hosts to fetch from also at private addresses; all others are asked at public ones.
            max_rejection_rate: Share of rejected records, 0 to 1, above which the run fails at its end.
                Default: 0.5.
            on_rejection: Called with each rejection.
            show_progress: As in `ImageIndex.ingest`.

        Returns:
            Counts of the run: `read == skipped + written + rejected`.

        Raises:
            ConfigError: An argument can't be used.
            StoreError: The service is read-only, or refuses.
            TooManyRejections: More than `max_rejection_rate` of the records were rejected. Has the report.
        """
        coerce_callback("on_rejection", on_rejection)
        workers = int(_INGEST["workers"].check("workers", workers))
        limit = _INGEST["max_rejection_rate"].check("max_rejection_rate", max_rejection_rate)
        from esclip._ingest.progress_display import show_count

        began = time.monotonic()
        before = self._stats_or_none()
        writer = Writer(
            self._connection,
            before.fields if before else (),
            parameters=[
                *(("labels", one) for one in coerce_texts("labels", labels or ())),
                *(("parts", one) for one in coerce_texts("parts", parts)),
            ],
            workers=workers,
            allow_hosts=coerce_texts("allow_hosts", allow_hosts),
            on_rejection=on_rejection or _ignore,
        )
        with show_count(show_progress, None, None) as count:
            for read in writer.write(records, fields):
                count(read)
        stats = before or self._stats_or_none()
        report = writer.tally.report(
            seconds=time.monotonic() - began,
            index=stats.index if stats else "",
            store=self._connection.address,
            encoder=stats.encoder if stats else "",
        )
        check_rate(report, limit)
        return report

    def index(
        self,
        documents: Iterable[Document | AnyInput],
        *,
        show_progress: bool | None = None,
        on_rejection: Callable[[Rejection], None] | None = None,
    ) -> IngestReport:
        """Write documents, as CLIP-as-service's `index`: `add`, where a `str` is a text.

        Args:
            documents: `Document`s; or what is encoded: a `str` is a text, all else a picture.
            show_progress: As in `ImageIndex.ingest`.
            on_rejection: Called with each document that was not written.

        Returns:
            Counts of the run.

        Raises:
            EsclipError: As `add`.
        """
        if isinstance(documents, str | bytes | Mapping):
            raise wrong_kind("documents", documents, "documents, such as a list")
        given = [documents] if isinstance(documents, Document) else documents
        records = (Document(text=one) if isinstance(one, str) else one for one in warn_of_paths(given))
        return self.add(
            cast("Any", records),
            max_rejection_rate=1.0,
            on_rejection=on_rejection,
            show_progress=show_progress,
        )

    @check_names()
    def delete(self, ids: AnyId | Iterable[AnyId] = (), *, where: Where | None = None) -> int:
        """Remove documents of a writable service with their parts. Picture files stay.

        Args:
            ids: Ids or hits.
            where: Filter, as in `search_text`: of what `ids` name, only these; without ids, of all.

        Returns:
            Number of documents removed.

        Raises:
            DocumentNotFound: The index holds none of these ids.
            ConfigError: Nothing is named, or the filter fits no field of the index.
            StoreError: The service is read-only.
        """
        named, filters = coerce_ids("ids", ids), where_expressions(where)
        if not named and not filters:
            raise ConfigError("there is nothing to delete: give ids or a filter")
        return delete_documents(self._connection, named, filters)

    @check_names()
    def duplicates(
        self,
        threshold: float = DUPLICATE,
        where: Where | None = None,
        *,
        on_progress: Callable[[int], None] | None = None,
        show_progress: bool | None = None,
    ) -> list[DuplicateGroup]:
        """Group the pictures of the whole index that show nearly the same, by a job of the service.

        Args:
            threshold: Cosine, 0 to 1, that each picture of a group has with another of it, at least.
            where: Filter, as in `search_text`: compare only these pictures.
            on_progress: Called with the number of pictures done so far: half when read, half when compared.
            show_progress: As in `ImageIndex.ingest`.

        Returns:
            Groups, largest first: up to 10,000, of up to 100 pictures.

        Raises:
            EsclipError: As `search`.
        """
        THRESHOLD.check("threshold", threshold)
        coerce_callback("on_progress", on_progress)
        from esclip._ingest.progress_display import show_count

        with show_count(show_progress, None, on_progress) as count:
            return find_duplicates(self._connection, threshold, where_expressions(where), self._fields, count)

    @check_names()
    def facets(
        self,
        fields: str | Iterable[str] | None = None,
        where: Where | None = None,
        limit: int = FACET_VALUES.default,
    ) -> Facets:
        """Count what documents have in some fields: values of texts, ranges of numbers and dates.

        Args:
            fields: Names of fields, or one. Default: as in `ImageIndex.facets`.
            where: Filter, as in `search_text`.
            limit: Number of values of each field, 1 to 1,000: the most frequent ones. Default: 20.

        Returns:
            A facet by the name of each field, and the number of documents.

        Raises:
            EsclipError: As `ImageIndex.facets`.
        """
        parameters = [("limit", str(int(FACET_VALUES.check("limit", limit))))]
        parameters += [("where", one) for one in where_expressions(where)]
        if fields is not None:
            named = coerce_texts("fields", [fields] if isinstance(fields, str) else fields)
            parameters += [("fields", one) for one in named]
        return self._connection.get("/v1/facets", answers.read_facets, parameters)

    def classify(
        self, *images: AnyImage | Hit | Iterable[AnyImage | Hit], labels: Labels
    ) -> list[LabelScores]:
        """Tell how probable each label is for each picture, by the model's softmax.

        Args:
            images: Paths, URLs, image files' bytes, open files, PIL images, arrays, or hits, whose vectors
                the index has: one by one, or as a list.
            labels: As in `classify`.

        Returns:
            For each picture all labels with their probabilities, 0 to 1 and 1 in sum, most probable first.

        Raises:
            EsclipError: As `classify`.
        """
        return classify_pictures(self._connection, images, LabelSet.of(labels))

    def rank(self, documents: Iterable[Document]) -> list[Document]:
        """Rank texts by how probable they are for a picture, as CLIP-as-service's `rank`: see `classify`.

        Args:
            documents: Pictures, each with its texts as `matches`.

        Returns:
            The documents, with the matches most probable first, each with its `score`.

        Raises:
            ConfigError: A document is no picture, or has no texts as matches.
        """
        return [self._ranked(document) for document in coerce_several("documents", documents, _PICTURES)]

    @check_names()
    def encode(
        self,
        inputs: Iterable[AnyInput],
        *,
        on_rejection: Callable[[Rejection], None] | None = None,
        show_progress: bool | None = None,
    ) -> Vectors:
        """Encode texts and pictures into the space of the index, as CLIP-as-service's `encode`.

        Args:
            inputs: Texts (`str`), pictures (`Path`, bytes, PIL images, arrays) and `Document`s, which may be
                an iterator.
            on_rejection: Called with each input that can't be encoded. Default: one warning tells how many.
            show_progress: As in `ImageIndex.ingest`.

        Returns:
            A row for each input, in order, shape (n, dim), float32 of unit length; NaN for one that was
            rejected.

        Raises:
            EsclipError: The service is away, or refuses.

        Example:
            vectors = client.encode(["something red", Path("photos/red.png")])
            print(vectors[0] @ vectors[1])
        """
        coerce_callback("on_rejection", on_rejection)
        if isinstance(inputs, str | bytes | Mapping) or not isinstance(inputs, Iterable):
            raise wrong_kind("inputs", inputs, "several texts and pictures, such as a list")
        from esclip._ingest.progress_display import show_count

        stats, rejected = self.stats(), list[Rejection]()
        embedder = Embedder(self._connection, stats.encoder, stats.dimension, on_rejection or rejected.append)
        rows = [np.empty((0, stats.dimension), dtype=np.float32)]
        with show_count(show_progress, None, None) as count:
            for batch in embedder.encode(warn_of_paths(inputs)):
                rows.append(batch)
                count(sum(map(len, rows)))
        if rejected:
            log.warning(
                "%s of %s inputs can't be encoded, and have rows of NaN; the first is %r",
                len(rejected),
                sum(map(len, rows)),
                rejected[0],
            )
        return np.concatenate(rows)

    def profile(self, content: AnyQuery | Document | None = None) -> Profile:
        """Measure where the time of one search goes: network, encoding, store.

        Args:
            content: What is searched for, as in `search`. Default: a short text.

        Returns:
            Milliseconds, printed as a tree.

        Raises:
            EsclipError: As `search`.
        """
        body = orjson.dumps(render_query(_query_of("a picture" if content is None else content)))
        self._connection.request("GET", "/livez")  # so that the connection is there
        began = time.perf_counter()
        service, encode, store = self._connection.post("/v1/search", body, answers.read_took)
        return Profile(1000 * (time.perf_counter() - began), service, encode, store)

    def close(self) -> None:
        """Free connections. Closing twice is harmless; other calls raise `ConfigError` then."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __len__(self) -> int:
        """The number of documents; 0 where the index does not exist."""
        stats = self._stats_or_none()
        return 0 if stats is None else stats.documents

    def _holds(self, id: str) -> bool:
        parameters = [("ids", id), ("fields", "")]
        return can_be_id(id) and self._connection.get(
            DOCUMENTS, lambda answer: bool(answer["documents"]), parameters
        )

    def __iter__(self) -> Iterator[str]:
        """The ids of all documents, in their order."""
        with suppress(IndexNotFound):
            yield from self.ids()

    def __repr__(self) -> str:
        return f"<Client {escape(self._connection.address)!r}>"

    def _search_all(self, queries: Sequence[Query]) -> list[Hits]:
        rendered = (orjson.dumps(render_query(query)) for query in queries)
        results: list[Hits] = []
        try:
            for batch in batches(rendered, MAX_QUERIES, weigh=len, max_weight=MAX_BATCH_BYTES):
                results += self._search_batch(batch)
        except DecodeError:
            check_pictures(queries)  # which one it was
            raise
        return SearchResults(results, map(str, queries))

    def _search_batch(self, bodies: Sequence[bytes]) -> list[Hits]:
        """The hits of queries that one request has room for."""
        read = partial(self._read, answers.read_hits, "hits")
        if len(bodies) == 1:
            return [self._connection.post("/v1/search", bodies[0], read)]

        def read_all(answer: Any) -> list[Hits]:
            return [read(one) for _, one in zip(bodies, answer["results"], strict=True)]

        body = b'{"queries": [' + b", ".join(bodies) + b"]}"
        return self._connection.post("/v1/search/batch", body, read_all, patience=2.0)

    def _scan_ids(self, after: str, page: int) -> Iterator[str]:
        """The ids of all documents after this one, read by pages."""
        last_id: str | None = after
        while last_id is not None:
            parameters = [("after", last_id), ("limit", str(page))]
            ids, following = self._connection.get("/v1/ids", answers.read_ids, parameters)
            yield from ids
            last_id = following if ids and following != last_id else None

    def _read(self, read: Callable[[Any, str, Mapping[str, FieldType]], T], key: str, answer: Any) -> T:
        """What `read` makes of an answer with hits or documents under `key`."""
        return read(answer, self._connection.address, self._fields(answers.metadata_names(answer[key])))

    def _fields(self, names: Iterable[str]) -> Mapping[str, FieldType]:
        """The types of fields, asked for again where one of these is new."""
        if not self._known_fields.keys() >= set(names):
            self.stats()
        return self._known_fields

    def _stats_or_none(self) -> Stats | None:
        with suppress(IndexNotFound):
            return self.stats()
        return None

    def _ranked(self, document: Document) -> Document:
        """The document with its matches, the most probable first."""
        if not isinstance(document, Document) or document.picture is None or not document.matches:
            raise ConfigError("what is ranked are documents with a picture, and texts as matches")
        texts = {compose((match.text or "").strip()): match for match in document.matches}
        labels = LabelSet([match.text or "" for match in document.matches], ["{}"])
        (scores,) = classify_pictures(self._connection, [document.picture], labels)
        matches = tuple(replace(texts[label], score=probability) for label, probability in scores)
        return replace(document, matches=matches)


def _query_of(given: AnyQuery | Document) -> Query:
    """A query as it is, of a document's content, or of a single clause."""
    if not isinstance(given, Document):
        return Query.of(given)
    return Query(Text(given.text) if given.text is not None else ImageQuery(cast("AnyImage", given.picture)))


def _limit(query: Query, limit: int | None) -> Query:
    if limit is None:
        return query
    options = query.options.copy()
    options["k"] = limit
    return Query(*query.clauses, **options)


def _ignore(rejection: Rejection) -> None:
    """Leave it to the counts."""
