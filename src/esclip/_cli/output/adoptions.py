"""What an adoption found in an index: its facts and some documents; warnings are on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esclip._cli.output.console import print_columns, print_json, say
from esclip._cli.output.table import Column, print_rows
from esclip._errors.counts import pluralize

if TYPE_CHECKING:
    from esclip._core.adoption import AdoptedRow, Adoption


def print_adoption(adoption: Adoption, *, json: bool) -> None:
    """Facts and sample rows on stdout; on stderr what was left out, and what nobody has checked."""
    samples: list[Column[AdoptedRow]] = [
        Column("id", lambda row: row.id, style="cyan"),
        Column("description", lambda row: row.description, kind="text"),
        Column("location", lambda row: row.location, kind="place"),
    ]
    if json:
        print_json(adoption.to_json())
    else:
        for name, value in _facts(adoption).items():
            print_columns(f"{name:13} {value}")
        print_rows(adoption.samples, samples)
    for name, why in adoption.passed_over.items():
        say(f"field {name} is not taken: {why}")
    if adoption.left_out:
        say(f"{pluralize(adoption.left_out, 'document')} without a vector or an id can't be found")
    say(f"warning: that {adoption.encoder} made the vectors is your word: nothing in the index can tell")
    if adoption.dry_run:
        say("nothing was changed: the same without --dry-run adopts it")


def _facts(adoption: Adoption) -> dict[str, str]:
    id_field = adoption.id_field
    if adoption.checked_ids:
        id_field += f" (each of {adoption.checked_ids:,} is one document's)"
    return {
        "index": adoption.index,
        "store": adoption.store,
        "engine": adoption.engine,
        "encoder": adoption.encoder,
        "documents": f"{adoption.documents:,}",
        "vectors": f"{adoption.vector_field}: {adoption.dimension} dimensions, {adoption.metric}, "
        f"{adoption.method}",
        "id": id_field,
        "location": adoption.location_field or "none",
        "description": adoption.description_field or "none",
        "fields": ", ".join(f"{field.name} ({field.type.value})" for field in adoption.fields) or "none",
    }
