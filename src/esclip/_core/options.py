"""Options, each declared once: the library, the command line and the docs read its declaration.

    class SearchOptions(TypedDict, total=False):
        min_score: Annotated[float, Opt(-1.0, "Leave out hits with a lower score.", -1.0, 1.0)]

    resolve(SearchOptions, {"min_score": 0.2}) ─► all options, checked, with their defaults

Options that no text stands for, such as callbacks, have a type only. Their default is None, and the command
line doesn't have them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from numbers import Integral, Real
from types import UnionType
from typing import (
    Annotated,
    Any,
    NamedTuple,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from esclip._core.settings import BATCH_SIZE
from esclip._core.targets import select_known
from esclip._files.locations import AnyPath, user_path

T = TypeVar("T")


class Panel(StrEnum):
    """The groups of options in a help, in their order."""

    OPTIONS = "Options"
    INDEX = "Index"
    MODEL = "Model"
    OUTPUT = "Output"
    ACCESS = "Access to servers"
    TUNING = "Fine tuning"


@dataclass(frozen=True, slots=True)
class Opt:
    """The declaration of an option, but for its name and its type."""

    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    """Both included. Whole ones: the option takes whole numbers."""
    choices: tuple[str, ...] = ()
    """The names of which the option takes one or more."""
    metavar: str | None = None
    """What its value is called in a help."""
    flag: str | None = None
    """Its name on a command line, where that is another one."""
    alias: str | None = None
    """A second name there, a long one where the first is a letter."""
    secret: bool = False
    panel: Panel = Panel.OPTIONS
    """Where it stands in a help."""

    def check(self, name: str, number: float) -> float:
        """The number as Python's own. Raises `ValueError` that names the option and its bounds."""
        assert self.minimum is not None
        assert self.maximum is not None
        whole = isinstance(self.maximum, int)
        kind: type = Integral if whole else Real
        is_number = isinstance(number, kind) and not isinstance(number, bool)
        if not is_number or not self.minimum <= number <= self.maximum:
            wanted = "a whole number" if whole else "a number"
            raise ValueError(f"{name} is {number!r}, not {wanted} from {self.minimum:,} to {self.maximum:,}")
        return int(number) if whole else float(number)


class Declaration(NamedTuple):
    """An option's type, without None, and what else is declared of it."""

    kind: Any
    opt: Opt | None


MAX_WEIGHT = 1000.0
"""What weighs a thousand times as much as another clause of a query decides alone."""
WEIGHT = Opt(1.0, "Weight of a clause of a query.", minimum=-MAX_WEIGHT, maximum=MAX_WEIGHT)

MIN_THRESHOLD = 0.01
"""The least cosine from which on pictures count as alike: with a lower one all would."""

BATCH_SIZE_OPTION = Opt(
    BATCH_SIZE, "Pictures in a forward pass.", minimum=1, maximum=4096, metavar="N", panel=Panel.TUNING
)
"""4096 pictures take 0.6 GB as pixels, and several batches are under way."""


SEED_OPTION = Opt(
    0,
    "What is drawn at random is drawn by this number: the same one gives the same.",
    minimum=0,
    maximum=2**32 - 1,
    metavar="N",
    panel=Panel.TUNING,
)


CANDIDATES_OPTION = Opt(
    None,
    "Vectors that a search considers: in each shard of a cluster, 10,000 at most; in an embedded index in "
    "all. More find what is missed, and take longer. [default: by the size of the index]",
    minimum=1,
    maximum=1_000_000_000,
    metavar="N",
    panel=Panel.TUNING,
)

RATE_OPTION = Opt(
    None,
    "Pictures that a machine encodes in a second, with their crops where they have some.",
    0.001,
    100_000.0,
    metavar="R",
)
PICTURE_BYTES_OPTION = Opt(
    None,
    "Bytes of a picture that has to be fetched, on average.",
    minimum=1,
    maximum=1_000_000_000,
    metavar="N",
)


@cache
def declared(options: type) -> Mapping[str, Declaration]:
    """The options of a `TypedDict` or a dataclass, in their order."""
    return {
        name: _declaration(hint)
        for name, hint in get_type_hints(options, include_extras=True).items()
        if not name.startswith("_")
    }


def _declaration(hint: Any) -> Declaration:
    opt = None
    if get_origin(hint) is Annotated:
        hint, *notes = get_args(hint)
        opt = next((note for note in notes if isinstance(note, Opt)), None)
    if get_origin(hint) in (Union, UnionType):
        hint = Union[tuple(kind for kind in get_args(hint) if kind is not type(None))]  # noqa: UP007
    return Declaration(hint, opt)


def resolve(options: type[T], given: Mapping[str, Any]) -> T:
    """All options: those given, checked, and the defaults of the others.

    Raises `TypeError` for a name that isn't declared, `ValueError` for what is out of its bounds or choices,
    `ConfigError` for what is of a type that isn't taken.
    """
    kind: Any = options
    known = declared(kind)
    if unknown := given.keys() - known.keys():
        raise TypeError(f"there is no option {', '.join(sorted(unknown))}")
    defaults = {name: opt.default if opt else None for name, (_, opt) in known.items()}
    return cast(T, defaults | {name: _check(name, known[name], value) for name, value in given.items()})


def _check(name: str, declaration: Declaration, value: Any) -> Any:
    from esclip._core.arguments import (
        coerce_callback,
        coerce_flag,
        coerce_path,
        coerce_text,
        coerce_texts,
        wrong_kind,
    )

    kind, opt = declaration
    origin = get_origin(kind)
    if value is None and (opt is None or opt.default is None):
        return None
    if opt and opt.maximum is not None:
        return opt.check(name, value)
    if opt and opt.choices and kind is str:
        if value not in opt.choices:
            raise ValueError(f"{name} is {value!r}, not one of {', '.join(opt.choices)}")
        return value
    if kind is bool:
        return coerce_flag(name, value)
    if kind is str:
        return coerce_text(name, value)
    if origin in (Collection, Sequence):
        names = coerce_texts(name, [value] if isinstance(value, str) and value else value or ())
        may_be_empty = opt is not None and opt.default == ()
        if opt is None or not opt.choices or (may_be_empty and not names):
            return tuple(names)
        return select_known(names, opt.choices, name)
    if origin is Callable:
        coerce_callback(name, value)
    elif kind == AnyPath:
        return user_path(coerce_path(name, value), name) if value else None
    elif opt is None and not isinstance(value, kind):
        raise wrong_kind(name, value, f"a {kind.__name__}")
    return value
