"""Probabilities of labels by a service: pictures read here, or named by their ids there, in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import orjson

from esclip._client.answers import read_labels
from esclip._client.connection import ENCODING, Connection
from esclip._client.queries import render_picture
from esclip._concurrency.streams import batches
from esclip._core.arguments import AnyImage
from esclip._core.labels import LabelScores, LabelSet
from esclip._core.types import Hit
from esclip._errors import ConfigError, DecodeError
from esclip._search.query_image import image_bytes, open_image

MAX_BATCH = 64
"""Pictures of a request."""
MAX_BATCH_BYTES = 4 << 20
"""From so many on a batch is full: the largest picture, too, still fits into a body."""


def classify_pictures(connection: Connection, images: Iterable[Any], labels: LabelSet) -> list[LabelScores]:
    """The labels of each picture. Raises the error of the first that can't be classified."""
    if not labels.labels:
        raise ConfigError("there are no labels to tell pictures apart by; give some")
    given = list(_flatten(images))
    rendered = (_render(image) for image in given)
    results: list[LabelScores | dict[str, Any]] = []
    for batch in batches(rendered, MAX_BATCH, weigh=_weight, max_weight=MAX_BATCH_BYTES):
        wanted = {"pictures": batch, "labels": labels.labels, "templates": labels.templates}
        read = partial(_read_results, count=len(batch))
        results += connection.post("/v1/classify", orjson.dumps(wanted), read, patience=ENCODING)
    scores = []
    for image, result in zip(given, results, strict=True):
        if isinstance(result, dict):
            raise _error(connection, image, result)
        scores.append(result)
    return scores


def _flatten(images: Iterable[Any]) -> Iterator[Any]:
    for image in images:
        if isinstance(image, list | tuple | set | Iterator):
            yield from image
        else:
            yield image


def _render(image: AnyImage | Hit) -> dict[str, str]:
    if isinstance(image, Hit):
        return {"id": image.id}
    return {"image": render_picture(image_bytes(image))}


def _weight(body: dict[str, str]) -> float:
    return sum(map(len, body.values()))


def _error(connection: Connection, image: AnyImage | Hit, problem: dict[str, Any]) -> Exception:
    """The error of a picture, which names it where that is known."""
    error = connection.error(problem)
    if isinstance(error, DecodeError) and not isinstance(image, Hit):
        try:
            open_image(image)
        except DecodeError as named:
            return named
    return error


def _read_results(answer: Any, count: int) -> list[LabelScores | dict[str, Any]]:
    """The labels of each picture, or its problem."""
    results: list[LabelScores | dict[str, Any]] = []
    for result in answer["results"]:
        problem = result["problem"]
        if problem is not None and not isinstance(problem, dict):
            raise TypeError("no problem")
        results.append(read_labels(result["labels"]) if problem is None else problem)
    if len(results) != count:
        raise ValueError("another number of pictures")
    return results
