"""The options of commands that ingest, and how their words are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from esclip._core.bounds import BATCH_SIZES, LIMITS, SHARES, WORKERS
from esclip._core.rejections import Reason
from esclip._core.settings import UNSPLASH_HOST
from esclip._core.targets import PART_KINDS
from esclip._errors import ConfigError, suggest

if TYPE_CHECKING:
    from esclip._core.labels import LabelSet

from esclip._cli.options import as_path, several, split

__all__ = [
    "AllowHosts",
    "BatchSize",
    "Cache",
    "Captions",
    "IgnoreRobotsTag",
    "Images",
    "KeptTemplates",
    "LabelTemplates",
    "Labels",
    "Limit",
    "MaxRejectionRate",
    "Parts",
    "Prune",
    "Reasons",
    "RejectionsFile",
    "Workers",
    "labelling",
    "reasons",
]


Limit = Annotated[
    int | None,
    typer.Option(metavar="N", min=LIMITS.least, max=LIMITS.most, help="Only the first N records."),
]
BatchSize = Annotated[
    int,
    typer.Option(
        metavar="N", min=BATCH_SIZES.least, max=BATCH_SIZES.most, help="Pictures in a forward pass."
    ),
]
Workers = Annotated[
    int, typer.Option(metavar="N", min=WORKERS.least, max=WORKERS.most, help="Fetches at once.")
]
Images = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        parser=as_path,
        help="The dataset's pictures, on disk as <photo_id>.jpg; nothing is fetched.",
    ),
]
AllowHosts = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST",
        help=f"A further host to fetch from, besides {UNSPLASH_HOST}, also in a private network; repeatable.",
        show_default=False,
    ),
]
IgnoreRobotsTag = Annotated[
    bool,
    typer.Option(
        "--ignore-robots-tag",
        help="Take also pictures that their server opts out by X-Robots-Tag: noai or noimageai.",
    ),
]
RejectionsFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        parser=as_path,
        help="Write each rejected record and its reason here, a JSON line each.",
    ),
]
MaxRejectionRate = Annotated[
    float,
    typer.Option(
        metavar="R",
        min=SHARES.least,
        max=SHARES.most,
        help="Fail when more than this share is rejected.",
    ),
]
Reasons = Annotated[
    list[str] | None,
    typer.Option(
        "--reason",
        metavar="REASON,...",
        help="Only what was rejected for one of these reasons; repeatable.",
        show_default=False,
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        parser=as_path,
        help="Where fetched pictures are kept. [default: your cache directory]",
        show_default=False,
    ),
]
Prune = Annotated[
    bool,
    typer.Option("--prune", help="Remove documents of these paths whose record is not there any more."),
]
Labels = Annotated[
    str | None,
    typer.Option(
        metavar="LABEL,...",
        help="Label each picture by the most probable of these, or of a file's lines; kept as fields: "
        "--where label=dog, --where 'p_dog>=0.8'. '' for none. [default: those of the last ingest]",
        show_default=False,
    ),
]
LabelTemplates = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help="The text for a label, which stands for {}; repeatable, the mean counts. "
        "[default: a photo of a {}]",
        show_default=False,
    ),
]
KeptTemplates = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help="The text for a label of --labels, which stands for {}; repeatable, the mean counts. "
        "[default: those of the last ingest, at first: a photo of a {}]",
        show_default=False,
    ),
]
Captions = Annotated[
    str | None,
    typer.Option(
        metavar="FILE.json|sidecar|COLUMN",
        help="The pictures' descriptions: a JSON object of paths and texts, a photo.txt beside each "
        "photo.jpg, or a column of the dataset's photos; '' takes them away. [default: documents keep those "
        "that they have]",
        show_default=False,
    ),
]
Parts = Annotated[
    str | None,
    typer.Option(
        metavar="KIND,...",
        callback=several(PART_KINDS),
        help="Parts of pictures that get vectors of their own, for --in: captions, crops. With crops there "
        "are 14 times as many to encode. [default: those that the index has]",
        show_default=False,
    ),
]


def reasons(words: list[str] | None) -> list[Reason]:
    """The reasons that are named, several in a word with commas between. An unknown one is wrong usage."""
    found: list[Reason] = []
    for name in split(",".join(words or ())):
        try:
            found.append(Reason(name.lower()))
        except ValueError:
            near = suggest(name.lower(), [reason.value for reason in Reason])
            raise typer.BadParameter(f"--reason {name}: there is no such reason; it may be {near}") from None
    return found


def labelling(labels: str | None, templates: list[str] | None) -> LabelSet | None:
    """The labels as they are asked for; None where they are not. What can't be used is wrong usage."""
    from esclip._core.labels import TEMPLATES, LabelSet

    if labels is None:
        if templates:
            raise typer.BadParameter("a template is for labels: give them by --labels")
        return None
    try:
        return LabelSet.read(labels, templates or TEMPLATES)
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error
