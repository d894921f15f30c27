"""A table with a line that is larger than the memory which a process may have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HEADER = b"photo_id\tphoto_image_url\tphoto_description\n"
ROWS = b"".join(b"%d\thttps://images.unsplash.com/%d\t\n" % (n, n) for n in range(4))

PROGRAM = """if True:
    import resource, sys
    from threading import Event
    from esclip.sources import open_source
    from esclip._core.types import ImageRecord
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 400_000_000,) * 2)
    print([isinstance(item, ImageRecord) for item in open_source([sys.argv[1]]).records(Event())])
"""


def test_a_line_of_a_gigabyte_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """It is one rejection, the row behind it comes, and no more memory is used than for the longest row."""
    with (tmp_path / "photos.tsv000").open("wb") as file:
        file.write(HEADER + b"x\tu\t")
        file.truncate(1_000_000_000)  # a hole of zeros: no disk is filled
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + ROWS)
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path], capture_output=True, text=True, check=False
    )
    assert ran.stdout == "[False, True, True, True, True]\n", ran.stderr
