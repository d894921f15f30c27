"""Writes the snapshots anew, for a change that is meant; `git diff` shows what changed.

    python -m tests.meta.snapshots            # all of them
    python -m tests.meta.snapshots NAME ...   # some: public_names, help, ...

Public names may change with their release notes. Stored formats and command lines are read by other versions
and by scripts: a change there is one for all users.
"""

from __future__ import annotations

import sys

from tests.meta.test_snapshots import SNAPSHOTS, path_of

for name in sys.argv[1:] or SNAPSHOTS:
    path_of(name).write_text(SNAPSHOTS[name](), encoding="utf-8")
