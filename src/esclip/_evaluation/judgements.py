"""Judgements: which documents are relevant to which queries, and how much.

an Unsplash dataset   from_conversions, from_keywords ─┐
captions, fields      from_captions, from_index ───────┼─► Judgements: JudgedQuery(text, gains, language) ...
a table, a program    from_tsv, Judgements(...) ───────┘
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, overload

from esclip._core.arguments import coerce_path, coerce_text, wrong_kind
from esclip._core.markup import render_table
from esclip._core.text_forms import is_unicode
from esclip._core.types import file_id, id_problem
from esclip._errors import ConfigError, SourceError, one_line
from esclip._errors.counts import pluralize
from esclip._evaluation.judgement_files import GAIN_PROBLEM, is_gain, read_captions, read_rows
from esclip._evaluation.options import MIN_USERS
from esclip._evaluation.searchable import Searchable, read_documents
from esclip._files.locations import AnyPath, user_path

SHOWN_ONLY = (
    "only photos that a search had shown could be downloaded, and the first of them more often: compare "
    "systems by these figures, don't read them by themselves"
)
FEW_OF_MANY = (
    "a picture that nobody described by these very words counts as wrong, also where it shows them: compare "
    "systems by these figures, don't read them by themselves"
)
SAME_WORDS = "a search for words (hybrid) looks in the very texts that these queries are made of"

log = logging.getLogger("esclip")

Gains: TypeAlias = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query, and the documents that somebody judged for it."""

    text: str
    gains: Gains
    """How relevant a document is, by its id: above 0 it is, at 0 it was judged as not relevant."""
    language: str = ""
    """What its figures are grouped by; empty: by nothing."""

    def __post_init__(self) -> None:
        text = coerce_text("the text of a judged query", self.text)
        if not text.strip() or not is_unicode(text):
            raise ConfigError(f"the text {text[:40]!a} of a judged query is empty or no valid Unicode")
        coerce_text("the language of a judged query", self.language)
        if not isinstance(self.gains, Mapping):
            raise wrong_kind("the gains of a judged query", self.gains, "gains by id, as a dictionary")
        for id, gain in self.gains.items():
            if problem := id_problem(coerce_text("the id of a judgement", id)):
                raise ConfigError(f"an id judged for {one_line(text)!r} {problem}")
            if not is_gain(gain):
                raise ConfigError(
                    f"the gain of {one_line(id)} for {one_line(text)!r} is {gain!r}, {GAIN_PROBLEM}"
                )


class Judgements(Sequence[JudgedQuery]):
    """Queries with the documents that are relevant to them, and where that is known from."""

    def __init__(
        self,
        queries: Iterable[JudgedQuery] | Mapping[str, Mapping[str, float]],
        source: str = "judgements",
        caveats: Iterable[str] = (),
    ) -> None:
        """Take judgements that a program has.

        Args:
            queries: Judged queries, or gains by id by the text of a query. Queries of one text and language
                are one: of two gains of a document, the last counts.
            source: What reports call these judgements.
            caveats: What has to be known to read figures made with them, a sentence each.

        Raises:
            ConfigError: A text is empty, a gain is none, or an argument is of another type.

        Example:
            judgements = esclip.Judgements({"red": {"a": 1, "b": 0}, "a sunset": {"c": 3}})
        """
        if isinstance(queries, Mapping):
            queries = [JudgedQuery(text, gains) for text, gains in queries.items()]
        merged: dict[tuple[str, str], JudgedQuery] = {}
        for query in queries:
            if not isinstance(query, JudgedQuery):
                raise wrong_kind("a judged query", query, "a JudgedQuery")
            key = (query.text, query.language)
            if known := merged.get(key):
                query = JudgedQuery(query.text, {**known.gains, **query.gains}, query.language)
            merged[key] = query
        self._queries = tuple(merged.values())
        self.source = coerce_text("source", source)
        """What reports call them."""
        self.caveats = tuple(caveats)
        """What has to be known to read figures made with them."""

    @overload
    def __getitem__(self, index: int) -> JudgedQuery: ...

    @overload
    def __getitem__(self, index: slice) -> Judgements: ...

    def __getitem__(self, index: int | slice) -> JudgedQuery | Judgements:
        return self.replace(self._queries[index]) if isinstance(index, slice) else self._queries[index]

    def __len__(self) -> int:
        return len(self._queries)

    def __repr__(self) -> str:
        return f"<Judgements of {self._describe()}, by {one_line(self.source)}>"

    def _repr_html_(self) -> str:
        return render_table([("judged", self._describe()), ("by", self.source)])

    def _describe(self) -> str:
        gains = sum(len(query.gains) for query in self)
        return f"{pluralize(len(self), 'query')} with {pluralize(gains, 'gain')}"

    def replace(self, queries: Iterable[JudgedQuery]) -> Judgements:
        """The same, with other queries.

        Args:
            queries: Judged queries, as in `Judgements`.
        """
        return Judgements(queries, self.source, self.caveats)

    def sample(self, n: int, seed: int = 0) -> Judgements:
        """Draw some of the queries: the same ones for the same seed, whatever their order.

        Args:
            n: Number of queries, at most.
            seed: A whole number.

        Example:
            assert len(esclip.Judgements({"red": {"a": 1}, "blue": {"b": 1}}).sample(1)) == 1
        """
        if len(self) <= n:
            return self
        drawn = sorted(self, key=lambda query: _draw(seed, query))[:n]
        return self.replace(drawn)

    @classmethod
    def from_tsv(cls, file: AnyPath) -> Judgements:
        """Read a table with tabs between the columns `query`, `id`, `gain` and `language`.

        The first line may name them, in any order; without such a line they stand in this order. Without a
        gain it is 1. Columns of other names are passed over, but not in place of `gain`. Fields may be quoted
        by `"`.

        Args:
            file: The file, in UTF-8 or UTF-16.

        Raises:
            SourceError: The file can't be read, or a line is none of a judgement.
            ConfigError: The path can't be used.

        Example:
            from pathlib import Path

            Path("judged.tsv").write_text("query\\tid\\tgain\\nred\\ta\\t2\\n")
            assert esclip.Judgements.from_tsv("judged.tsv")[0].gains == {"a": 2.0}
        """
        path = user_path(coerce_path("file", file), "file of judgements")
        return cls(_read_table(path), f"{path.name}")

    @classmethod
    def from_conversions(cls, folder: AnyPath, min_users: int = MIN_USERS.default) -> Judgements:
        """Count who downloaded which photo after which search, in an Unsplash dataset.

        The gain of a photo is log2(1 + users). Keywords that differ in case or blanks are one query.

        Args:
            folder: The dataset's folder.
            min_users: Distinct users from which on a photo counts, 1 to 1,000,000.

        Raises:
            SourceError: There is no such table, or it can't be read.
            ValueError: `min_users` is out of its bounds.
        """
        from esclip.sources.relevance import count_downloads

        least = int(MIN_USERS.check("min_users", min_users))
        path = user_path(coerce_path("folder", folder), "dataset's folder")
        pairs = ((words, id, math.log2(1 + users)) for words, id, users in count_downloads(path, least))
        return cls(_group(pairs), f"conversions of {path.name}", [SHOWN_ONLY])

    @classmethod
    def from_keywords(cls, folder: AnyPath) -> Judgements:
        """Take the keywords that people gave to photos, in an Unsplash dataset: each is a query.

        Args:
            folder: The dataset's folder.

        Raises:
            SourceError: There is no such table, or it can't be read.
        """
        from esclip.sources.relevance import read_user_keywords

        path = user_path(coerce_path("folder", folder), "dataset's folder")
        pairs = ((words, id, 1.0) for words, id, _ in read_user_keywords(path))
        return cls(_group(pairs), f"keywords of {path.name}", [FEW_OF_MANY, SAME_WORDS])

    @classmethod
    def from_captions(cls, file: AnyPath, index: Searchable | None = None) -> Judgements:
        """Take captions: each is a query, to which its picture is relevant.

        Args:
            file: A JSON file with a text, or a list of texts, by the path of each picture relative to the
                file, or by its id.
            index: The index that tells ids from paths. Default: all are paths.

        Raises:
            SourceError: The file can't be read, or holds something else.
            EsclipError: As `ImageIndex.get`.

        Example:
            from pathlib import Path

            Path("captions.json").write_text('{"a.jpg": ["a red door", "an entrance"]}')
            assert len(esclip.Judgements.from_captions("captions.json")) == 2
        """
        path = user_path(coerce_path("file", file), "file of captions")
        texts = read_captions(path)
        ids = {key: _path_id(path, key) for key in texts}
        if index is not None:
            named = [key for key in texts if not id_problem(key)]
            known = {document.record.id for document in read_documents(index, named)}
            ids |= {key: key for key in known}
        pairs = ((text, ids[key], 1.0) for key, several in texts.items() for text in several)
        return cls(_group(pairs), f"captions of {path.name}", [FEW_OF_MANY])

    @classmethod
    def from_index(cls, index: Searchable, field: str = "description") -> Judgements:
        """Take what an index's documents have in a field: each text is a query.

        Args:
            index: The index, which is read once.
            field: `description`, or a field of texts, such as `keywords`.

        Raises:
            ConfigError: No document has a text there.
            EsclipError: As `ImageIndex.get`.

        Example:
            judgements = esclip.Judgements.from_index(index, "label")
        """
        coerce_text("field", field, "a field's name")
        pairs = (
            (text, document.record.id, 1.0)
            for document in read_documents(index, index.ids())
            for text in _texts_of(document.record, field)
        )
        queries = _group(pairs)
        if not queries:
            raise ConfigError(f"no document of the index has a text in the field {one_line(field)!r}")
        return cls(queries, f"{field} of the index", [FEW_OF_MANY, SAME_WORDS])


def _draw(seed: int, query: JudgedQuery) -> bytes:
    """What queries are drawn by: the same in every process."""
    return hashlib.sha256(f"{seed}\0{query.language}\0{query.text}".encode()).digest()


def _group(pairs: Iterable[tuple[str, str, float]]) -> list[JudgedQuery]:
    """Queries of their judgements (text, id, gain). Those that can be no query or id are left out."""
    gains: dict[str, dict[str, float]] = {}
    unusable = 0
    for text, id, gain in pairs:
        if not text.strip() or not is_unicode(text) or id_problem(id):
            unusable += 1
        else:
            gains.setdefault(" ".join(text.split()), {})[id] = gain
    if unusable:
        log.warning("%s left out: an empty text, or an id that none has", pluralize(unusable, "judgement"))
    return [JudgedQuery(text, of_query) for text, of_query in gains.items()]


def _texts_of(record: Any, field: str) -> Sequence[str]:
    value = record.description if field == "description" else record.metadata.get(field)
    values = (value,) if isinstance(value, str) else value if isinstance(value, tuple | list) else ()
    return [text for text in values if isinstance(text, str) and text.strip()]


def _path_id(file: Path, key: str) -> str:
    """The id that an ingest gives to the picture at a path beside the captions."""
    return file_id(Path(os.path.normpath((Path.cwd() / file).parent / key)))


def _read_table(file: Path) -> list[JudgedQuery]:
    gains: dict[tuple[str, str], dict[str, float]] = {}
    for judgement in read_rows(file):
        gains.setdefault((judgement.text, judgement.language), {})[judgement.id] = judgement.gain
    if not gains:
        raise SourceError(f"judgements: {file} has none")
    return [JudgedQuery(text, of_query, language) for (text, language), of_query in gains.items()]
