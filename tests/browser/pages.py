"""Pages as a browser shows them, and what they did that they should not have done."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page


@dataclass
class Seen:
    """A page, and what it did that it should not have done."""

    page: Page
    wrong: list[str] = field(default_factory=list)

    def drawn(self) -> int:
        """Return how many charts there are, when all of them are drawn."""
        charts: int = self.page.locator("figure[data-chart]").count()
        self.page.wait_for_function(
            "document.querySelectorAll('figure[data-chart][data-drawn]').length"
            " === document.querySelectorAll('figure[data-chart]').length"
        )
        return charts

    def colours(self) -> list[int]:
        """Return of how many colours the pixels of each chart are."""
        found: list[int] = self.page.evaluate(
            """() => [...document.querySelectorAll("figure[data-chart] canvas")].map((canvas) => {
                const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
                return new Set(new Uint32Array(pixels.buffer)).size;
            })"""
        )
        assert len(found) == self.page.locator("figure[data-chart]").count()
        return found

    def table(self, name: str) -> dict[str, list[str]]:
        """Return a table's rows by their first cell."""
        rows = self.page.evaluate(
            """(name) => [...document.querySelectorAll(`[aria-label="${name}"] tbody tr`)].map(
                (row) => [...row.cells].map((cell) => cell.textContent.trim()))""",
            name,
        )
        return {row[0]: row[1:] for row in rows}


def show(browser: Browser, page: Path, *, dark: bool = False, width: int = 1280) -> Seen:
    scheme: Any = "dark" if dark else "light"
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    seen = Seen(context.new_page())
    seen.page.on("console", lambda message: seen.wrong.append(f"console: {message.text}"))
    seen.page.on("pageerror", lambda error: seen.wrong.append(f"error: {error}"))
    seen.page.on("dialog", lambda dialog: seen.wrong.append(f"dialog: {dialog.message}"))
    seen.page.on("request", lambda request: seen.wrong.append(request.url) if request.url != page.as_uri() else None)
    seen.page.goto(page.as_uri())
    return seen
