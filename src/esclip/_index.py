"""The facade: one index of pictures, to fill and to search.

open_index(...) ─► ImageIndex ─┬─► ingest · rejections · retry · delete · stats · drop
                               └─► search · search_text · search_image · similar · ... · duplicates
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Unpack

from esclip._core.arguments import (
    AnyCaptions,
    AnyId,
    AnyPath,
    given_ids,
    given_path,
    given_paths,
    given_several,
    given_text,
    given_texts,
    wrong_kind,
)
from esclip._core.bounds import LIMITS
from esclip._core.labels import Labels, LabelSet
from esclip._core.parts import holds_parts, parts_index
from esclip._core.rejections import IngestReport, LedgerEntry, Reason
from esclip._core.schema import IndexSchema, Stats
from esclip._core.settings import DEFAULT_INDEX, default_store
from esclip._core.targets import KINDS, select_known
from esclip._errors import ConfigError, IndexExists, SourceError
from esclip._files.locations import user_path
from esclip._files.paths import is_below, location_of
from esclip._ingest.ledger import Ledger
from esclip._ingest.ledger_file import ledger_path
from esclip._ingest.options import IngestOptions
from esclip._net.access import StoreAuth
from esclip._protocols import Encoder, Store
from esclip._search.filter_input import plain_where
from esclip._search.filter_parser import Where, conditions
from esclip._search.searchable import SearchableIndex
from esclip._text.secrets import Address, Secret
from esclip.encoders import load_encoder
from esclip.encoders.resolver import EncoderResolver
from esclip.stores import open_store

if TYPE_CHECKING:
    from esclip._ingest.deletion import Deletion

__all__ = ["ImageIndex", "open_index"]

log = logging.getLogger("esclip")


def open_index(
    store: AnyPath | Store | None = None,
    index: str = DEFAULT_INDEX,
    encoder: AnyPath | Encoder | None = None,
    text_encoder: AnyPath | None = None,
    *,
    device: str | None = None,
    precision: str | None = None,
    encoder_token: str | None = None,
    access: StoreAuth | None = None,
) -> ImageIndex:
    """An index of pictures, there or yet to be made. Nothing is connected to or loaded before it is needed.

    `store` is a folder (the embedded store; by default one in the user's data directory), the `http://` or
    `https://` address of an OpenSearch or Elasticsearch, or any `Store`. `encoder` is a model name, a local
    model folder, `palette`, the address of an encoder server, or any `Encoder`; by default what the index was
    made with, and `clip-ViT-B-32` for a new one. `text_encoder` names the text tower for queries where it
    shall be another one. `device` and `precision` say what a named model runs on, where `load_encoder` shall
    not choose; `encoder_token` is what an encoder server wants to see, `access` what lets us into a cluster.

    A process that is forked (gunicorn --preload, Celery, multiprocessing) may use what its parent has opened:
    it gets connections of its own. Lance, OpenVINO and torch can't do that: a child that reads an embedded
    index or encodes gets a `StoreError` or an `EncoderError` where its parent had done so before the fork.

    Raises `ConfigError` for an address or a name that can't be used.
    """
    given_text("the index", index, "a name")
    if access is not None and not isinstance(access, StoreAuth):
        raise wrong_kind("access", access, "an Access")
    if encoder_token is not None:
        encoder_token = Secret(given_text("encoder_token", encoder_token))
    if store is None:
        store = default_store()
    if isinstance(store, (str, os.PathLike)):
        store = given_path("the store", store)
        store = Address(store) if isinstance(store, str) else store
        store = open_store(store, index, access)
    elif access is not None:
        raise ConfigError("access goes with a store's address, not with a store")
    elif not hasattr(store, "upsert"):
        raise wrong_kind("the store", store, "a folder, an address or a Store")
    if isinstance(encoder, (str, os.PathLike)):
        encoder = Address(_named("the encoder", encoder))
    elif encoder is not None and not hasattr(encoder, "encode_texts"):
        raise wrong_kind("the encoder", encoder, "a model's name, a folder, an address or an Encoder")
    load = partial(load_encoder, device=device, precision=precision)
    texts = _named("text_encoder", text_encoder) if text_encoder is not None else None
    return ImageIndex(store, encoder, texts, load, encoder_token)


def _named(what: str, model: AnyPath) -> str:
    """The name of a model; a path's is a folder's, which can be no name on the hub."""
    given = given_path(what, model, "a model's name, a folder or an address")
    return str(given.expanduser().absolute()) if isinstance(given, Path) else given


class ImageIndex(SearchableIndex):
    """An index of pictures. Searching from several threads is safe; `close` it, or use it with `with`."""

    def __init__(
        self,
        store: Store,
        encoder: str | Encoder | None,
        text_encoder: str | None,
        load: Callable[..., Encoder] = load_encoder,
        encoder_token: str | None = None,
    ) -> None:
        """Use `open_index`, which knows the defaults."""
        super().__init__(store, EncoderResolver(encoder, text_encoder, load, encoder_token))
        self._open_ledger = Ledger(ledger_path(store.address, store.index))

    @property
    def _ledger(self) -> Ledger:
        """What was rejected. Raises `ConfigError` when the index is closed."""
        assert self._store
        return self._open_ledger

    def ingest(
        self,
        *paths: AnyPath | Iterable[AnyPath],
        limit: int | None = None,
        images: AnyPath | None = None,
        prune: bool = False,
        confirm: Callable[[str, int], bool] | None = None,
        labels: Labels | None = None,
        captions: AnyCaptions | None = None,
        parts: Collection[str] = (),
        **options: Unpack[IngestOptions],
    ) -> IngestReport:
        """Write the pictures of `paths` that the index lacks or holds differently.

        `paths` are Unsplash dataset folders, folders of images, or image files, one after the other or as a
        list. `limit` takes the first records only; `images` is a folder that holds the dataset's pictures as
        `<photo_id>.jpg`. `prune` removes, at the end, the documents and rejections of these paths whose
        record is not there any more; a path may itself be gone. `confirm` is asked, with the path and the
        number of documents, before a path loses all that the index holds of it, or 100 and more than half: a
        disk that isn't mounted looks like that. Without it they stay, and the report counts them as
        `unpruned`. `options` are those of `IngestOptions`.

        `labels` are what each picture is labelled by, as in `classify`: kept as the fields `label`,
        `label_probability`, and `p_dog` for the label "dog"; by default those of the last ingest into the
        index, and none for `""`. Labels without templates, which a `LabelSet` has, take those of the last.

        `captions` are the pictures' descriptions: `sidecar` for a text file beside each picture, a JSON file
        or a dictionary that maps paths to texts, or a column of the dataset's photos; by default documents
        keep the captions that they have, and `""` takes them away. `parts` get vectors of their own, which a
        search can look at: `captions` and `crops`, overlapping ones. The index remembers them, and later
        ingests keep them up.

        What is rejected is kept in the index's ledger: see `rejections` and `retry`.

        Raises `SourceError`, `EncoderError`, `StoreError`, `ConfigError` for what can't be meant, and
        `TooManyRejections` when more than `max_rejection_rate` of the records are rejected.
        """
        given = given_paths("a path", paths)
        if prune and limit is not None:
            raise ValueError("prune needs all records, and limit leaves some out")
        if limit is not None:
            LIMITS.check("limit", limit)
        # What only an ingest needs is imported here: a search is a new process's first wait.
        from esclip._ingest.pruning import Pruning
        from esclip._ingest.run import run
        from esclip.sources import open_source

        names = parts if isinstance(parts, str) else given_texts("parts", parts)
        asked = select_known(names, KINDS, "parts") if names else ()
        held = self._store.schema()
        self._require_own_pictures(held)
        remembered = held.labelling if held else None
        labelling = remembered if labels is None else LabelSet.of(labels, remembered)
        kinds = {*asked, *(held.parts if held else ())}
        gone = [path for path in given if self._has_left(path, held)]
        if gone and not prune:
            raise SourceError(
                f"{location_of(gone[0])} is not there any more, or has no pictures: --prune removes what the "
                "index holds of it"
            )
        roots = tuple(sorted(map(location_of, given)))
        report = run(
            open_source(
                given,
                images=user_path(given_path("images", images), "images") if images else None,
                limit=limit,
                captions=captions,
                gone=gone,
            ),
            self._encoder(held),
            self._store,
            self._ledger,
            labelling=labelling,
            parts=[kind for kind in KINDS if kind in kinds],
            parts_store=self._parts,
            origin="\n".join(roots) if limit is None else None,
            pruning=Pruning(roots, confirm) if prune else None,
            **options,
        )
        self._schema = None  # the fields may be more now
        return report

    def rejections(self, reasons: Reason | str | Iterable[Reason | str] = ()) -> Iterator[LedgerEntry]:
        """What ingests rejected for one of `reasons`, or for any, and the index lacks; the oldest first.

        Raises `IndexNotFound` when there is neither such an index nor a rejection.
        """
        self._require_index_or_ledger()
        return self._until_closed(self._ledger.rejections(_reasons(reasons)))

    def rejection_counts(self, reasons: Reason | str | Iterable[Reason | str] = ()) -> Mapping[Reason, int]:
        """How many `rejections` there are for each reason, most frequent first. Raises the same."""
        self._require_index_or_ledger()
        return self._ledger.counts(_reasons(reasons))

    def retry(
        self,
        *,
        reasons: Reason | str | Iterable[Reason | str] = (),
        **options: Unpack[IngestOptions],
    ) -> IngestReport:
        """Ingest again just what was rejected for one of `reasons`, or for any.

        What has no record, such as a broken row, can't be tried from here: an ingest reads it again.

        Raises what `ingest` raises, and `IndexNotFound`. By default it may all be rejected again.
        """
        from esclip._ingest.retry import LedgerSource
        from esclip._ingest.run import run

        self._schema = None  # the labels may be others now
        schema, wanted = self._searchable(), _reasons(reasons)
        self._require_own_pictures(schema)
        source = LedgerSource(self._ledger, schema.fields, wanted)
        if without := sum(self._ledger.counts(wanted).values()) - source.total():
            log.warning(
                "%d rejections are of rows or folders that gave no record: only an ingest reads them again",
                without,
            )
        report = run(
            source,
            self._encoder(schema),
            self._store,
            self._ledger,
            labelling=schema.labelling,
            parts=schema.parts,
            parts_store=self._parts,
            origin=None,
            pruning=None,
            **(IngestOptions(max_rejection_rate=1) | options),
        )
        self._schema = None  # the runtimes may be more now
        return report

    def delete(
        self,
        ids: AnyId | Iterable[AnyId] = (),
        *,
        paths: AnyPath | Iterable[AnyPath] = (),
        where: Where | None = None,
        confirm: Callable[[Deletion], bool] | None = None,
    ) -> int:
        """Remove documents from the index, with their parts and rejections; no picture is touched.

        `ids` are documents' ids, or hits. `paths` are files, folders with all below them, or URLs, whether
        they are still there or not. `where` is a filter as for searches: of the documents that are named, or
        of all where none is, only those that fulfil it. `confirm` is told what would be removed, before
        anything is, and says whether to. A picture that is still in an ingested folder comes back with the
        next ingest.

        Returns how many documents were removed. Raises `IndexNotFound`, `ConfigError` for a filter that fits
        none of the index's fields and for nothing at all to delete, and `DocumentNotFound` when nothing is
        held of all the ids and paths.
        """
        from esclip._ingest.deletion import Selection, delete

        named = frozenset(given_ids("ids", ids))
        roots = tuple(dict.fromkeys(map(location_of, given_paths("a path", [paths]))))
        where = plain_where(where)  # an iterator without filters is none, or it would be all documents
        if not named and not roots and not where:
            raise ConfigError(
                "there is nothing to delete: give ids, paths or a filter; drop removes the index"
            )
        schema = self._schema = self._store.schema()
        self._require_own_pictures(schema)
        if schema is None and where:
            raise self._not_found("does not exist")
        self._require_index_or_ledger()
        selection = Selection(named, roots, conditions(where, schema.fields) if where and schema else ())
        return delete(self._with_parts(schema) if schema else None, self._ledger, selection, confirm)

    def stats(self) -> Stats:
        """What the index holds. Raises `IndexNotFound` when there is none."""
        info = self._existing()
        beside = self._parts().info() if info.schema.parts else None
        all_of_it = (info, beside) if beside and holds_parts(beside.schema) else (info,)
        sizes = [one.bytes for one in all_of_it if one.bytes is not None]
        space = info.schema.space
        return Stats(
            documents=info.documents,
            index=self._store.index,
            store=self._store.address,
            engine=info.engine,
            access=info.access,
            encoder=space.model,
            text_encoder=space.text_model,
            dimension=space.dim,
            runtimes=info.schema.runtimes,
            bytes=sum(sizes) if sizes else None,
            fields=info.schema.fields,
            labels=info.schema.labelling.labels if info.schema.labelling else (),
            parts=info.schema.parts,
        )

    def drop(self) -> None:
        """Remove the index with its parts, its ledger and all that it holds, but no picture.

        An index that has the name of the parts', and holds pictures of its own, stays.

        Raises `IndexNotFound`.
        """
        schema = self._store.schema()
        if schema and holds_parts(self._parts().schema()):
            self._parts().drop()  # first: what is dropped by halves still says that it has them
        self._store.drop()
        self._schema = None
        self._ledger.remove()

    def close(self) -> None:
        """Free the store's connections and files. Twice is harmless; all else is a `ConfigError` then."""
        with self._lock:
            self._closed = True
        self._open_store.close()
        if self._parts_store is not None:
            self._parts_store.close()
        self._open_ledger.close()

    def __enter__(self) -> ImageIndex:
        assert self._store  # which one that is closed has no more
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _with_parts(self, schema: IndexSchema) -> Store:
        """The store, which removes the parts of documents with them."""
        from esclip._ingest.parts import StoreWithParts

        if not schema.parts or not holds_parts(self._parts().schema()):
            return self._store
        return StoreWithParts(self._store, self._parts(), schema.parts)

    def _has_left(self, path: str | Path, held: IndexSchema | None) -> bool:
        """Whether a path has no pictures any more, and something is held of those that it had."""
        from esclip.sources import is_gone

        if not is_gone(path):
            return False
        root = location_of(path)
        documents = (
            (location for _, location in self._with_parts(held).scan_locations()) if held else iter(())
        )
        rejections = (location for _, _, location in self._ledger.places())
        return any(is_below(location, root) for location in chain(documents, rejections))

    def _until_closed(self, rejections: Iterator[LedgerEntry]) -> Iterator[LedgerEntry]:
        """The rejections; `ConfigError` once the index is closed, whose ledger would be opened again."""
        while self._ledger and (rejection := next(rejections, None)):
            yield rejection

    def _require_own_pictures(self, held: IndexSchema | None) -> None:
        """Raise `IndexExists` when this is where the parts of another index are kept."""
        if holds_parts(held):
            name = self._store.index
            whole = name.removesuffix(parts_index(""))
            raise IndexExists(
                f"index {name!r} in {self._store.address} holds the parts of the pictures of {whole!r}, and "
                "can't have pictures of its own; take another --index"
            )

    def _require_index_or_ledger(self) -> None:
        """Raise `IndexNotFound` for a name that nobody has used: it isn't an index without rejections."""
        if not self._ledger.exists():
            self._searchable()


def _reasons(reasons: Reason | str | Iterable[Reason | str]) -> frozenset[Reason]:
    """The reasons by their names. Raises `ValueError` for what is none, `ConfigError` for no names."""
    alone = isinstance(reasons, str | Reason)
    several = [reasons] if alone else given_several("reasons", reasons, "reasons by their names")
    return frozenset(map(Reason, several))
