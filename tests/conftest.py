"""Fixtures that several kinds of tests share."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import Esclip, in_process, runner
from tests.sharing import session_folder

# Starting the threads of OpenBLAS takes a tenth of a command's start, and workers share the cores anyway.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests that break things come first: they wait for each other, and others run beside them."""
    items.sort(key=lambda item: item.get_closest_marker("fault") is None)


def pytest_collection_finish() -> None:
    """What collecting has made lives as long as the process: the garbage collector passes it over."""
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _sigint_interrupts() -> Iterator[None]:
    """SIGINT does what it does on a terminal, also where a shell started the tests with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True, scope="session")
def _home_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The user's cache, data and configuration directories are the run's: each model is exported once."""
    folder = session_folder(tmp_path_factory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture
def esclip(tmp_path: Path) -> Esclip:
    """Runs `esclip`, its home in a folder of the test's own."""
    home = tmp_path / "home"
    home.mkdir()
    return runner(home)


@pytest.fixture
def quick_esclip(tmp_path: Path) -> Esclip:
    """The same in this process, for tests of what a command does, not of how its process behaves."""
    home = tmp_path / "home"
    home.mkdir()
    return in_process(home)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with a plain picture of each colour that `palette` knows."""
    from esclip.testing.pictures import draw_photos  # not where pytest only hands tests to its workers

    return draw_photos(tmp_path / "photos")
