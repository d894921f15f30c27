"""The page's panel of facets: what choices mean as filters, which fields are shown, what they count."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image

import esclip
from esclip import ImageIndex
from esclip._server.page.address import PageAddress
from esclip._server.page.choices import choice_title, filters_of
from esclip._server.page.facets_panel import FacetCounter, RangePanel, ValuesPanel

PEOPLE = ("Ana", "Ana", "Ana", "Ben", "Ben", 'O"Neill, Jr. | x')
DAY = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageIndex]:
    """Six pictures with fields that divide them, and some that don't."""
    with esclip.open_index(tmp_path_factory.mktemp("facets") / "store", encoder="palette") as index:
        index.add(
            {
                "id": f"p{number}",
                "image": Image.new("RGB", (40 + 10 * (number % 2), 45), (40 * number, 0, 0)),
                "photographer": person,
                "number": f"no. {number}",
                "url_of_it": f"https://photos.example/{number}",
                "same": "always",
                "price": 1.5 * number,
                "taken_at": DAY + timedelta(days=number),
                "stored_at": DAY + timedelta(minutes=number),
                "sold": number < 2,
            }
            for number, person in enumerate(PEOPLE)
        )
        yield index


@pytest.fixture(scope="module")
def counter(index: ImageIndex) -> FacetCounter:
    return FacetCounter(index, show_paths=False)


def fields_of(counter: FacetCounter, *pairs: tuple[str, str]) -> dict[str, Any]:
    """The panel of a URL by the names of its fields."""
    return {field.name: field for field in counter.panel(PageAddress(pairs)).fields}


@pytest.mark.parametrize(
    ("pairs", "filters", "left"),
    [
        ([("is.photographer", "Ana"), ("is.photographer", "Ben")], ["photographer=Ana,Ben"], 5),
        ([("is.photographer", PEOPLE[-1])], ['photographer="O""Neill, Jr. | x"'], 1),
        ([("is.photographer", "Ben"), ("is.sold", "false")], ["photographer=Ben", "sold=false"], 2),
        ([("min.price", "1.5"), ("max.price", "6")], ["price>=1.5", "price<=6"], 4),
        ([("min.taken_at", "2020-01-02"), ("max.taken_at", "2020-01-03")], None, 2),
        ([("is.photographer", "Ana*")], None, 0),
        ([("q", "red"), ("where", "price>0")], [], 6),
    ],
)
def test_choices_are_filters(
    index: ImageIndex, pairs: list[tuple[str, str]], filters: list[str] | None, left: int
) -> None:
    """Values of a field are alternatives, fields must all fit, a day counts to its end, signs are texts."""
    made = filters_of(pairs)
    assert filters is None or made == filters
    assert index.facets(where=made or None).documents == left


def test_a_bound_is_no_expression(index: ImageIndex) -> None:
    """What is no number is refused as one, whatever else it says."""
    with pytest.raises(esclip.EsclipError, match="price"):
        index.facets(where=filters_of([("min.price", "1 | photographer=Ben")]))


def test_fields_that_divide_the_documents(counter: FacetCounter) -> None:
    """Fields with one value or day for all, with another for each, and links are left out; people first."""
    fields = fields_of(counter)
    assert not {"number", "url_of_it", "same", "stored_at"} & set(fields)
    assert {"photographer", "price", "taken_at", "sold", "width"} <= set(fields)
    assert next(iter(fields)) == "photographer"
    assert [field.open for field in fields.values()].count(True) == 4


def test_values_with_their_counts(counter: FacetCounter) -> None:
    """Values come with how many there are; a boolean is yes or no."""
    fields = fields_of(counter)
    people, sold = fields["photographer"], fields["sold"]
    assert isinstance(people, ValuesPanel)
    assert [(choice.value, choice.documents, choice.checked) for choice in people.choices][:2] == [
        ("Ana", 3, False),
        ("Ben", 2, False),
    ]
    assert {choice.text: (choice.value, choice.documents) for choice in sold.choices} == {
        "yes": ("true", 2),
        "no": ("false", 4),
    }


def test_a_choice_leaves_its_own_counts(counter: FacetCounter) -> None:
    """Who has chosen Ana sees how many there are of Ben; other fields count what is left."""
    fields = fields_of(counter, ("is.photographer", "Ana"), ("is.photographer", "Zoe"))
    counts = {choice.value: (choice.documents, choice.checked) for choice in fields["photographer"].choices}
    assert (counts["Ana"], counts["Ben"], counts["Zoe"]) == ((3, True), (2, False), (0, True))
    assert sum(choice.documents for choice in fields["sold"].choices) == 3


def test_ranges_with_their_bounds(counter: FacetCounter) -> None:
    """Numbers and dates have bounds, those chosen, and a histogram whose bars are within their room."""
    fields = fields_of(counter, ("min.price", "3"))
    price, taken = fields["price"], fields["taken_at"]
    assert isinstance(price, RangePanel)
    assert (price.kind, price.lowest, price.highest, price.minimum) == ("number", "0", "7.5", "3")
    assert (taken.kind, taken.lowest, taken.highest) == ("date", "2020-01-03", "2020-01-06")
    assert price.bars
    assert all(bar.x + bar.width <= 100 and bar.y + bar.height <= 24 for bar in price.bars)


def test_the_form_keeps_the_rest(counter: FacetCounter) -> None:
    """The panel's form sends what it doesn't choose itself, but not the place in the results."""
    pairs = [("q", "red"), ("where", "price>0"), ("is.sold", "true"), ("offset", "30"), ("filters", "on")]
    assert counter.panel(PageAddress(pairs)).kept == [("q", "red"), ("where", "price>0")]


def test_titles() -> None:
    """A choice is named by its field in plain words, with what it bounds."""
    titles = [choice_title(name) for name in ("is.photographer", "min.taken_at", "max.price_eur", "words")]
    assert titles == ["photographer", "taken from", "price eur to", "words"]


def test_an_unknown_field_is_said(counter: FacetCounter) -> None:
    """A choice of a field that is not there is the filter's error."""
    with pytest.raises(esclip.EsclipError, match="nothing"):
        counter.panel(PageAddress([("is.nothing", "x")]))
