"""The facade: one index of pictures, and texts beside them, to fill and to search.

open_index(...) ─► ImageIndex ─┬─► ingest · add · rejections · retry · get · peek · delete · stats · drop
                               ├─► reencode · export · import_vectors
                               └─► search · search_text · search_image · similar · ... · duplicates · facets
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from esclip._concurrency.bounded_wait import result_within
from esclip._concurrency.streams import batches
from esclip._core.adoption import Adoption, AdoptOptions
from esclip._core.arguments import (
    AnyId,
    Records,
    coerce_callback,
    coerce_ids,
    coerce_path,
    coerce_paths,
    coerce_several,
    coerce_text,
    coerce_texts,
    wrong_kind,
)
from esclip._core.facets import Facets
from esclip._core.index_settings import NO_SETTINGS, IndexSettings
from esclip._core.labels import LabelSet
from esclip._core.markup import render_table
from esclip._core.options import resolve
from esclip._core.other_names import check_names, name_ours
from esclip._core.parts import holds_parts
from esclip._core.rejections import IngestReport, LedgerEntry
from esclip._core.schema import FieldType, IndexSchema, Stats
from esclip._core.searches import Scan
from esclip._core.settings import DEFAULT_K, DUPLICATE, PAGE_SIZE
from esclip._core.targets import CROPS, PART_KINDS
from esclip._core.text_forms import is_unicode
from esclip._core.texts import holds_texts
from esclip._core.types import StoredDocument
from esclip._errors import (
    ConfigError,
    DocumentNotFound,
    Hint,
    IndexNotFound,
)
from esclip._errors.counts import pluralize
from esclip._errors.escaping import escape
from esclip._errors.reasons import Reason
from esclip._errors.secrets import mask
from esclip._files.locations import AnyPath, user_path
from esclip._files.paths import location_of
from esclip._index_stores import IndexStores
from esclip._ingest.given_paths import paths_and_sources
from esclip._ingest.options import (
    RAY,
    AddOptions,
    IngestOptions,
    ReencodeOptions,
    RetryOptions,
    refuse_idle_options,
)
from esclip._ingest.review_files import remove_reviews
from esclip._protocols import SCAN_PAGE, Encoder, Source, Store
from esclip._search.documents import Documents
from esclip._search.duplicates import DuplicateGroup, find_duplicates
from esclip._search.facets import select_fields
from esclip._search.filter_parser import parse_filter
from esclip._search.hits import Hits, SearchResults
from esclip._search.index_handle import IndexHandle
from esclip._search.no_hits import explain_filter
from esclip._search.options import FACET_VALUES, PEEK, THRESHOLD, Where
from esclip._search.query import AnyQuery, Query
from esclip._search.retriever import Retriever
from esclip._search.search_methods import SearchMethods
from esclip._search.searcher import Searcher
from esclip._search.where import normalize_where
from esclip._transfer.options import ExportOptions, ImportOptions
from esclip._transfer.reports import ExportReport
from esclip.encoders import load_encoder
from esclip.encoders.resolver import EncoderResolver
from esclip.stores import is_folder, require_adoptable
from esclip.stores.suggestions import missing_index

if TYPE_CHECKING:
    from esclip._ingest.deletion import Deletion
    from esclip._ingest.reading import Reading
    from esclip._ingest.run import Target
    from esclip._ingest.worker import IndexAddress
    from esclip._transfer.importing import VectorTables

log = logging.getLogger("esclip")

DESCRIPTION_TIMEOUT_S = 1.0
"""Seconds that an index's `repr` waits for a store: it is shown also while a server is away."""

_IN_A_QUERY = 'options belong to the query, as in Query("a dog", k=5), or go to search_text("a dog", k=5)'


class ImageIndex(IndexHandle, SearchMethods):
    """An index of pictures, and of texts beside them. Searches are thread-safe. To be closed: by `with` or
    `close`.
    """

    def __init__(
        self,
        store: Store,
        encoder: str | Encoder | None,
        text_encoder: str | None,
        load: Callable[..., Encoder] = load_encoder,
        encoder_token: str | None = None,
        address: Callable[[], IndexAddress] | None = None,
    ) -> None:
        """Use `open_index`, which knows the defaults."""
        super().__init__()
        self._stores = IndexStores(store)
        self._encoders = EncoderResolver(encoder, text_encoder, load, encoder_token)
        self._worker_address = address

    if not TYPE_CHECKING:
        __getattr__ = name_ours("ImageIndex")

    @check_names()
    def ingest(
        self,
        *paths: AnyPath | Source | Iterable[AnyPath | Source],
        **options: Unpack[IngestOptions],
    ) -> IngestReport:
        """Write the pictures of `paths` that the index lacks or holds differently.

        Unchanged pictures are skipped before a byte is fetched. Rejected records are kept in the index's
        ledger: see `rejections` and `retry`. Callbacks are called from any thread, one call at a time.

        Args:
            paths: Unsplash dataset folders, folders of images, image files, archives (`.tar`, `.zip`), what
                is in buckets (`s3://bucket/prefix`), videos, tables of pictures (`.csv`, `.tsv`, `.parquet`,
                or a `.txt` of URLs), files of JSON lines (`.ndjson`, `.jsonl`: a record a line, as
                a mapping for `add`), manifests (`write_manifest`), or a `Source` of your own: one by one, or
                as a list. Paths in a table are relative to it.
            limit: Read this many records only.
            images: Folder with a dataset's pictures as `<photo_id>.jpg`.
            prune: At the end, remove documents and rejections of these paths whose record is gone. A path may
                itself be gone. Default: False.
            confirm: Called with a path and a number of documents before `prune` removes all documents of the
                path, or 100 and more than half: a disk that isn't mounted looks like that. They stay where it
                returns False. Default: they stay, counted as `unpruned`.
            labels: Labels to classify each picture by, as in `classify`; kept as the fields `label`,
                `label_probability`, and `p_dog` for the label "dog". Labels without templates take those of
                the last ingest. Default: those of the last ingest; "": none.
            texts: Take the text files (`.txt`) of folders as well, each as a document that searches find
                beside the pictures. Without, those that the index holds stay, also with `prune`. Default:
                False.
            exclude: Patterns, as in a `.gitignore`, of names to leave out in folders and archives: by name
                (`thumbs`, `*.png`), or by the path below the folder (`trash/**`). What the index holds of
                them stays, also with `prune`. Default: none.
            captions: Descriptions: `sidecar` (a text file beside each picture), a JSON file or a dictionary
                of texts by path, or a column of the dataset's photos or of a table. Default: as they are in
                the index; "": none.
            captioner: Writes descriptions of pictures that have none, marked by its name in the field
                `caption_by`: a model of transformers that gives texts for images, as its folder or its name
                in the hub's cache; or a function that takes pictures, RGB arrays of uint8, shape (height,
                width, 3), and returns a text for each. What the same one, by its name, has described is not
                described again. Default: none; what one has written stays.
            detector: Finds the crops of pictures, at most 13 of each: a model of transformers that detects
                objects, as for `captioner`; or a function that takes a picture, as there, and returns boxes,
                the most important first: left, top, right and bottom, in pixels. Another one, by its name or
                threshold, has all pictures cropped and encoded anew. "": the crops of the grid. Default:
                pictures keep their crops, new ones get those of the grid.
            detector_threshold: The least score of what a model finds, 0 to 1. Default: 0.5.
            parts: Parts that get vectors of their own: `captions`, `crops`. Those of former ingests are kept
                up.
            vectors: How vectors are compared first: as `float`, `int8` or `bit`; the smaller, the less memory
                an index wants. An embedded index takes `float` as `int8`. Hits are scored by the float32
                vectors always. Default: as the index is made, a new one as `float`.
            shards: Primary shards of a new index in a cluster. Default: 3.
            replicas: Copies beside the primary shards. Default: as the index has; a new one gets 1 where
                there is a second data node.
            refresh: Seconds until what is written is found. Default: as the index has, a new one 60.
            m: Edges of a node in a new index's HNSW graph, in a cluster. Default: 16.
            ef_construction: Candidates for these edges. Default: 100.
            url_column: A table's column with the pictures: URLs, paths, or an image file's bytes. Default:
                `url`, `image_url` or `image`.
            id_column: A table's column with ids. Default: `id`; without one, ids are made of the URLs.
            frame_interval: Seconds between the frames of a video that are taken. Default: its key frames, at
                most one a second.
            slice: One of several parts of the records, for as many machines: "3/16" is the third of 16, which
                together are the whole. A record's id tells its slice; of a manifest it is each 16th file.
                Default: all records.
            on: `ray`: encode in processes of Ray, on this machine or on the cluster that `RAY_ADDRESS` names.
                The index is opened by a store's address, with an encoder's name. Needs the extra `ray`.
                Default: in this process.
            dry_run: Only say what would be done: read records, and pictures on this machine, and compare them
                with the index. Nothing is fetched, encoded or written. Default: False.
            rate: Pictures that a machine encodes in a second, with their crops if they have some: for the
                hours of a dry run.
            picture_bytes: Bytes of a picture that has to be fetched, on average: for the bytes of a dry run.
            batch_size: Pictures in a forward pass. Default: 32.
            workers: Concurrent fetches; with `on` the processes at once, at most one for each CPU, for an
                embedded index at most 4. Default: 16.
            allow_hosts: Further hosts to fetch from, also at private addresses; `*`: any, at public ones. As
                `s3://bucket` buckets to read, beside those of the paths.
            public_hosts: Further hosts to fetch from, at public addresses only.
            ignore_robots_tag: Take pictures whose server opts out by `X-Robots-Tag`. Default: False.
            max_rejection_rate: Share of rejected records, 0 to 1, above which the run fails: checked from the
                100th record on, and at the end. Default: 0.5.
            cache: Folder for fetched pictures. Default: in the user's cache directory.
            stop: Ends the run early, within seconds, on request; the report then has `stopped`.
            on_rejection: Called with each rejection.
            on_outcome: Called with what became of each record, as soon as it is known.
            on_progress: Called with the progress.
            show_progress: Show the progress on stderr, or in a notebook below the cell. Default: in a
                notebook or on a terminal, unless `on_progress` is given.

        Returns:
            Counts of the run: `read == skipped + written + rejected`. Those of a dry run are what an ingest
            would have, but for what only servers and models can say, and it has `dry_run`.

        Raises:
            SourceError: A path can't be read, or has no pictures.
            EncoderError: The model can't be loaded or used.
            StoreError: The store can't be reached, or refuses the index.
            ConfigError: An argument can't be used.
            TooManyRejections: More than `max_rejection_rate` of the records were rejected. Has the report.

        Example:
            report = index.ingest("photos", prune=True, parts=["crops"])
            print(report.written, report.rejections)
        """
        given = paths_and_sources(paths)
        options = resolve(IngestOptions, options)
        # What only an ingest needs is imported here: a search is a new process's first wait.
        from esclip._ingest.dry_run import dry_run
        from esclip._ingest.progress_display import show_progress
        from esclip._ingest.reading import check_prunable, open_paths
        from esclip.sources import allowed_buckets

        check_prunable(given, options)
        refuse_idle_options(options)
        schema, texts = self._stores.own_schema(), options["texts"]
        options["allow_hosts"] = [*options["allow_hosts"], *allowed_buckets(given)]
        gone = [
            path
            for path in given
            if not isinstance(path, Source) and self._stores.has_left(path, schema, texts=texts)
        ]
        opened = open_paths(given, options, schema.fields if schema else (), gone)
        target = self._target(opened.source, schema, options)
        with show_progress(options) as options:
            reading = opened.reading(options)
            if options["dry_run"]:
                encoder = self._encoders.unloaded(self._stores.pictures.index, schema)
                return dry_run(reading, encoder, target, options)
            if options["on"] == RAY:
                return self._write_by_workers(reading, schema, target, options)
            return self._write(reading, schema, target, options)

    @check_names()
    def add(
        self,
        records: Records,
        *,
        fields: Mapping[str, FieldType | str] | None = None,
        **options: Unpack[AddOptions],
    ) -> IngestReport:
        """Write pictures and texts that a program has, with what is known about them, as an ingest does.

        What the index holds unchanged is skipped. A mapping, or a row of a table, has its picture as
        `image`, `path` or `url`, and may have `id`, `location`, `page` and `description`; all else is
        metadata, typed by its values: texts, numbers, booleans, dates, lists of texts, `{"lat", "lon"}`.
        `image` is anything that a picture alone can be; with a `url` beside it, that is its location.

        A mapping without a picture may have a `text`, which is a document by itself: searches find it beside
        the pictures, by what it says. A `str` alone is a path or a URL; a text alone is a `TextRecord`.

        An `id` that is not given is made of the picture: of a file's path, as an ingest of its folder does;
        of a URL; else of the bytes, or of the pixels of a PIL image or array; that of a text of the text.
        Records with one id are one: the first counts, and replaces the index's document with this id, be it
        a picture or a text. A picture that is only in memory is not kept: its document's location is
        `memory:` and the id, and a rejected one can't be retried.

        Args:
            records: Pictures (paths, URLs, `data:` URIs, an image file's bytes, open files, PIL images, RGB
                arrays of uint8), mappings, `TextRecord`s, `ImageRecord`s, and a `Rejection` in place of what
                can't be read: one, or an iterable of them, which is read in another thread and not held; or a
                table: of pandas, or any that exports Arrow.
            fields: Types of metadata fields, by name: for those that none of the first 1,000 records of an
                iterator has, for `text`, or for dates given as texts. Default: those of the index, else by
                the values.
            limit: Read this many records only.
            labels: As in `ingest`.
            captioner: As in `ingest`.
            detector: As in `ingest`.
            detector_threshold: As in `ingest`.
            parts: As in `ingest`.
            vectors: As in `ingest`.
            shards: As in `ingest`.
            replicas: As in `ingest`.
            refresh: As in `ingest`.
            m: As in `ingest`.
            ef_construction: As in `ingest`.
            batch_size: Pictures in a forward pass. Default: 32.
            workers: Concurrent fetches. Default: 16.
            allow_hosts: Hosts to fetch from, besides images.unsplash.com, also at private addresses.
            public_hosts: Hosts to fetch from at public addresses only.
            ignore_robots_tag: As in `ingest`. Default: False.
            max_rejection_rate: As in `ingest`. Default: 0.5.
            cache: Folder for fetched pictures. Default: in the user's cache directory.
            stop: Ends the run early, within seconds, on request; the report then has `stopped`.
            on_rejection: Called with each rejection.
            on_outcome: Called with what became of each record, as soon as it is known.
            on_progress: Called with the progress.
            show_progress: As in `ingest`.

        Returns:
            Counts of the run: `read == skipped + written + rejected`.

        Raises:
            ConfigError: `records` or another argument can't be used.
            EsclipError: As `ingest`.

        Example:
            from PIL import Image

            report = index.add(
                {"id": str(n), "image": Image.new("RGB", (64, 64), color), "shop": "oslo", "price": 9.5}
                for n, color in enumerate(["red", "green"])
            )
            assert report.written == 2
            index.search_text("red", where="price<10")
            index.add([{"id": "t1", "text": "a red door in Oslo"}, esclip.TextRecord("blue sky")])
        """
        from esclip._ingest.progress_display import show_progress
        from esclip._ingest.reading import Reading
        from esclip.sources.chain import ChainedSource
        from esclip.sources.memory.source import MemorySource

        options = resolve(AddOptions, options)
        schema = self._stores.own_schema()
        source: Source = MemorySource(records, fields, schema.fields if schema else ())
        if options["limit"] is not None:
            source = ChainedSource([source], options["limit"])
        target = self._target(source, schema, options)
        with show_progress(options) as options:
            return self._write(Reading(source), schema, target, options)

    def _write(
        self, reading: Reading, schema: IndexSchema | None, target: Target, options: AddOptions
    ) -> IngestReport:
        from esclip._ingest.run import run

        report = run(reading, self._encoder(schema), target, self._stores.ledger, options)
        self._stores.forget_schema()  # the fields may be more now
        return report

    def _write_by_workers(
        self, reading: Reading, schema: IndexSchema | None, target: Target, options: IngestOptions
    ) -> IngestReport:
        from esclip._ingest.distribution import (
            EMBEDDED_WORKERS,
            ingest_by_workers,
            may_use_gpu,
            worker_task,
        )
        from esclip._ingest.ray_workers import open_workers

        assert self._worker_address
        address, encoder = self._worker_address(), self._encoder(schema)
        most = min(options["workers"], EMBEDDED_WORKERS) if is_folder(address.store) else options["workers"]
        task = worker_task(address, reading.source, options)
        with open_workers(most, gpu=may_use_gpu(task)) as workers:
            report = ingest_by_workers(reading, encoder, target, self._stores.ledger, options, workers, task)
        self._stores.forget_schema()
        return report

    def _target(self, source: Source, schema: IndexSchema | None, options: AddOptions) -> Target:
        """What a run of these options writes. Raises `ConfigError` for names that no field can have."""
        from esclip._ingest.picture_models import open_models
        from esclip._ingest.run import Target
        from esclip.stores.validation import check_field_names
        from esclip.stores.vector_cache.store import VectorCacheStore

        try:
            check_field_names(tuple(source.fields))
        except ValueError as error:
            raise ConfigError(str(error)) from None
        labels, remembered = options["labels"], schema.label_set if schema else None
        kinds = {*options["parts"], *(schema.parts if schema else ())}
        models = open_models(options["captioner"], options["detector"], options["detector_threshold"])
        if models.detector and CROPS not in kinds:
            raise ConfigError("detector: the index has no crops for it to find", Hint.INGEST_CROPS)
        return Target(
            self._stores.pictures,
            remembered if labels is None else LabelSet.of(labels, remembered),
            [kind for kind in PART_KINDS if kind in kinds],
            IndexSettings.of(options),
            self._stores.parts,
            self._stores.texts,
            is_searchable=not isinstance(self._stores.pictures, VectorCacheStore),
            models=models,
        )

    @check_names()
    def rejections(self, reasons: Reason | str | Iterable[Reason | str] = ()) -> Iterator[LedgerEntry]:
        """Read the rejections of past ingests whose record the index still lacks, oldest first.

        Args:
            reasons: One reason or several, as `Reason` or by its value, such as `timeout`. Default: all.

        Returns:
            An iterator, to be used while the index is open.

        Raises:
            IndexNotFound: There is neither such an index nor a rejection.

        Example:
            for rejection in index.rejections(["http_5xx", esclip.Reason.TIMEOUT]):
                print(rejection.location, rejection.detail)
        """
        self._stores.require_index_or_ledger()
        return self._stores.until_closed(self._stores.ledger.entries(_reasons(reasons)))

    def rejection_counts(self, reasons: Reason | str | Iterable[Reason | str] = ()) -> Mapping[Reason, int]:
        """Count the `rejections` by reason, most frequent first.

        Args:
            reasons: As in `rejections`.

        Raises:
            IndexNotFound: There is neither such an index nor a rejection.
        """
        self._stores.require_index_or_ledger()
        return self._stores.ledger.counts(_reasons(reasons))

    @check_names()
    def retry(
        self,
        *,
        reasons: Reason | str | Iterable[Reason | str] = (),
        **options: Unpack[RetryOptions],
    ) -> IngestReport:
        """Ingest again what was rejected, and only that.

        Rows without a record, such as broken ones, are left to an ingest, which reads them again.

        Args:
            reasons: As in `rejections`.
            **options: `batch_size`, `workers`, `allow_hosts`, `public_hosts`, `ignore_robots_tag`,
                `max_rejection_rate` (default: 1), `cache`, `stop`, `on_rejection`, `on_outcome`,
                `on_progress`, `show_progress`: as in `ingest`.

        Returns:
            Counts of the run.

        Raises:
            IndexNotFound: There is no such index.
            EsclipError: As `ingest`.

        Example:
            index.retry(reasons=["http_5xx", "timeout"], workers=4)
        """
        from esclip._ingest.progress_display import show_progress
        from esclip._ingest.reading import Reading
        from esclip._ingest.retry import LedgerSource
        from esclip._ingest.run import Target, run

        options = resolve(RetryOptions, options)
        self._stores.forget_schema()  # the labels may be others now
        schema, wanted = self._stores.require_schema(), _reasons(reasons)
        self._stores.require_own_pictures(schema)
        source = LedgerSource(self._stores.ledger, schema.fields, wanted)
        if without := sum(self._stores.ledger.counts(wanted).values()) - source.total():
            log.warning(
                "not retried: %s of rows or folders that gave no record; only an ingest reads them again",
                pluralize(without, "rejection"),
            )
        target = Target(
            self._stores.pictures,
            schema.label_set,
            schema.parts,
            NO_SETTINGS,
            self._stores.parts,
            self._stores.texts,
        )
        encoder = self._encoder(schema)
        with show_progress(options) as options:
            report = run(Reading(source), encoder, target, self._stores.ledger, options)
        self._stores.forget_schema()  # the runtimes may be more now
        return report

    @check_names()
    def reencode(self, source: ImageIndex, **options: Unpack[ReencodeOptions]) -> IngestReport:
        """Write the documents of another index into this one, encoded by this one's model.

        Ids, locations, descriptions, metadata and fingerprints are those that the other index has; labels,
        parts of pictures and texts are made as there. Pictures come from where they are, or from the cache of
        those that were fetched; a file that has changed since is rejected. What this index holds unchanged is
        skipped: a run that was ended goes on, and a later one takes over what the other index has got since.
        The other index is only read.

        Args:
            source: An open index, which was made with another model.
            limit: As in `ingest`; nothing is removed then.
            images: Folder with the pictures of web addresses as `<id>.jpg`.
            trust: Read files of this machine also where the index doesn't know their bytes, as of vectors
                that were imported from other programs. Default: False, they are rejected.
            keep_deleted: Leave documents that were deleted from the other index. Default: False.
            confirm: Called with the other index and a number before all documents are removed, or 100 and
                more than half. Default: they stay, counted as `unpruned`.
            dry_run: As in `ingest`.
            rate: As in `ingest`.
            picture_bytes: As in `ingest`.
            vectors: As in `ingest`. Default: as the other index is made, where it is in the same store.
            shards: As `vectors`.
            replicas: As `vectors`.
            refresh: As `vectors`.
            m: As `vectors`.
            ef_construction: As `vectors`.
            batch_size: Pictures in a forward pass. Default: 32.
            workers: Concurrent fetches. Default: 16.
            allow_hosts: As in `ingest`.
            public_hosts: As in `ingest`.
            ignore_robots_tag: As in `ingest`. Default: False.
            max_rejection_rate: As in `ingest`. Default: 0.5.
            cache: Folder for fetched pictures. Default: in the user's cache directory.
            stop: As in `ingest`.
            on_rejection: Called with each rejection.
            on_outcome: Called with what became of each record, as soon as it is known.
            on_progress: Called with the progress.
            show_progress: As in `ingest`.

        Returns:
            Counts of the run: `read == skipped + written + rejected`.

        Raises:
            IndexNotFound: The other index is not there.
            IndexExists: This index was made of something else, or an alias points to it.
            IndexMismatch: This index was made with a third model.
            ConfigError: Both have the same model, or are one, or an argument can't be used.
            EsclipError: As `ingest`.

        Example:
            with esclip.open_index("store", "photos-2", encoder="palette") as new:
                try:
                    new.reencode(index)
                except esclip.ConfigError as error:
                    print(error)  # the index is of this model already
        """
        from esclip._ingest.dry_run import dry_run
        from esclip._ingest.progress_display import show_progress
        from esclip._ingest.reencoding import open_documents
        from esclip._ingest.run import run

        if not isinstance(source, ImageIndex):
            raise wrong_kind("the source", source, "an open index")
        options = resolve(ReencodeOptions, options)
        refuse_idle_options(options)
        ledger, present = self._stores.ledger, self._stores.own_schema()
        old = source._stores
        old.own_schema()  # or it has no pictures to be encoded
        documents = open_documents(old.pictures, old.texts, self._stores.pictures, present, options)
        load = self._encoders.unloaded if options["dry_run"] else self._encoders.resolve
        encoder = load(self._stores.pictures.index, present)
        documents.require_other_space(encoder.space)
        target = documents.target(self._stores.parts, self._stores.texts)
        with show_progress(options) as options:
            reading = documents.reading(options)
            if options["dry_run"]:
                return dry_run(reading, encoder, target, options)
            report = run(reading, encoder, target, ledger, options)
        self._stores.forget_schema()
        return report

    @check_names()
    def delete(
        self,
        ids: AnyId | Iterable[AnyId] = (),
        *,
        paths: AnyPath | Iterable[AnyPath] = (),
        where: Where | None = None,
        confirm: Callable[[Deletion], bool] | None = None,
    ) -> int:
        """Remove documents with their parts and rejections. Picture files stay.

        A picture that is still in an ingested folder comes back with the next ingest.

        Args:
            ids: Ids or hits.
            paths: Files, folders with all below them, or URLs; they may be gone.
            where: Filter, as in `search_text`: of what `ids` and `paths` name, only these; without both, of
                all.
            confirm: Called with what would be removed; False keeps it.

        Returns:
            Number of documents removed.

        Raises:
            IndexNotFound: There is no such index.
            DocumentNotFound: The index holds none of these ids and paths.
            ConfigError: Nothing is named, or the filter fits no field of the index.

        Example:
            index.delete(paths="photos", where="label=red")
        """
        from esclip._ingest.deletion import Selection, delete

        named = frozenset(coerce_ids("ids", ids))
        roots = tuple(dict.fromkeys(map(location_of, coerce_paths("a path", [paths]))))
        where = normalize_where(where)  # an iterator without filters is none, or it would be all documents
        if not named and not roots and not where:
            raise ConfigError(
                "there is nothing to delete: give ids, paths or a filter; drop removes the index"
            )
        schema = self._stores.own_schema()
        if schema is None and where:
            raise missing_index(self._stores.pictures)
        self._stores.require_index_or_ledger()
        selection = Selection(named, roots, parse_filter(where, schema.fields) if where and schema else ())
        store = self._stores.with_texts(schema, self._stores.with_parts(schema)) if schema else None
        return delete(store, self._stores.ledger, selection, confirm)

    @check_names()
    def get(self, ids: AnyId | Iterable[AnyId]) -> Documents:
        """Read documents by id, with their vectors.

        Args:
            ids: Ids or hits, or one.

        Returns:
            The documents in this order, without those that the index lacks: their ids are its `missing`.

        Raises:
            IndexNotFound: There is no such index.

        Example:
            first, second = index.get(index.search_text("red", k=2))
            table = index.get(first.record.id).to_arrow(vectors=True)
            assert index.get(["no such id"]).missing == ("no such id",)
        """
        named = coerce_ids("ids", ids)
        return self._read(self._stores.with_texts(self._stores.require_schema()), named)

    @check_names()
    def peek(self, n: int = DEFAULT_K) -> Documents:
        """Read some documents, to see what the index holds: the first by id.

        Args:
            n: Number of documents, 1 to 10,000, at most.

        Returns:
            The documents, with their vectors.

        Raises:
            IndexNotFound: There is no such index.

        Example:
            print(index.peek(2).to_pandas())
        """
        n = int(PEEK.check("n", n))
        store = self._stores.with_texts(self._stores.require_schema())
        return self._read(store, [*islice(_scan_ids(store, min(n, SCAN_PAGE)), n)])

    @check_names()
    def ids(self, after: str = "") -> Iterator[str]:
        """Iterate over the ids of all documents, in their order.

        Args:
            after: Begin behind this id, whether it is there or not.

        Raises:
            IndexNotFound: There is no such index.

        Example:
            assert [*index.ids(after="zzzz")] == []
        """
        last_id = coerce_text("after", after)
        return _scan_ids(self._stores.with_texts(self._stores.require_schema()), SCAN_PAGE, last_id)

    @check_names(instead=_IN_A_QUERY)
    def search(self, query: AnyQuery) -> Hits:
        """Search by a query of one or several parts.

        Args:
            query: A `Query`, or its single part: a text, a `Path`, a PIL image, an array, a hit, a clause.

        Returns:
            Hits, best first.

        Raises:
            IndexNotFound: The index is not there, or is empty.
            ConfigError: The filter fits no field of the index, or an argument can't be used.
            DocumentNotFound: The query names an id that the index lacks.
            FetchError: A picture of the query can't be fetched.
            DecodeError: A picture of the query can't be read.
            ValueError: A number is out of its bounds, or a text is empty.

        Example:
            query = esclip.Query("a beach", esclip.Text("people", -0.5), k=20, where="label!=red")
            hits = index.search(query)
        """
        (hits,) = self.search_many([query])
        return hits

    @check_names(instead=_IN_A_QUERY)
    def search_many(self, queries: Iterable[AnyQuery]) -> list[Hits]:
        """Search by several queries at once: encoded together, sent in one request or a few.

        Args:
            queries: Queries, each as in `search`.

        Returns:
            Hits of each query, in order.

        Raises:
            EsclipError: As `search`.
        """
        wanted = [Query.of(q) for q in coerce_several("queries", queries, "several queries, such as a list")]
        schema = self._stores.require_schema()
        parts = cache(self._stores.require_parts)  # checked once for all searches
        retriever = Retriever(self._stores.pictures, parts)
        texts = cache(lambda: Retriever(self._stores.require_texts(), self._stores.require_parts))
        documents = self._stores.with_texts(schema)
        searcher = Searcher(retriever, texts, documents, schema, lambda: self._query_encoder(schema))
        try:
            results = searcher.search_many(wanted)
        except DocumentNotFound:
            self._stores.require_documents()
            raise
        if not any(results):
            self._stores.require_documents()  # without an index or documents, no hits are an error
        return SearchResults(results, map(str, wanted))

    @check_names()
    def duplicates(
        self,
        threshold: float = DUPLICATE,
        where: Where | None = None,
        *,
        on_progress: Callable[[int], None] | None = None,
        show_progress: bool | None = None,
    ) -> list[DuplicateGroup]:
        """Group the pictures of the whole index that show nearly the same. Removes nothing.

        Args:
            threshold: Cosine, 0 to 1, that each picture of a group has with another of it, at least.
            where: Filter, as in `search_text`: compare only these pictures.
            on_progress: Called with the number of pictures done so far: half when read, half when compared.
            show_progress: As in `ingest`.

        Returns:
            Groups, largest first.

        Raises:
            EsclipError: As `search`.
        """
        THRESHOLD.check("threshold", threshold)
        coerce_callback("on_progress", on_progress)
        if show_progress is not None and not isinstance(show_progress, bool):
            raise wrong_kind("show_progress", show_progress, "a bool")
        from esclip._ingest.progress_display import show_count

        filters = parse_filter(where, self._stores.require_schema().fields)
        total = None if filters else self._count
        with show_count(show_progress, total, on_progress) as count:
            groups = find_duplicates(self._stores.pictures, filters, threshold, count)
        if not groups:
            self._stores.require_documents()
            if note := explain_filter(self._stores.pictures, filters):
                log.warning("%s", note)
        return groups

    @check_names()
    def facets(
        self,
        fields: str | Iterable[str] | None = None,
        where: Where | None = None,
        limit: int = FACET_VALUES.default,
    ) -> Facets:
        """Count what documents have in some fields: values of texts, ranges of numbers and dates.

        All documents that the filter leaves are counted, whatever a search for them would find first.

        Args:
            fields: Names of fields, or one. Default: all but those of sentences and places, and the
                probabilities of labels.
            where: Filter, as in `search_text`.
            limit: Number of values of each field, 1 to 1,000: the most frequent ones. Default: 20.

        Returns:
            A facet by the name of each field, and the number of documents.

        Raises:
            IndexNotFound: The index is not there, or is empty.
            FieldNotFound: The index has no field of a name.
            ConfigError: A field has no values that can be counted, or an argument can't be used.
            ValueError: `limit` is out of its bounds.

        Example:
            facets = index.facets(["label", "width"], where="exists(width)")
            print(facets.documents, facets["width"].minimum)
            for value in facets["label"].values:
                print(value.value, value.count)
        """
        limit = int(FACET_VALUES.check("limit", limit))
        if fields is not None:
            fields = coerce_texts("fields", [fields] if isinstance(fields, str) else fields)
        schema = self._stores.require_schema()
        filters = parse_filter(where, schema.fields)
        documents = self._stores.with_texts(schema)
        facets = documents.facets(select_fields(fields, schema), filters, limit)
        if not facets.documents:
            self._stores.require_documents()
            if note := explain_filter(documents, filters):
                log.warning("%s", note)
        return facets

    def export(
        self,
        path: AnyPath,
        *,
        on_progress: Callable[[str, int], None] | None = None,
        **options: Unpack[ExportOptions],
    ) -> ExportReport:
        """Write all documents into a vector cache: a folder of Parquet files, which any store imports.

        Each file has ids, fingerprints, vectors, locations, descriptions and metadata, 65,536 documents, and
        the index's schema; `_SUCCESS.json` is written last. The index's texts are in the folder `_texts`, the
        parts of its pictures in `_parts`. An export that was ended is begun anew. Memory doesn't grow with
        the index.

        Args:
            path: A folder, new or empty.
            on_progress: Called with what is written, "pictures", "texts" or "parts", and how many of them.
            dtype: Numbers of the vectors: `float32`, or `float16`, which takes half the disk and changes
                cosines by up to 0.0005. Default: "float32".

        Returns:
            Counts of documents and bytes.

        Raises:
            IndexNotFound: There is no such index.
            ConfigError: The folder holds something else, or an argument can't be used.
            StoreError: The store can't be reached, or the folder not be written.

        Example:
            report = index.export("cache")
            assert report.documents == index.stats().documents
        """
        from esclip._transfer.exporting import PARTS, TEXTS, export

        coerce_callback("on_progress", on_progress)
        folder = user_path(coerce_path("the path", path), "the path")
        schema = self._stores.require_info().schema
        beside = {TEXTS: self._stores.require_texts()} if schema.texts else {}
        beside |= {PARTS: self._stores.require_parts()} if schema.parts else {}
        tell = on_progress or (lambda what, count: None)
        return export(self._stores.pictures, beside, folder, resolve(ExportOptions, options), tell)

    @check_names()
    def import_vectors(self, path: AnyPath, **options: Unpack[ImportOptions]) -> IngestReport:
        """Write documents that have vectors into the index, without encoding: a vector cache, or others'.

        A vector cache goes into any store: ids, fingerprints, vectors and metadata are as they were exported,
        with texts and parts of pictures. A new index is made as the exported one was; one that is there gets
        what it lacks or has differently. An import that was ended goes on where it was, and a later ingest of
        the same pictures encodes nothing.

        Vectors of other programs are those of the index's encoder, or for a new index of the one that it was
        opened with, which has to be named. 8 of their pictures are encoded anew and compared, of files and of
        hosts that may be asked.

        Args:
            path: The folder of a vector cache, as `export` writes it; of clip-retrieval or LAION, with
                `img_emb` and `metadata`; Parquet files with a column of vectors; or an `.npy` file with a
                table of ids or URLs beside it.
            ids: The table with the ids of the rows of an `.npy` file, or with their URLs. Default: the one
                beside it.
            vector_column: The column of a Parquet file that has the vectors. Default: the only one of lists
                of floats.
            url_column: As in `ingest`, of others' vectors.
            id_column: As in `ingest`, of others' vectors.
            trust: Take vectors of others to be those of the model, without encoding 8 pictures to compare.
                Default: False.
            allow_hosts: Further hosts to fetch these pictures from, also at private addresses.
            vectors: As in `ingest`.
            shards: As in `ingest`.
            replicas: As in `ingest`.
            refresh: As in `ingest`.
            m: As in `ingest`.
            ef_construction: As in `ingest`.
            max_rejection_rate: As in `ingest`. Default: 0.5.
            stop: Ends the import early, within seconds, on request; the report then has `stopped`.
            on_rejection: Called with each rejection.
            on_outcome: Called with what became of each document, as soon as it is known.
            on_progress: Called with the progress.
            show_progress: As in `ingest`.

        Returns:
            Counts of documents: `read == skipped + written + rejected`. Parts of pictures are not counted.

        Raises:
            SourceError: There are no vectors that can be read, an unfinished vector cache, or a damaged one.
            EncoderError: The model can't be loaded or used.
            IndexMismatch: The index was made with another model, or has a field of another type.
            StoreError: The store can't be reached, or refuses the index.
            ConfigError: The vectors are not those of the model, or an argument can't be used.
            TooManyRejections: More than `max_rejection_rate` of the documents were rejected.

        Example:
            index.export("cache")
            with esclip.open_index("other", encoder="palette") as other:
                report = other.import_vectors("cache")
                assert report.written == index.stats().documents
                print(other.search_text("red", 1))
        """
        from esclip._ingest.progress_display import show_progress
        from esclip._transfer.importing import Target, import_documents, is_cache, read_cache

        options = resolve(ImportOptions, options)
        folder = user_path(coerce_path("the path", path), "the path").absolute()
        schema = self._stores.own_schema()
        target = Target(self._stores.pictures, self._stores.texts, self._stores.parts)
        of_others = not is_cache(folder)
        given = self._read_others(folder, schema, options) if of_others else read_cache(folder)
        with show_progress(options) as options:
            report = import_documents(given, target, self._stores.ledger, options, str(folder))
        self._stores.forget_schema()  # the fields may be more now
        if of_others and not (options["trust"] or report.stopped):  # else the next ingest measures it
            from esclip._ingest.calibration import calibrate

            calibrate(self._stores.pictures, self._encoder(self._stores.pictures.schema()))
        return report

    def _read_others(
        self, path: Path, schema: IndexSchema | None, options: ImportOptions
    ) -> Mapping[str, VectorTables]:
        """Vectors of another program; their model is the index's, or named."""
        from esclip._transfer.others import read_others
        from esclip._transfer.verification import require_model

        if schema is None and not self._encoders.is_named:
            raise ConfigError(
                f"{path} is no vector cache of esclip's, and doesn't say which model made its vectors",
                Hint.ENCODER,
            )
        encoder = None if schema and options["trust"] else self._encoder(schema)
        space = encoder.space if encoder else schema.space if schema else None
        assert space
        others = read_others(path, space, options, schema.fields if schema else ())
        if encoder and not options["trust"]:
            require_model(others.first_pairs(), encoder, options["allow_hosts"])
        return others.documents()

    @check_names()
    def adopt(self, **options: Unpack[AdoptOptions]) -> Adoption | None:
        """Take over an index of OpenSearch or Elasticsearch that another program made, to search it.

        Its mapping gets esclip's schema (`_meta.esclip`); documents, fields and settings stay as they are.
        Its vectors must have the dimension of the model that the index was opened with, and be found in the
        order of their cosines. Scores and ids are tried; that the vectors are that model's, nothing in the
        index can tell. Fields may lie in objects: `urls.full`.

        Args:
            vector_field: The field of vectors. Default: the only one.
            id_field: The field of ids, a keyword or whole numbers; `_id`: the documents' own. Default:
                `photo_id`, `image_id`, `picture_id` or `id`; else `_id`.
            location_field: The field of URLs or paths of the pictures; "": none. Default: one with a usual
                name, such as `photo_url`; else none.
            description_field: The field of descriptions; "": none. Default: one with a usual name, such as
                `describe`; else none.
            dry_run: Only check the index, and say what would be taken. Default: False.
            undo: Take back an adoption. Documents stay as they are. Default: False.

        Returns:
            What it found and took; None for an `undo`.

        Raises:
            ConfigError: No encoder is named, the index is esclip's own, or an option doesn't fit it.
            IndexNotFound: There is no such index.
            IndexMismatch: The index has vectors of another dimension, does not find them by their cosines, or
                has several documents with one id.
            EncoderError: The model can't be loaded.
            StoreError: The cluster can't be reached, or does not let its mapping be changed.
        """
        options = resolve(AdoptOptions, options)
        if options["undo"] and options["dry_run"]:
            raise ConfigError("undo and dry_run at once; give one")
        store = require_adoptable(self._stores.pictures)
        self._stores.forget_schema()
        if options["undo"]:
            store.release()
            return None
        if not self._encoders.is_named:
            raise ConfigError(
                f"index {store.index!r} in {store.address} does not say which model made its vectors",
                Hint.ENCODER,
            )
        return store.adopt(self._encoder(None).space, options)

    @property
    def store(self) -> Store:
        """The store of the pictures, as it is: for what reads more than searches do.

        Raises:
            ConfigError: The index is closed.

        Example:
            print(index.store.address)
        """
        return self._stores.pictures

    def stats(self) -> Stats:
        """Count documents and bytes, and tell encoder, fields, labels and parts of the index.

        Raises:
            IndexNotFound: There is no such index.
        """
        info = self._stores.require_info()
        beside = self._stores.parts().info() if info.schema.parts else None
        parts = beside if beside and holds_parts(beside.schema) else None
        beside = self._stores.texts().info() if info.schema.texts else None
        texts = beside if beside and holds_texts(beside.schema) else None
        store = self._stores.pictures
        info = replace(info, aliases=tuple(store.aliases()))
        return Stats.of(info, store.index, store.address, parts=parts, texts=texts)

    def load_encoder(self) -> Encoder:
        """Load the encoder that the index's searches use: its own, or the one that it was opened with.

        Raises:
            EncoderError: The model can't be found or used.
            IndexMismatch: The index was made with another encoder.
            StoreError: The store can't be reached.

        Example:
            index.load_encoder().encode_texts(["something red"])
        """
        return self._query_encoder(self._stores.pictures.schema())

    def follow(self) -> ImageIndex | None:
        """Open the index anew, where its name is an alias that points elsewhere by now.

        An index stays with what its alias pointed to when it was first used. A program that runs for long
        asks from time to time, takes the new one, and closes the old one when its searches have ended. A
        model that both have is not loaded again.

        Returns:
            The new index, to be closed like this one; None where the name still points to this one, or
            nowhere.

        Raises:
            StoreError: The store can't be reached.

        Example:
            if (newer := index.follow()) is not None:
                index = newer
        """
        name = self._stores.pictures.index
        target = self._stores.named.alias_target()
        if target is None or target == name:
            return None
        named = self._stores.named.open_other(self._stores.named.index)
        other = ImageIndex(named, None, None, address=self._worker_address)
        try:
            schema = other._stores.pictures.schema()
            if schema is None or other._stores.pictures.index == name:
                other.close()
                return None
            other._encoders = self._encoders.for_space(schema.space)
        except BaseException:
            other.close()
            raise
        return other

    def drop(self, *, aliases: bool = False, confirm: Callable[[Stats], bool] | None = None) -> None:
        """Remove the index with its texts, its parts, its ledger, and what people have decided about it on a
        service's pages. Picture files stay.

        Args:
            aliases: Remove the aliases that point to it, too. Default: the index is not removed while there
                are some.
            confirm: Called with what the index holds, before it is removed; False keeps it.

        Raises:
            IndexNotFound: There is no such index.
            ConfigError: The index is named by an alias, or is what an alias points to.
        """
        self._stores.require_droppable(aliases=aliases)
        if confirm is not None and not confirm(self.stats()):
            return
        self._stores.drop()
        remove_reviews(self._stores.pictures.address, self._stores.pictures.index)

    def close(self) -> None:
        """Free connections and files. Closing twice is harmless; other calls raise `ConfigError` then."""
        self._stores.close()

    def __enter__(self) -> ImageIndex:
        self._stores.require_open()
        return self

    def __len__(self) -> int:
        """The number of documents; 0 where the index does not exist."""
        info = self._stores.info()
        return 0 if info is None else info.documents

    def _holds(self, id: str) -> bool:
        return id in self._stores.with_texts(self._stores.require_schema()).fingerprints([id])

    def __iter__(self) -> Iterator[str]:
        """The ids of all documents, in their order."""
        with suppress(IndexNotFound):
            yield from _scan_ids(self._stores.with_texts(self._stores.require_schema()), SCAN_PAGE)

    def __repr__(self) -> str:
        documents, encoder = self._describe()
        contents = f"{documents}, encoder {encoder}" if encoder else documents
        named = self._stores.named
        return f"<ImageIndex {named.index!r} in {escape(mask(named.address))}: {contents}>"

    def _repr_html_(self) -> str:
        documents, encoder = self._describe()
        named = self._stores.named
        where = (("index", named.index), ("store", mask(named.address)))
        return render_table([*where, ("holds", documents), ("encoder", encoder)])

    def _describe(self) -> tuple[str, str]:
        """What can be told at once: how many documents there are, and the encoder's name."""
        if self._stores.is_closed:
            return "closed", ""
        answer = result_within(DESCRIPTION_TIMEOUT_S, lambda: [self._stores.info()])
        if answer is None:
            return "an unknown number of documents", ""
        (info,) = answer
        if info is None:
            return "does not exist yet", ""
        return pluralize(info.documents, "document"), escape(info.schema.space.model)

    def _count(self) -> int:
        """The number of pictures."""
        return self._stores.require_info().documents

    def _read(self, store: Store, ids: Sequence[str]) -> Documents:
        """The documents of these ids, in this order."""
        documents: dict[str, StoredDocument] = {}
        for page in batches(filter(is_unicode, dict.fromkeys(ids)), PAGE_SIZE):
            documents |= store.documents(page)
        missing = dict.fromkeys(id for id in ids if id not in documents)
        return Documents((documents[id] for id in ids if id in documents), missing)

    def _encoder(self, schema: IndexSchema | None) -> Encoder:
        return self._encoders.resolve(self._stores.pictures.index, schema)

    def _query_encoder(self, schema: IndexSchema | None) -> Encoder:
        """The encoder for searches, which remembers texts; those of documents come only once."""
        return self._encoders.resolve_for_queries(self._stores.pictures.index, schema)


def _scan_ids(store: Store, page: int, last_id: str = "") -> Iterator[str]:
    """The ids of all documents after this one, read by pages."""
    while hits := store.search(Scan(page, after=last_id))[0]:
        yield from (hit.id for hit in hits)
        last_id = hits[-1].id


def _reasons(reasons: Reason | str | Iterable[Reason | str]) -> frozenset[Reason]:
    """The reasons by their names. Raises `ValueError` for what is none, `ConfigError` for no names."""
    alone = isinstance(reasons, str | Reason)
    several = [reasons] if alone else coerce_several("reasons", reasons, "reasons by their names")
    return frozenset(map(Reason, several))
