"""The command that classifies pictures, without an index."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from esclip._cli.groups import EncoderOptions
from esclip._cli.labels import read_labels
from esclip._cli.options import Json, not_blank, number
from esclip._search.options import K


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
    template: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="The text for a label, which stands for {}; repeatable, the mean counts. "
            "[default: a photo of a {}]",
        ),
    ] = None,
    k: Annotated[int, number(K, "-k", "--top", help="Labels for each picture.")] = 5,
    *,
    encoder: EncoderOptions,
    json: Json = False,
) -> None:
    """Tell which of some labels pictures show, and how probable each is by the model's softmax."""
    from esclip._classify import Classifier
    from esclip._cli.output.console import say_error
    from esclip._cli.output.reports import print_labels
    from esclip._errors import RecordError

    label_set = read_labels(labels, template)
    assert label_set is not None
    failed = False
    outcomes = Classifier(encoder.load(token=encoder.encoder_token), label_set).classify(images)
    for image, outcome in zip(images, outcomes, strict=True):
        if isinstance(outcome, RecordError):
            failed = True
            say_error(str(outcome))
        else:
            print_labels(image, tuple(islice(outcome, k)), json=json)
    if failed:
        raise typer.Exit(1)
