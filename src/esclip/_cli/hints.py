"""What errors and warnings of the library advise, in the words of the command line."""

from __future__ import annotations

import logging
from copy import copy

from esclip._errors import EsclipError, Hint

HINTS = {
    Hint.ADOPT: "use another --index, or take it over with: esclip adopt",
    Hint.ALIASES: "point them to another with: esclip switch; or remove them, too: --aliases",
    Hint.BEHIND: "bring the one to switch to up to date with: esclip reencode --to INDEX; or add --force",
    Hint.CA_FILE: "--ca-file (ESCLIP_CA_FILE) names certificates to trust",
    Hint.CREDENTIALS: "give --user and ESCLIP_PASSWORD, or ESCLIP_API_KEY, or --aws-region",
    Hint.ENCODER: "name one with --encoder",
    Hint.ENCODER_TOKEN: "give it with --encoder-token or in ESCLIP_ENCODER_TOKEN",
    Hint.ID_FIELD: "name another one with --id-field",
    Hint.INGEST: "fill it with: esclip ingest PATH",
    Hint.INGEST_CAPTIONS: "make them with: esclip ingest PATH --parts captions",
    Hint.INGEST_CROPS: "make them with: esclip ingest PATH --parts crops",
    Hint.MODELS: "esclip models",
    Hint.MODEL_FOLDER: "to use a model folder on this machine give its path: --encoder /path/to/folder",
    Hint.NEW_INDEX: "name another one with --to",
    Hint.OTHER_INDEX: "take another --index",
    Hint.PASSWORD: "give the password in ESCLIP_PASSWORD",
    Hint.PRUNE: "--prune removes what the index holds of it",
    Hint.REJECTIONS: "`esclip rejections` shows each with its reason",
    Hint.SAME_ENCODER: "leave out --encoder, or ingest into another --index",
    Hint.STORE: "name a folder by --store (ESCLIP_STORE), or set HOME",
    Hint.TEXT_ENCODER: "for the index's own name it with --text-encoder",
    Hint.TRUST: "if you know that they are, add --trust",
    Hint.TRUSTED_MODEL: "if you trust it, name the model with --encoder, the text tower with --text-encoder",
    Hint.UNDO_ADOPTION: "let it go with: esclip adopt --undo",
    Hint.URL_COLUMN: "name the column of the pictures with --url-column",
    Hint.USER_AND_PASSWORD: "give both: --user (ESCLIP_USER) and ESCLIP_PASSWORD",
    Hint.VECTOR_COLUMN: "name the column of the vectors with --vector-column",
    Hint.VECTOR_FIELD: "name one with --vector-field",
    Hint.VECTOR_IDS: "name the table with their ids with --ids",
}


def format_error(error: Exception) -> str:
    """The text of an error."""
    if isinstance(error, EsclipError) and error.hint:
        return f"{error.message}; {HINTS[error.hint]}"
    return str(error)


def format_warning(record: logging.LogRecord) -> str:
    """The text of a warning of the library, which may have hints among its arguments."""
    worded = copy(record)  # other handlers get the record as it is
    if isinstance(record.args, tuple):
        worded.args = tuple(HINTS[value] if isinstance(value, Hint) else value for value in record.args)
    return worded.getMessage()
