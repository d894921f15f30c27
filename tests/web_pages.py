"""What the tests of the page look at it with: a service's address, a browser's complaints, axe."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

__all__ = ["HOSTILE", "Faults", "Site", "violations"]

HOSTILE = "<img src=/hostile onerror=alert(1)>\"'><script>alert(2)</script>"
"""What a picture's texts may hold, too: one picture of the library has it."""

WCAG_22_AA = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")


@dataclass(frozen=True)
class Site:
    """A search service and what it shows."""

    address: str
    folder: Path
    """Its `store` is the index, named `photos`; `photos` has the pictures."""


@dataclass
class Faults:
    """What a browser complains of: errors on the console, exceptions, requests to other hosts.

    What a page's content security policy refuses is an error on the console.
    """

    address: str
    seen: list[str] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> None:
        """Collect the complaints of all pages of a context."""
        context.on("console", self._keep_error)
        context.on("weberror", lambda error: self.seen.append(str(error.error)))
        context.on("request", lambda request: self._check_host(request.url))

    def _keep_error(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.seen.append(f"{said.text} ({said.location['url']})")

    def _check_host(self, url: str) -> None:
        if urlsplit(url).netloc not in (urlsplit(self.address).netloc, ""):  # "": blob: and data:
            self.seen.append(f"a request to another host: {url}")


def violations(page: Page) -> list[str]:
    """What breaks WCAG 2.2 AA on a page, by axe: each rule with its elements."""
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": list(WCAG_22_AA)}})
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ]
