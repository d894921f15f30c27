"""The options and arguments that all kinds of commands share, and how their words are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from esclip._core.bounds import BODIES_MIB, PORTS
from esclip._core.settings import DEFAULT_ENCODER
from esclip._errors import suggest
from esclip._files.locations import user_path
from esclip._text.secrets import Address, Secret

__all__ = [
    "ApiKey",
    "AwsRegion",
    "CaFile",
    "Device",
    "EncoderName",
    "EncoderToken",
    "Host",
    "Index",
    "Json",
    "MaxBody",
    "Password",
    "Port",
    "PrecisionName",
    "Store",
    "TextEncoderName",
    "User",
    "Yes",
    "as_path",
    "not_blank",
    "several",
    "split",
]


def several(known: tuple[str, ...]) -> Callable[[str | None], str | None]:
    """Names with commas between, all of them known; others are wrong usage."""

    def checked(words: str | None) -> str | None:
        for name in split(words or ""):
            if name not in known:
                raise typer.BadParameter(f"there is no {name}; it may be {suggest(name, known)}")
        return words

    return checked


def as_address(text: str) -> Address:
    """A server's address or a folder, without the blanks around it that a variable may have."""
    return Address(text.strip())


def as_path(text: str) -> Path:
    """A path, in which `~` is the home directory: in a variable, or in quotes, no shell puts it there."""
    return user_path(text, "path")


Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="ESCLIP_STORE",
        parser=as_address,
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
        parser=as_path,
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
        parser=Secret,
        metavar="PASSWORD",
        help="The user's password; better in the variable, which no list of processes shows.",
        show_default=False,
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        envvar="ESCLIP_API_KEY",
        parser=Secret,
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
        parser=as_address,
        metavar="NAME",
        help="A model name, a local model folder (with a / in it: ./clip), palette (colours only, no "
        "download), or the http(s):// address of an encoder server. "
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
        help="The text tower for queries. [default: the index's; for a new one the encoder's, the "
        f"multilingual one for {DEFAULT_ENCODER}]",
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
        parser=Secret,
        metavar="TOKEN",
        help="What an encoder server lets clients in for; better in the variable, which no list of "
        "processes shows.",
        show_default=False,
    ),
]
Host = Annotated[str, typer.Option(metavar="HOST", help="The address to listen at; 0.0.0.0 for all.")]
Port = Annotated[
    int,
    typer.Option(metavar="PORT", min=PORTS.least, max=PORTS.most, help="The port; 0 for a free one."),
]
MaxBody = Annotated[
    int,
    typer.Option(
        metavar="MIB", min=BODIES_MIB.least, max=BODIES_MIB.most, help="The longest request, in MiB."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable results on stdout.")]

Yes = Annotated[
    bool,
    typer.Option(
        "--yes", "-y", help="Don't ask. Without a terminal, where nobody can be asked, it is needed."
    ),
]


def split(words: str) -> tuple[str, ...]:
    """Names with commas between."""
    return tuple(words.replace(",", " ").split())


def not_blank(text: str) -> str:
    """The text, if it says anything; else it is wrong usage."""
    if not text.strip():
        raise typer.BadParameter("is empty")
    return text
