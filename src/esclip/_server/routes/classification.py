"""Probabilities of labels, for pictures of the index and for others."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from fastapi import FastAPI
from starlette.responses import Response

from esclip._classify import Classifier
from esclip._core.labels import LabelScores, LabelSet
from esclip._core.types import Vector
from esclip._errors import RecordError
from esclip._server import encoding_messages as messages
from esclip._server.problems import Problem, ProblemType, problem_of
from esclip._server.routes.responses import PROBLEMS, json_response
from esclip._server.search_messages import decode_base64
from esclip._server.search_service import SearchService

MAX_LABEL_SETS = 16
"""Whose vectors are kept: 16 of 1,000 labels take 33 MB at 512 dimensions."""


def add_classification(api: FastAPI, service: SearchService) -> None:
    @lru_cache(MAX_LABEL_SETS)
    def classifier_of(labels: LabelSet) -> Classifier:
        return Classifier(service.load_encoder(), labels)

    @api.post("/v1/classify", responses={200: {"model": messages.ClassifyResponse}, **PROBLEMS})
    async def classify(wanted: messages.ClassifyRequest) -> Response:
        """Tell how probable each label is for each picture. A picture that can't be used has a problem."""
        labels = wanted.label_set()
        images = [
            decode_base64(picture.image, f"/pictures/{number}/image")
            for number, picture in enumerate(wanted.pictures)
            if picture.image is not None
        ]

        def respond() -> list[dict[str, Any]]:
            return _classify(service, classifier_of(labels), wanted.pictures, images)

        return json_response({"results": await service.searches.run(respond)})


def _classify(
    service: SearchService,
    classifier: Classifier,
    pictures: list[messages.ClassifiedPicture],
    images: list[bytes],
) -> list[dict[str, Any]]:
    """The labels of each picture, or its problem, in order."""
    of_images = iter(classifier.classify(images))
    of_ids = _classify_stored(service, classifier, [one.id for one in pictures if one.id is not None])
    results = []
    for picture in pictures:
        result = next(of_images) if picture.id is None else of_ids.get(picture.id)
        results.append(_rendered(result))
    return results


def _classify_stored(
    service: SearchService, classifier: Classifier, ids: list[str]
) -> dict[str, LabelScores]:
    """The labels of documents, by id; their vectors are those of the index, and nothing is encoded."""
    documents = service.index.get(ids) if ids else ()
    vectors: list[Vector] = [document.vector for document in documents]
    scores: Iterator[LabelScores] = iter(classifier.classify_vectors(np.stack(vectors)) if vectors else ())
    return dict(zip((document.record.id for document in documents), scores, strict=True))


def _rendered(result: LabelScores | RecordError | None) -> dict[str, Any]:
    if result is None:
        return {"labels": None, "problem": Problem(ProblemType.UNKNOWN_DOCUMENT).summary()}
    if isinstance(result, RecordError):
        return {"labels": None, "problem": problem_of(result).summary()}
    return {"labels": [score._asdict() for score in result], "problem": None}
