"""The command that classifies pictures, without an index."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from esclip._cli.groups import EncoderOptions
from esclip._cli.ingest_options import LabelTemplates, labelling
from esclip._cli.options import Json, not_blank
from esclip._core.bounds import KS

__all__ = ["classify"]


def classify(
    images: Annotated[list[str], typer.Argument(metavar="FILE|URL...", help="Pictures.")],
    labels: Annotated[
        str,
        typer.Option(
            metavar="LABEL,...",
            callback=not_blank,
            help="What they may show, in any language of the text tower; or a file with a label a line.",
        ),
    ],
    template: LabelTemplates = None,
    k: Annotated[
        int, typer.Option("-k", metavar="N", min=KS.least, max=KS.most, help="Labels for each picture.")
    ] = 5,
    *,
    by: EncoderOptions,
    json: Json = False,
) -> None:
    """Tell which of some labels pictures show, and how probable each is by the model's softmax."""
    from esclip._classify import Classifier
    from esclip._cli.output.console import say
    from esclip._cli.output.reports import print_labels
    from esclip._errors import RecordError

    asked = labelling(labels, template)
    assert asked is not None
    failed = False
    outcomes = Classifier(by.load(token=by.encoder_token), asked).classify(images)
    for image, outcome in zip(images, outcomes, strict=True):
        if isinstance(outcome, RecordError):
            failed = True
            say(str(outcome))
        else:
            print_labels(image, tuple(islice(outcome, k)), json=json)
    if failed:
        raise typer.Exit(1)
