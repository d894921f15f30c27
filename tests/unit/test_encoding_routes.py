"""Vectors and labels by HTTP: embeddings in OpenAI's form, probabilities of labels, and what is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import esclip
from esclip import ImageIndex
from esclip._errors.secrets import Secret
from esclip._server.encoding_messages import MAX_INPUTS, MAX_PICTURES
from esclip._server.http_server import HttpServer
from esclip._server.search_app import SearchApp
from esclip.testing.encoder import RecordingEncoder
from tests.plain_pictures import ingest_photos, png
from tests.search_servers import JSON, Answer, ask, searching

EMBEDDINGS, CLASSIFY = "/v1/embeddings", "/v1/classify"


def picture(color: str) -> str:
    """A plain picture in base64."""
    return base64.b64encode(png(color)).decode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index of eleven plain pictures."""
    return ingest_photos(tmp_path_factory.mktemp("encoding"))


@pytest.fixture(scope="module")
def index(folder: Path) -> Iterator[ImageIndex]:
    with esclip.open_index(folder / "store") as index:
        yield index


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[HttpServer[SearchApp]]:
    with searching(esclip.open_index(folder / "store"), folder / "cache") as server:
        yield server


def error_of(answer: Answer) -> Any:
    """The error in OpenAI's form, of an answer that is a problem as well."""
    assert answer.problem
    error = answer.json["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "\n" not in error["message"]
    return error


class TestEmbeddings:
    def test_vectors_are_those_of_the_encoder(self, server: HttpServer[SearchApp]) -> None:
        """Texts give the encoder's vectors in OpenAI's form, in order, with words counted."""
        answer = ask(server, "POST", EMBEDDINGS, {"input": ["a red car", "blue"], "model": "palette"}).json
        rows = [one["embedding"] for one in answer["data"]]
        assert np.allclose(rows, esclip.load_encoder("palette").encode_texts(["a red car", "blue"]))
        assert [(one["object"], one["index"]) for one in answer["data"]] == [
            ("embedding", 0),
            ("embedding", 1),
        ]
        assert (answer["object"], answer["model"]) == ("list", "palette")
        assert answer["usage"] == {"prompt_tokens": 4, "total_tokens": 4}

    def test_one_text_and_base64(self, server: HttpServer[SearchApp]) -> None:
        """A text alone is a list of one; in base64 come float32 numbers, little-endian."""
        body = {
            "input": "red",
            "model": "palette",
            "encoding_format": "base64",
            "user": "u",
            "dimensions": 12,
        }
        (one,) = ask(server, "POST", EMBEDDINGS, body).json["data"]
        row = np.frombuffer(base64.b64decode(one["embedding"]), "<f4")
        assert np.allclose(row, esclip.load_encoder("palette").encode_texts(["red"])[0])

    def test_pictures(self, server: HttpServer[SearchApp]) -> None:
        """A picture, as data URI or in base64, has a vector in the same space as texts, in its place."""
        given = [f"data:image/png;base64,{picture('#ff0000')}", "red", {"image": picture("#0000ff")}]
        answer = ask(server, "POST", EMBEDDINGS, {"input": given, "model": "palette"})
        rows = np.array([one["embedding"] for one in answer.json["data"]])
        assert rows[0] @ rows[1] > 0.9 > 0.1 > rows[0] @ rows[2]

    @pytest.mark.parametrize(
        ("body", "param", "code", "says"),
        [
            ({"input": [1, 2]}, "input", "bad_query", "tokens are not taken"),
            ({"input": [[1, 2]]}, "input", "bad_query", "tokens are not taken"),
            ({"input": []}, "input", "bad_query", "nothing to embed"),
            ({"input": ""}, "input", "bad_query", "at least 1 character"),
            ({"input": None}, "input", "bad_query", "an input is a text"),
            ({"input": ["x"] * (MAX_INPUTS + 9)}, "input", "bad_query", "at most 2048 items"),
            ({"input": [{"image": "aa"}] * (MAX_PICTURES + 1)}, None, "bad_query", "at most 64 pictures"),
            ({"input": "x" * 5000}, "input", "bad_query", "at most 4096 characters"),
            ({"input": {"image": "%"}}, "input", "bad_query", "no base64"),
            ({"input": {"image": base64.b64encode(b"<svg/>").decode()}}, "input", "bad_picture", ""),
            ({"input": {"path": "/etc/passwd"}}, "input", "bad_query", ""),
            ({"input": "x", "model": "gpt-4"}, "model", "model_not_found", "it has palette"),
            ({"input": "x", "dimensions": 5}, "dimensions", "bad_query", "have 12 dimensions"),
            ({"input": "x", "encoding_format": "int8"}, "encoding_format", "bad_query", ""),
            ({"input": "x", "stream": True}, "stream", "bad_query", ""),
            ({}, "input", "bad_query", ""),
        ],
    )
    def test_refusals_are_errors_of_openai(
        self, server: HttpServer[SearchApp], body: dict[str, Any], param: str | None, code: str, says: str
    ) -> None:
        """What can't be embedded is an error in the form that OpenAI's clients read, and a problem."""
        error = error_of(ask(server, "POST", EMBEDDINGS, {"model": "palette"} | body))
        assert (error["code"], error["type"]) == (code, "invalid_request_error")
        assert error["param"] == param or param is None
        assert says in error["message"]

    def test_broken_bodies_and_tokens(self, server: HttpServer[SearchApp], folder: Path) -> None:
        """What is no JSON, and who has no token, is told in the same form."""
        assert error_of(ask(server, "POST", EMBEDDINGS, b"{", JSON))["code"] == "bad_body"
        assert ask(server, "POST", EMBEDDINGS, b'{"input": "\\ud800", "model": "palette"}', JSON).status < 500
        with searching(
            esclip.open_index(folder / "store"), folder / "cache", token=Secret("x" * 9)
        ) as locked:
            assert error_of(ask(locked, "POST", EMBEDDINGS, {}))["code"] == "invalid_api_key"

    def test_requests_are_encoded_together(self, folder: Path) -> None:
        """Pictures of many requests at once share forward passes."""
        slow = RecordingEncoder(seconds=0.3)
        index = esclip.open_index(folder / "slow", encoder=slow)
        body = {"input": {"image": picture("red")}, "model": slow.space.model}
        with searching(index, folder / "cache") as server, ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: ask(server, "POST", EMBEDDINGS, body), range(8)))
        assert {answer.status for answer in answers} == {200}
        assert max(slow.batches) > 1


class TestClassify:
    def test_probabilities_are_those_of_the_library(
        self, server: HttpServer[SearchApp], index: ImageIndex, folder: Path
    ) -> None:
        """Pictures by id and in base64 get the library's probabilities, the most probable label first."""
        (red,) = index.search_text("red", k=1)
        photos = [next((folder / "photos").rglob(name)) for name in ("red.png", "blue.png")]
        data = base64.b64encode(photos[1].read_bytes()).decode()
        body = {"pictures": [{"id": red.id}, {"image": data}], "labels": ["red", "blue", "green"]}
        results = ask(server, "POST", CLASSIFY, body).json["results"]
        expected = esclip.classify(photos, labels=["red", "blue", "green"], encoder="palette")
        for result, scores in zip(results, expected, strict=True):
            assert [one["label"] for one in result["labels"]] == [score.label for score in scores]
            assert [one["probability"] for one in result["labels"]] == pytest.approx(
                [s.probability for s in scores]
            )
            assert result["problem"] is None

    def test_a_bad_picture_fails_alone(self, server: HttpServer[SearchApp], index: ImageIndex) -> None:
        """What is no picture, or no id, has a problem in its place; the others are classified."""
        (red,) = index.search_text("red", k=1)
        wrong = {"image": base64.b64encode(b"no picture").decode()}
        body = {"pictures": [wrong, {"id": "nobody"}, {"id": red.id}], "labels": ["red", "blue"]}
        first, second, third = ask(server, "POST", CLASSIFY, body).json["results"]
        assert (first["labels"], first["problem"]["type"]) == (None, "/problems/bad-picture")
        assert second["problem"]["type"] == "/problems/unknown-document"
        assert third["labels"][0]["label"] == "red"

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            ({"pictures": []}, "/pictures"),
            ({"pictures": [{}]}, "exactly one of id and image"),
            ({"pictures": [{"image": "%"}]}, "no base64"),
            ({"pictures": [{"id": "x"}] * (MAX_PICTURES + 1)}, "/pictures"),
            ({"labels": []}, "/labels"),
            ({"labels": ["red", "red"]}, "given twice"),
            ({"labels": [str(n) for n in range(1001)]}, "/labels"),
            ({"labels": ["x" * 201]}, "/labels/0"),
            ({"labels": "red"}, "/labels"),
            ({"templates": ["a photo"]}, "no {} where the label goes"),
            (
                {"labels": [str(n) for n in range(900)], "templates": ["{}", "a {}", "the {}"]},
                "at most 2,048",
            ),
        ],
    )
    def test_refusals(self, server: HttpServer[SearchApp], body: dict[str, Any], says: str) -> None:
        """Labels and pictures that can't be used are refused, and the message says why."""
        answer = ask(server, "POST", CLASSIFY, {"pictures": [{"id": "x"}], "labels": ["red"]} | body)
        assert answer.problem == "bad-query"
        assert says in answer.json["detail"]


def test_both_are_described(server: HttpServer[SearchApp]) -> None:
    """OpenAPI has the bodies of both: a text alone and a list of texts are embeddings' inputs."""
    described = json.dumps(ask(server, "GET", "/openapi.json").json["components"]["schemas"])
    for name in ("EmbeddingsRequest", "EmbeddingsResponse", "ClassifyRequest", "ClassifyResponse"):
        assert f'"{name}"' in described
