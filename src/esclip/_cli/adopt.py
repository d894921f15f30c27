"""The command that takes over an index that another program made."""

from __future__ import annotations

from esclip._cli.groups import EncoderOptions, StoreOptions
from esclip._cli.options import Json
from esclip._core.adoption import AdoptOptions


def adopt(*, options: AdoptOptions, store: StoreOptions, encoder: EncoderOptions, json: Json = False) -> None:
    """Search an index of OpenSearch or Elasticsearch that another program made. Changes no document.

    Checks dimension, metric, ids and scores, and writes into the mapping's _meta which fields hold what. That
    --encoder made the vectors is your word.
    """
    from esclip._cli.output.adoptions import print_adoption
    from esclip._cli.output.console import say

    with store.open(encoder) as index:
        adoption = index.adopt(**options)
    if adoption is None:
        say(f"index {store.index!r} is as before its adoption")
    else:
        print_adoption(adoption, json=json)
