"""A search service, and a browser that looks at it: for scripts that measure and draw the page, for tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from playwright.sync_api import Browser, sync_playwright

__all__ = ["find_chromium", "open_browser", "serve"]

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """The program of a chromium on the PATH. None is downloaded."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def open_browser(program: str | None = None) -> Iterator[Browser]:
    """Context manager: a browser that reaches this machine's loopback, and nothing else."""
    program = program or find_chromium()
    if program is None:
        sys.exit("there is no chromium on the PATH (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            chromium_sandbox=os.geteuid() != 0,  # root can't have one
            args=["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def serve(store: Path, index: str, thumbnails: Path, *options: str) -> Iterator[str]:
    """Context manager: `esclip serve` with these options as a process of its own. Gives its address."""
    command = [
        sys.executable,
        "-m",
        "esclip",
        "serve",
        "--port",
        "0",
        "--store",
        str(store),
        "--index",
        index,
    ]
    with subprocess.Popen(
        [*command, "--thumbnails", str(thumbnails), *options], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr
            lines = iter(process.stderr.readline, "")
            address = next(
                (found[0] for line in lines if (found := re.search(r"http://[\d.]+:\d+", line))), ""
            )
            if not address:
                sys.exit("esclip serve did not start")
            Thread(target=process.stderr.read, daemon=True).start()  # or a full pipe would hold it up
            yield address
        finally:
            process.terminate()
