"""The options and arguments that commands share, and how their words are read."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from esclip._errors import ConfigError
from esclip._parts import KINDS, PLACES
from esclip._rejections import Reason
from esclip._settings import DEFAULT_ENCODER, UNSPLASH_HOST

if TYPE_CHECKING:
    from esclip._labels import Labelling

__all__ = [
    "AllowHosts",
    "ApiKey",
    "AwsRegion",
    "BatchSize",
    "CaFile",
    "Cache",
    "Captions",
    "Collapse",
    "Device",
    "EncoderName",
    "EncoderToken",
    "Exact",
    "Explain",
    "Host",
    "Hybrid",
    "IgnoreRobotsTag",
    "Images",
    "Index",
    "Json",
    "K",
    "LabelTemplates",
    "Labels",
    "Limit",
    "Look",
    "MaxBody",
    "MaxRejectionRate",
    "MinRelevance",
    "MinScore",
    "Offset",
    "Parts",
    "Password",
    "Port",
    "PrecisionName",
    "Prune",
    "Reasons",
    "RejectionsFile",
    "Store",
    "TakesAnyId",
    "TextEncoderName",
    "User",
    "Where",
    "Window",
    "Workers",
    "labelling",
    "not_blank",
    "reasons",
    "split",
]


def filters(where: list[str] | None) -> list[str] | None:
    """Filters that can be read; others are wrong usage."""
    from esclip._filters import check_syntax

    try:
        check_syntax(where or ())
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error
    return where


def _several(known: tuple[str, ...]) -> Callable[[str | None], str | None]:
    """Names with commas between, all of them known; others are wrong usage."""

    def checked(words: str | None) -> str | None:
        for name in split(words or ""):
            if name not in known:
                near = get_close_matches(name, known, n=1, cutoff=0.4) or [", ".join(known)]
                raise typer.BadParameter(f"there is no {name}; it may be {near[0]}")
        return words

    return checked


def split(words: str) -> tuple[str, ...]:
    """Names with commas between."""
    return tuple(words.replace(",", " ").split())


Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="ESCLIP_STORE",
        metavar="ADDRESS",
        help="A folder (embedded), or the http(s):// address of an OpenSearch or Elasticsearch. "
        "[default: a folder in your data directory]",
        show_default=False,
    ),
]
Index = Annotated[str, typer.Option("--index", envvar="ESCLIP_INDEX", metavar="NAME", help="The index.")]
CaFile = Annotated[
    Path | None,
    typer.Option(
        envvar="ESCLIP_CA_FILE",
        metavar="FILE",
        help="PEM certificates of who may have signed the cluster's. [default: the system's]",
        show_default=False,
    ),
]
User = Annotated[
    str | None,
    typer.Option(
        envvar="ESCLIP_USER",
        metavar="NAME",
        help="Who the cluster lets in, with a password.",
        show_default=False,
    ),
]
Password = Annotated[
    str | None,
    typer.Option(
        envvar="ESCLIP_PASSWORD",
        metavar="PASSWORD",
        help="The user's password; better in the variable, which no list of processes shows.",
        show_default=False,
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        envvar="ESCLIP_API_KEY",
        metavar="KEY",
        help="An Elasticsearch API key, encoded or as id:key; better in the variable.",
        show_default=False,
    ),
]
AwsRegion = Annotated[
    str | None,
    typer.Option(
        envvar="ESCLIP_AWS_REGION",
        metavar="REGION",
        help="Sign requests to Amazon OpenSearch Service for this region, with AWS's own credentials.",
        show_default=False,
    ),
]
EncoderName = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        envvar="ESCLIP_ENCODER",
        metavar="NAME",
        help="A model name, a local model folder, palette (colours only, no download), or the http(s):// "
        "address of an encoder server. "
        f"[default: what the index was made with; {DEFAULT_ENCODER} for a new one]",
        show_default=False,
    ),
]
TextEncoderName = Annotated[
    str | None,
    typer.Option(
        "--text-encoder",
        envvar="ESCLIP_TEXT_ENCODER",
        metavar="NAME",
        help="The text tower for queries. [default: the encoder's; the multilingual one for "
        f"{DEFAULT_ENCODER}]",
        show_default=False,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="cpu, cuda, mps or another of torch's. [default: the fastest for pictures, the CPU for texts]",
        show_default=False,
    ),
]
PrecisionName = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="What the CPU computes in: f32, bf16 or int8. [default: bf16 where the CPU has it, else f32]",
        show_default=False,
    ),
]
EncoderToken = Annotated[
    str | None,
    typer.Option(
        "--encoder-token",
        envvar="ESCLIP_ENCODER_TOKEN",
        metavar="TOKEN",
        help="What an encoder server lets clients in for; better in the variable, which no list of "
        "processes shows.",
        show_default=False,
    ),
]
Host = Annotated[str, typer.Option(metavar="HOST", help="The address to listen at; 0.0.0.0 for all.")]
Port = Annotated[int, typer.Option(metavar="PORT", min=0, max=65_535, help="The port; 0 for a free one.")]
MaxBody = Annotated[int, typer.Option(metavar="MIB", min=1, max=1024, help="The longest request, in MiB.")]
Offset = Annotated[int, typer.Option(metavar="N", min=0, help="Pass over the first N hits: the next page.")]
MinScore = Annotated[
    float, typer.Option(metavar="S", min=-1, max=1, help="Leave out hits with a lower score.")
]
Exact = Annotated[
    bool,
    typer.Option("--exact", help="Compare every vector, without the vector index: slow, and nothing missed."),
]
Window = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=1,
        help="How many of the best by vector and by words are fused, where both are asked for.",
    ),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Say of each hit what its parts add, and its rank by each.")
]
Collapse = Annotated[
    float | None,
    typer.Option(
        metavar="COSINE",
        min=0.01,
        max=1,
        help="Fold hits into a better one that they have this cosine with: 0.95 for near-duplicates.",
        show_default=False,
    ),
]
MinRelevance = Annotated[
    float | None,
    typer.Option(
        metavar="R",
        min=0,
        max=0.999,
        help="Leave out hits with a lower relevance: from 0.5 on they are more than chance.",
        show_default=False,
    ),
]
Hybrid = Annotated[
    float,
    typer.Option(
        metavar="WEIGHT",
        min=0,
        help="Look for the words in descriptions, keywords, places and names as well; at 1 they count as "
        "much as what the picture shows.",
    ),
]
K = Annotated[int, typer.Option("-k", metavar="N", min=1, help="Hits.")]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="FILTER",
        callback=filters,
        help="Only documents like this: country=Norway,Sweden 'width>=4000' 'submitted_at=2020' '!colors=red'"
        " 'exists(point)' 'near(point, 59.91, 10.75, 50km)', joined by & and |; repeatable: all must hold.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable results on stdout.")]
Limit = Annotated[int | None, typer.Option(metavar="N", min=1, help="Only the first N records.")]
BatchSize = Annotated[int, typer.Option(metavar="N", min=1, help="Pictures in a forward pass.")]
Workers = Annotated[int, typer.Option(metavar="N", min=1, max=256, help="Fetches at once.")]
Images = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="The dataset's pictures, on disk as <photo_id>.jpg; nothing is fetched."
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
    typer.Option(metavar="FILE", help="Write each rejected record and its reason here, a JSON line each."),
]
MaxRejectionRate = Annotated[
    float, typer.Option(metavar="R", min=0, max=1, help="Fail when more than this share is rejected.")
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
Captions = Annotated[
    str | None,
    typer.Option(
        metavar="FILE.json|sidecar|COLUMN",
        help="The pictures' descriptions: a JSON object of paths and texts, a photo.txt beside each "
        "photo.jpg, or a column of the dataset's photos. Give it to each ingest.",
        show_default=False,
    ),
]
Parts = Annotated[
    str | None,
    typer.Option(
        metavar="KIND,...",
        callback=_several(KINDS),
        help="Parts of pictures that get vectors of their own, for --in: captions, crops. With crops there "
        "are 14 times as many to encode. [default: those that the index has]",
        show_default=False,
    ),
]
Look = Annotated[
    str,
    typer.Option(
        "--in",
        metavar="KIND,...",
        callback=_several(PLACES),
        help="Where to look: pictures, captions, crops.",
    ),
]


def conditions(where: list[str] | None) -> dict[str, str]:
    """The filters as a mapping. A `FIELD=VALUE` without `=`, or a field that comes twice, is wrong usage."""
    found: dict[str, str] = {}
    for condition in where or ():
        field, equals, value = condition.partition("=")
        if not equals or not field:
            raise typer.BadParameter(f"--where {condition}: write it as FIELD=VALUE")
        if field in found:
            raise typer.BadParameter(f"--where {condition}: {field} is given twice")
        found[field] = value
    return found


def reasons(words: list[str] | None) -> list[Reason]:
    """The reasons that are named, several in a word with commas between. An unknown one is wrong usage."""
    found: list[Reason] = []
    for name in ",".join(words or ()).replace(",", " ").split():
        try:
            found.append(Reason(name.lower()))
        except ValueError:
            known = [reason.value for reason in Reason]
            near = get_close_matches(name.lower(), known, n=1, cutoff=0.4) or [", ".join(known)]
            raise typer.BadParameter(
                f"--reason {name}: there is no such reason; it may be {near[0]}"
            ) from None
    return found


def labelling(labels: str | None, templates: list[str] | None) -> Labelling | None:
    """The labels as they are asked for; None where they are not. What can't be used is wrong usage."""
    from esclip._labels import TEMPLATES, Labelling

    if labels is None:
        if templates:
            raise typer.BadParameter("a template is for labels: give them by --labels")
        return None
    try:
        return Labelling.read(labels, templates or TEMPLATES)
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error


def not_blank(text: str) -> str:
    """The text, if it says anything; else it is wrong usage."""
    if not text.strip():
        raise typer.BadParameter("is empty")
    return text


class TakesAnyId(TyperCommand):
    """Takes every word that is none of its options as the id: ids may begin with a dash."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move such words behind `--`."""
        options = {"--help", *(name for param in self.params for name in param.opts)}

        def is_id(word: str) -> bool:
            named = word.split("=")[0] in options or re.fullmatch(r"-k\d+", word)
            return word.startswith("-") and word != "-" and not named

        if "--" not in args:
            ids = [word for word in args if is_id(word)]
            args = [word for word in args if not is_id(word)] + (["--", *ids] if ids else [])
        return super().parse_args(ctx, args)
