"""Evaluations: judgements from each source, the figures of searches, two systems, the command."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import esclip
from esclip import ConfigError, ImageIndex, JudgedQuery, Judgements, SourceError
from tests.command_line import Esclip
from tests.unit.unsplash_tables import BROKEN_ROWS, child, write

COLORS = ("red", "green", "blue", "yellow")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of four pictures whose ids are their colours, and one that lacks the yellow one."""
    folder = tmp_path_factory.mktemp("evaluation")
    for name, colors in (("image_search", COLORS), ("fewer", COLORS[:3])):
        with esclip.open_index(folder, name, encoder="palette") as index:
            index.add(
                {"id": color, "image": Image.new("RGB", (8, 8), color), "description": f"all {color}"}
                for color in colors
            )
    return folder


@pytest.fixture
def index(store: Path) -> Iterator[ImageIndex]:
    with esclip.open_index(store) as index:
        yield index


def gains(judgements: Judgements) -> dict[str, dict[str, float]]:
    return {query.text: dict(query.gains) for query in judgements}


class TestJudgements:
    @pytest.mark.parametrize(
        "text",
        [
            "query\tid\tgain\nred\ta\t2\nred\tb\t0\nblue\tc\t\n",
            "\ufeffID\tnote\tQuery\tgain\r\na\tx\tred\t2\r\n\r\nb\t\tred\t0\r\nc\t\tblue\r\n",
            "red\ta\t2\nred\tb\t0\nblue\tc\n",
            'red\ta\t1\n"red"\ta\t2\nred\tb\t0\n blue \tc\t1',
        ],
    )
    def test_tables(self, tmp_path: Path, text: str) -> None:
        """With a header in any order or without, gains left out, the last of two counts."""
        (tmp_path / "judged.tsv").write_text(text, "utf-8", newline="")
        judgements = Judgements.from_tsv(tmp_path / "judged.tsv")
        assert gains(judgements) == {"red": {"a": 2, "b": 0}, "blue": {"c": 1}}
        assert repr(judgements) == "<Judgements of 2 queries with 3 gains, by judged.tsv>"
        assert "3 gains" in judgements._repr_html_()

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ("red\ta\t-1", "line 2: the gain is '-1', not a number from 0 to 1,000,000"),
            ("red\ta\tnan", "the gain is 'nan'"),
            ("red\ta\tmuch", "the gain is 'much'"),
            ("red\t\t1", "line 2: the id is empty"),
            ("red", "the id is empty"),
            ("\ta\t1", "line 2: the query is empty"),
            ("red\t\x1b[31m\t1", "the id is not printable"),
            ('"red\ta\t1\nred\tb\t1', "line 2: a value that begins with a quotation mark"),
            ('"red" car\ta\t1', "line 2: a value that begins with a quotation mark"),
        ],
    )
    def test_lines_that_are_none(self, tmp_path: Path, line: str, problem: str) -> None:
        """They are named with their number."""
        (tmp_path / "judged.tsv").write_text(f"blue\ta\t1\n{line}\n", "utf-8")
        with pytest.raises(SourceError) as error:
            Judgements.from_tsv(tmp_path / "judged.tsv")
        assert problem in str(error.value)
        assert "judged.tsv" in str(error.value)

    def test_gains_of_another_name(self, tmp_path: Path) -> None:
        """A column that may hold the gains is not passed over: what is not relevant would be."""
        (tmp_path / "judged.tsv").write_text("query\tid\tRelevance\nred\ta\t0\n", "utf-8")
        with pytest.raises(SourceError, match="line 1: there is a column 'relevance' and no gain"):
            Judgements.from_tsv(tmp_path / "judged.tsv")

    def test_files_that_can_not_be_read(self, tmp_path: Path) -> None:
        """Missing, empty, binary, or no JSON of texts."""
        for name, data, problem in (
            ("none.tsv", None, "can't be read"),
            ("empty.tsv", b"query\tid\n", "has none"),
            ("binary.tsv", b"a\0b", "NUL"),
        ):
            if data is not None:
                (tmp_path / name).write_bytes(data)
            with pytest.raises(SourceError, match=problem):
                Judgements.from_tsv(tmp_path / name)
        for text, problem in (("[", "is no JSON"), ("[]", "object"), ('{"a": [1]}', "is no text")):
            (tmp_path / "captions.json").write_text(text)
            with pytest.raises(SourceError, match=problem):
                Judgements.from_captions(tmp_path / "captions.json")
        with pytest.raises(SourceError, match="no conversions table"):
            Judgements.from_conversions(tmp_path)

    def test_conversions(self, tmp_path: Path) -> None:
        """Distinct users of a photo and keyword, of downloads; two at least; of all parts of the table."""

        def download(words: str, id: str, user: str, kind: str = "download") -> dict[str, str]:
            return child(id, keyword=words, anonymous_user_id=user, conversion_type=kind)

        rows = [download("red  Door", "a", user) for user in "xyz"] + [download("Red door ", "a", "x")]
        rows += [download("red door", "b", "x"), download("red door", "b", "x")]
        rows += [download("cat", "c", "x"), download("cat", "c", "y"), download("cat", "c", "z", "view")]
        rows += [download("", "c", "x"), download("", "c", "y"), download("null", "d", "x")]
        write(tmp_path / "conversions.tsv000", rows[::2])
        write(tmp_path / "conversions.csv001.gz", rows[1::2])
        judgements = Judgements.from_conversions(tmp_path)
        assert gains(judgements) == {"red door": {"a": 2.0}, "cat": {"c": math.log2(3)}}
        assert "could be downloaded" in judgements.caveats[0]
        assert gains(Judgements.from_conversions(tmp_path, 1))["null"] == {"d": 1.0}
        with pytest.raises(ValueError, match="min_users"):
            Judgements.from_conversions(tmp_path, 0)

    def test_broken_and_missing_columns(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A broken row costs itself only, and is told; a table without users is none."""
        head = b"photo_id\tkeyword\tanonymous_user_id\n"
        rows = [b"a\tred\tx", BROKEN_ROWS["too few columns"], b"a\tred\ty"]
        (tmp_path / "conversions.tsv").write_bytes(head + b"\n".join(rows) + b"\n")
        assert gains(Judgements.from_conversions(tmp_path)) == {"red": {"a": math.log2(3)}}
        assert "left out 1 broken row" in caplog.text
        write(tmp_path / "conversions.tsv", [child("a", keyword="red")])
        with pytest.raises(SourceError, match="has no column anonymous_user_id"):
            Judgements.from_conversions(tmp_path)

    def test_keywords(self, tmp_path: Path) -> None:
        """Those that people gave; others are an AI's."""
        rows = [("a", "Dog", "t"), ("b", "dog", "t"), ("b", "cat", "f"), ("c", "cat", "t")]
        write(tmp_path / "keywords.tsv", [child(id, keyword=w, suggested_by_user=by) for id, w, by in rows])
        assert gains(Judgements.from_keywords(tmp_path)) == {"dog": {"a": 1, "b": 1}, "cat": {"c": 1}}

    def test_captions(self, tmp_path: Path, index: ImageIndex) -> None:
        """Several texts of a picture by its id, or by its path as an ingest of its folder knows it."""
        Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
        (tmp_path / "captions.json").write_text(json.dumps({"a.png": ["a door", "wood"], "red": "a door"}))
        with esclip.open_index(tmp_path / "store", encoder="palette") as other:
            other.ingest(tmp_path / "a.png")
            (path_id,) = other.ids()
        judgements = Judgements.from_captions(tmp_path / "captions.json", index)
        assert gains(judgements) == {"a door": {path_id: 1, "red": 1}, "wood": {path_id: 1}}

    def test_of_an_index(self, index: ImageIndex) -> None:
        """Descriptions, or a field of texts; none is told."""
        assert gains(Judgements.from_index(index))["all red"] == {"red": 1}
        with pytest.raises(ConfigError, match="no document of the index has a text in the field 'nothing'"):
            Judgements.from_index(index, "nothing")

    def test_of_a_program(self) -> None:
        """Checked, merged by text and language, drawn by a seed whatever their order."""
        judgements = Judgements({str(n): {"a": 1} for n in range(50)})
        drawn = {query.text for query in judgements.sample(10, 1)}
        assert drawn == {query.text for query in Judgements(reversed(judgements)).sample(10, 1)}
        assert len(drawn) == 10
        assert drawn != {query.text for query in judgements.sample(10, 2)}
        assert len(judgements[:3]) == 3
        twice = Judgements([JudgedQuery("a", {"x": 1}), JudgedQuery("a", {"x": 2, "y": 1})])
        assert gains(twice) == {"a": {"x": 2, "y": 1}}
        wrong: list[Any] = [("", {}), ("a", {"x": -1}), ("a", {"x": math.inf}), ("a", {"": 1}), ("a", [1])]
        for text, of_ids in wrong:
            with pytest.raises(ConfigError):
                JudgedQuery(text, of_ids)


JUDGED = Judgements(
    [
        JudgedQuery("red", {"red": 2}, "en"),
        JudgedQuery("something blue", {"blue": 1, "gone": 1}, "en"),
        JudgedQuery("yellow", {"yellow": 1, "red": 0}, "de"),
        JudgedQuery("green", {"green": 0}),
        JudgedQuery("nobody knows", {}),
    ]
)


class TestEvaluate:
    def test_figures(self, index: ImageIndex) -> None:
        """Means over judged queries, by language too; what is missing and left out is counted."""
        counts: list[int] = []
        evaluation = esclip.evaluate(index, JUDGED, on_progress=counts.append)
        assert evaluation["mrr"].mean == pytest.approx(3 / 4)
        assert evaluation["recall@100"].mean == pytest.approx((1 + 0.5 + 1 + 0) / 4)
        assert evaluation["judged@10"].mean == pytest.approx((1 + 1 + 2 + 1) / 16)
        ideal = 1 + 1 / math.log2(3)
        assert evaluation.systems[0].figures["en"]["ndcg@10"].mean == pytest.approx((1 + 1 / ideal) / 2)
        assert dict(evaluation.queries) == {"": 4, "de": 1, "en": 2}
        assert evaluation.languages == ("de", "en")
        assert (evaluation.unjudged, evaluation.without_relevant, evaluation.left_out) == (1, 1, 0)
        assert (evaluation.systems[0].missing, evaluation.systems[0].unanswerable) == (1, 0)
        assert counts == [4]
        assert "nobody judged counts as wrong" in evaluation.caveats[-1]
        assert repr(evaluation).startswith("<Evaluation of 4 queries by judgements: first: ndcg@10 0.")
        assert "<td>de</td><td>first</td>" in evaluation._repr_html_()
        told = evaluation.to_json()
        assert told["systems"][0]["languages"]["de"]["mrr"] == {"mean": 1, "low": 1, "high": 1}
        assert (told["queries"], told["languages"], told["difference"]) == (4, {"de": 1, "en": 2}, None)
        json.dumps(told)

    def test_two_indexes(self, index: ImageIndex, store: Path) -> None:
        """Paired, with the second's lack told; the same again gives the same."""
        with esclip.open_index(store, "fewer") as fewer:
            evaluation = esclip.evaluate(index, JUDGED, against=fewer, names=("all", "fewer"))
            again = esclip.evaluate(index, JUDGED, against=fewer, names=("all", "fewer"))
        assert evaluation.differences == again.differences
        assert evaluation.differences["de"]["mrr"].mean == -1
        assert evaluation.differences["en"]["mrr"].p == 1
        assert [(system.name, system.missing) for system in evaluation.systems] == [("all", 1), ("fewer", 2)]
        assert evaluation.systems[1].unanswerable == 1
        assert "<td>difference</td>" in evaluation._repr_html_()

    def test_two_searches(self, index: ImageIndex) -> None:
        """Of one index, with other options: a filter that leaves the red one out."""
        other = {"where": "words~blue | words~yellow", "hybrid": 0.5}
        evaluation = esclip.evaluate(index, JUDGED, against_search=other)
        assert evaluation.differences[""]["recall@100"].mean == pytest.approx(-1 / 4)

    def test_of_a_part(self, index: ImageIndex) -> None:
        """With `indexed_only`, what no index holds is no loss, and what is left has a relevant document."""
        judgements = Judgements({"blue": {"blue": 1, "gone": 1}, "red": {"gone": 1}})
        evaluation = esclip.evaluate(index, judgements, indexed_only=True)
        assert evaluation["recall@100"].mean == 1
        assert (evaluation.queries[""], evaluation.unindexed) == (1, 1)
        assert esclip.evaluate(index, judgements)["recall@100"].mean == pytest.approx(0.25)

    def test_drawn_queries(self, index: ImageIndex) -> None:
        """As many as are asked for, in batches; 0: all."""
        judgements = Judgements({f"red {n}": {"red": 1} for n in range(70)})
        counts: list[int] = []
        evaluation = esclip.evaluate(index, judgements, queries=66, on_progress=counts.append)
        assert (evaluation.queries[""], evaluation.left_out, counts) == (66, 4, [64, 66])
        assert esclip.evaluate(index, judgements, queries=0).queries[""] == 70

    def test_interrupted(self, index: ImageIndex) -> None:
        """What is raised between two batches ends it."""

        def interrupt(done: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            esclip.evaluate(index, JUDGED, on_progress=interrupt)
        assert esclip.evaluate(index, JUDGED)["mrr"].mean > 0

    def test_wrong_arguments(self, index: ImageIndex) -> None:
        """Each is named, and nothing is searched."""
        calls: list[tuple[dict[str, Any], str]] = [
            ({"judgements": {"red": {"red": 1}}}, "judgements is of type dict"),
            ({"index": 5}, "an open index, or a Client"),
            ({"against": "store"}, "against is of type str"),
            ({"search": {"k": 5}}, "sets k itself"),
            ({"search": {"hibrid": 1}}, "there is no option hibrid"),
            ({"against_search": {}, "names": ["one"]}, "names has 1 name for two systems"),
            ({"judgements": Judgements({"a": {}})}, "no query with a judgement"),
            ({"judgements": Judgements({"a": {"gone": 1}}), "indexed_only": True}, "no index holds"),
            ({"judgements": Judgements({"a": {"gone": 1, "red": 0}})}, "no index holds a document that is"),
        ]
        for arguments, problem in calls:
            with pytest.raises(ConfigError, match=problem):
                esclip.evaluate(**{"index": index, "judgements": JUDGED, **arguments})
        with pytest.raises(ValueError, match="queries is -1"):
            esclip.evaluate(index, JUDGED, queries=-1)


class TestCommand:
    @pytest.fixture
    def table(self, tmp_path: Path) -> Path:
        table = tmp_path / "judged.tsv"
        table.write_text("red\tred\t1\ten\nblue\tblue\t1\ten\nyellow\tyellow\t1\tde\nred\tgone\t1\ten\n")
        return table

    def test_lines_and_json(self, quick_esclip: Esclip, store: Path, table: Path) -> None:
        """A line a figure with a header, or one JSON object; caveats are on stderr."""
        ran = quick_esclip("evaluate", "--judgements", table, "--store", store)
        head, first, *rest = ran.out.splitlines()
        assert head.split("\t") == ["language", "system", "queries", "metric", "mean", "low", "high", "p"]
        assert first.split("\t")[:4] == ["", "image_search", "3", "ndcg@10"]
        assert len(rest) == 11
        assert "image_search lacks 1 judged document: they count as not found" in ran.err
        assert "note: what nobody judged counts as wrong" in ran.err
        told = quick_esclip("evaluate", "--judgements", table, "--store", store, "--json").json
        assert told["systems"][0]["figures"]["mrr"]["mean"] == 1

    def test_against(self, quick_esclip: Esclip, store: Path, table: Path) -> None:
        """Another index, or the same with other options; the system is called by what it has otherwise."""
        words = ("evaluate", "--judgements", table, "--store", store, "--json")
        told = quick_esclip(*words, "--against", "index=fewer", "--against", "exact=yes").json
        assert [system["name"] for system in told["systems"]] == ["image_search", "index=fewer exact=yes"]
        assert told["difference"]["languages"]["de"]["mrr"]["mean"] == -1
        told = quick_esclip(*words, "--hybrid", "1", "--against", "hybrid=0").json
        assert told["difference"]["figures"]["recall@100"]["mean"] == 0

    @pytest.mark.parametrize(
        ("words", "status", "problem"),
        [
            ([], 2, "tell what is relevant by one of --judgements"),
            (["--field", "label", "--keywords", "."], 2, "--keywords and --field at once"),
            (["--field", "description", "--against", "hybrid"], 2, "NAME=VALUE is needed"),
            (["--field", "description", "--against", "hibrid=1"], 2, "it may be hybrid"),
            (["--field", "description", "--against", "hybrid=much"], 2, "much can't be its value"),
            (["--field", "description", "--against", "hybrid=-1"], 2, "hybrid is -1.0"),
            (["--field", "description", "--against", "exact=maybe"], 2, "maybe can't be its value"),
            (["--field", "description", "--against", "where=("], 2, "--against where=(: filter (: a test"),
            (["--field", "description", "--against", "index=none"], 1, "none"),
            (["--conversions", "nowhere"], 1, "has no conversions table"),
            (["--field", "nothing"], 1, "no document of the index has a text in the field 'nothing'"),
        ],
    )
    def test_wrong_usage(
        self, quick_esclip: Esclip, store: Path, words: list[str], status: int, problem: str
    ) -> None:
        """One line that says what is wrong."""
        ran = quick_esclip("evaluate", "--store", store, *words, status=status)
        assert problem in " ".join(ran.err.replace("│", " ").split())
        assert not ran.out
