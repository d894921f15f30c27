"""Which fields facets are made of."""

from __future__ import annotations

from collections.abc import Sequence

from esclip._core.facets import NUMBER_TYPES, VALUE_TYPES
from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._errors import ConfigError
from esclip._search.filter_values import EXPECTATIONS, require_field


def select_fields(names: Sequence[str] | None, schema: IndexSchema, argument: str = "fields") -> list[Field]:
    """The fields of these names, each once; None: all that can be counted, but for labels' probabilities.

    Raises `FieldNotFound` for a name that the index lacks, `ConfigError` for a field that can't be counted.
    """
    if names is None:
        return [field for field in schema.fields if _is_counted(field, schema)]
    fields = {field.name: field for field in schema.fields}
    selected = []
    for number, name in enumerate(names):
        field = require_field(name, fields, kind="facet", argument=f"{argument}/{number}")
        if field.type not in VALUE_TYPES | NUMBER_TYPES:
            raise ConfigError(
                f"facet {field.name}: it {EXPECTATIONS[field.type]}; countable are keywords, numbers, "
                "dates and booleans"
            )
        selected.append(field)
    return list(dict.fromkeys(selected))


def _is_counted(field: Field, schema: IndexSchema) -> bool:
    if schema.label_set is not None and field.type is FieldType.FLOAT and field.name.startswith("p_"):
        return False
    return field.type in VALUE_TYPES | NUMBER_TYPES
