"""stderr for esclip's own lines: what libraries would write there goes nowhere. For the command line only.

Libraries in C write to the file descriptor 2: libtiff a line for each damaged picture, nanobind (which comes
with torch) thirty at the exit, of what is left then. Those in Python warn, and log without being asked to.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import warnings
from contextlib import suppress


def keep_stderr() -> None:
    """Give `sys.stderr` a descriptor of its own, which nobody knows, and let descriptor 2 lead nowhere.

    A process that crashes still says so: Python then lists on `sys.stderr` where its threads were.
    """
    logging.getLogger().addHandler(logging.NullHandler())  # or Python writes what no handler takes
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    before = sys.stderr
    try:
        own = os.dup(before.fileno())
    except (AttributeError, OSError):  # it is closed
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = open(  # noqa: SIM115, PTH123  # for as long as the process lives
        own, "w", buffering=1, encoding=before.encoding, errors=before.errors
    )
    faulthandler.enable(sys.stderr)


def write_at_once(text: str) -> None:
    """Write to `sys.stderr`, from a signal's handler as well: a print might be inside of another."""
    try:
        descriptor = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        descriptor = 2
    with suppress(OSError):  # nobody reads it
        os.write(descriptor, text.encode())
