"""Every error that esclip raises on purpose.

    EsclipError
    ├─ ConfigError            a bad setting, named with its source
    │  └─ FieldNotFound       the index has no field of this name
    ├─ SourceError            the source itself can't be read
    ├─ RecordError            one record can't be used; becomes a Rejection
    │  ├─ FetchError          its picture could not be downloaded or read
    │  └─ DecodeError         its picture could not be decoded
    ├─ EncoderError           a model is missing or unusable
    ├─ StoreError
    │  ├─ StoreUnavailable    no connection, no answer in time, or 429/503 after retries
    │  ├─ IndexNotFound       the index is not there, or holds nothing
    │  ├─ IndexExists         the name is taken by something that esclip did not make
    │  ├─ IndexMismatch       the index has another space, metric or field type
    │  └─ DocumentNotFound    no document has this id
    └─ TooManyRejections      the failure budget is spent; carries the report, beside which it stands

A message is one line: what happened, to what, and what to do about it, as a `Hint` where that is a setting.
Programming errors stay built-in (`ValueError` for k <= 0).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from esclip._errors.escaping import join_lines
from esclip._errors.secrets import mask

if TYPE_CHECKING:
    from esclip._errors.reasons import Reason

MAX_DETAIL = 500

ErrorTable: TypeAlias = Sequence[
    tuple[type[BaseException] | tuple[type[BaseException], ...], Callable[..., BaseException | None]]
]
"""Rows of foreign exceptions and a function that makes one of ours; None leaves the exception as it is.

From specific to general: the first row that fits counts. Each library has its table where it is called."""


@contextmanager
def map_errors(
    table: ErrorTable,
    *context: object,
    causes: Callable[[BaseException], Iterable[BaseException]] = lambda error: (error,),
) -> Iterator[None]:
    """Context manager: within it, foreign exceptions are raised as those of `table`. Our own pass.

    `context` is given to the table's functions after the exception. A row may fit any of the `causes` of the
    exception, by default itself.
    """
    try:
        yield
    except EsclipError:
        raise
    except Exception as error:
        chain = list(causes(error))
        make = next((make for kinds, make in table if any(isinstance(one, kinds) for one in chain)), None)
        if make is None or (ours := make(error, *context)) is None:
            raise
        raise ours from error


def one_line(text: str, max_chars: int = MAX_DETAIL) -> str:
    """`text` of any origin, safe to show: in one line, without terminal escapes, cut to `max_chars`."""
    line = join_lines(text[: 4 * max_chars])
    return line if len(line) <= max_chars else line[: max_chars - 1] + "…"


def error_text(error: BaseException, max_chars: int = MAX_DETAIL) -> str:
    """What a foreign exception says, in one line: the system's words for an `OSError`, else its message."""
    return one_line(getattr(error, "strerror", None) or str(error), max_chars) or type(error).__name__


def suggest(name: str, known: Sequence[str]) -> str:
    """The known name nearest to a wrong one; where none is near, all of them."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1, cutoff=0.4)
    return near[0] if near else ", ".join(known)


class Hint(StrEnum):
    """What to do about an error or a warning, worded for users of the library.

    The command line words each for its own users (`_cli/hints.py`); so may a service.
    """

    ADOPT = "use another name, or take it over by adopt()"
    ALIASES = "point them to another index by switch_index, or pass aliases=True to remove them, too"
    BEHIND = (
        "bring the one to switch to up to date by reencode() or an ingest; if it is meant so, pass force=True"
    )
    CA_FILE = "name the certificates to trust as ca_file"
    CREDENTIALS = "give a user and a password, an API key or an AWS region"
    ENCODER = "pass one as encoder"
    ENCODER_TOKEN = "pass it as encoder_token"
    ID_FIELD = "name another one as id_field"
    INGEST = "fill it by an ingest"
    INGEST_CAPTIONS = "make them by an ingest with parts=['captions']"
    INGEST_CROPS = "make them by an ingest with parts=['crops']"
    MODELS = "see models()"
    MODEL_FOLDER = "to use a model folder on this machine give its path"
    NEW_INDEX = "take another name for the new index"
    OTHER_INDEX = "take another name for the index"
    PASSWORD = "give the password by itself"
    PRUNE = "an ingest with prune=True removes what the index holds of it"
    REJECTIONS = "rejections() gives each with its reason"
    SAME_ENCODER = "pass no encoder, or ingest into another index"
    STORE = "name a folder as store, or set HOME"
    TEXT_ENCODER = "for the index's own pass it as text_encoder"
    TRUST = "if you know that they are, pass trust=True"
    TRUSTED_MODEL = "if you trust it, pass the model as encoder, the text tower as text_encoder"
    UNDO_ADOPTION = "let it go by adopt(undo=True)"
    URL_COLUMN = "name the column of the pictures as url_column"
    USER_AND_PASSWORD = "give both"
    VECTOR_COLUMN = "name the column of the vectors as vector_column"
    VECTOR_FIELD = "name one as vector_field"
    VECTOR_IDS = "name the table with their ids as ids"


class EsclipError(Exception):
    """Base of all errors that esclip raises on purpose. Passwords in a message's URLs are masked.

    Its text is `message`, which says what happened, and after it the `hint`, if there is one.
    """

    def __init__(self, message: object = "", hint: Hint | None = None) -> None:
        self.message = mask(str(message))
        self.hint = hint
        super().__init__(f"{self.message}; {hint}" if hint else self.message)


class ConfigError(EsclipError):
    """A setting can't be used; the message names the setting and its value."""


class FieldNotFound(ConfigError):
    """The index has no field of a name that a filter, an order or a list of fields has."""

    def __init__(
        self,
        message: object = "",
        hint: Hint | None = None,
        *,
        field: str = "",
        similar: str | None = None,
        argument: str = "where",
        character: int | None = None,
    ) -> None:
        """Keep what a program may want to show of it."""
        super().__init__(message, hint)
        self.field = field
        """The name, in one line."""
        self.similar = similar
        """The field of the index whose name is nearest; None where none is near."""
        self.argument = argument
        """Where the name stands: `where`, `sort`, `fields/0`."""
        self.character = character
        """At which character of a filter it begins, from 1 on; None: it is no expression."""
        self.query = 0
        """Of several queries, the one that has it."""


class SourceError(EsclipError):
    """A source as a whole can't be read: not there, not a dataset, a column missing."""


class RecordError(EsclipError):
    """One record can't be used. The pipeline turns it into a `Rejection`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """Keep `reason`, one of the closed list, and `detail` for a person, as one line."""
        self.reason = reason
        self.detail = one_line(mask(detail))
        super().__init__(f"{reason.value}: {self.detail}")


class FetchError(RecordError):
    """A picture could not be downloaded, or its file not read."""


class DecodeError(RecordError):
    """A picture's bytes can't be decoded."""


class EncoderError(EsclipError):
    """A model is missing or unusable; the message says how to get it."""


class StoreError(EsclipError):
    """A store refused or failed."""


class StoreUnavailable(StoreError):
    """A store could not be reached, or did not answer in time, after retries."""


class IndexNotFound(StoreError):
    """The index is not there, or holds no document yet."""


class IndexExists(StoreError):
    """The index's name is taken by something that esclip did not make."""


class IndexMismatch(StoreError):
    """The index was made with another model, metric or field type."""


class DocumentNotFound(StoreError):
    """No document of the index has this id."""

    def __init__(self, message: object = "", hint: Hint | None = None, *, id: str = "") -> None:
        """Keep the `id`, where one is meant, beside the `message`."""
        super().__init__(message, hint)
        self.id = id
