"""Pages of the book as PDF, printed by Chromium with all that is folded, and tables and figures whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from tqdm import tqdm

from contrastlib.report.release.chromium import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

MARKER = "https://book.invalid/"
"""Beginning of the addresses of other pages of the book in a PDF. No host has this name (RFC 2606)."""
WIDTH = 720
"""Pixels of a window in which tables are laid out as on a sheet of A4."""
PATIENCE = 120_000
"""Milliseconds for a page to load, also on a machine that has much else to do."""
FOOTER = (
    '<div style="width: 100%; font-size: 8px; text-align: center">'
    '<span class="title"></span> · <span class="pageNumber"></span> of <span class="totalPages"></span></div>'
)
PREPARE = """async ([root, marker]) => {
  for (const each of document.querySelectorAll("details")) each.open = true;
  for (const each of document.querySelectorAll("img[loading=lazy]")) each.loading = "eager";
  await window.MathJax?.startup?.promise;
  await document.fonts.ready;
  await Promise.all([...document.images].map(each => each.decode().catch(() => {})));
  const here = location.href.split("#")[0];
  for (const link of document.querySelectorAll("a[href]")) {
    const [page, place] = link.href.split("#");
    if (page !== here) link.href = link.href.replace(root, marker);
    else if (!document.getElementById(decodeURIComponent(place ?? ""))) link.removeAttribute("href");
  }
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  dispatchEvent(new Event("beforeprint"));
}"""
"""Opens what is folded, waits for formulas and images, and marks links to other pages with ``MARKER``. A link
to a place that is not there would have the address of the file, and is removed."""


@dataclass(frozen=True)
class Chapter:
    """A page of the book.

    Attributes:
        name: Name of the page, such as "book/claims".
        level: Number of pages and parts above it in the table of contents.
        part: Caption of the part that begins with the page. Empty if none does.
    """

    name: str
    level: int = 0
    part: str = ""


def chapters(contents: Path) -> list[Chapter]:
    """Pages of the book in their order.

    Args:
        contents: Path of ``_toc.yml``.
    """
    tree = yaml.safe_load(contents.read_text(encoding="utf-8"))
    found = [Chapter(tree["root"])]
    for part in tree["parts"]:
        pages = list(_below(part["chapters"], 1))
        found += [Chapter(pages[0].name, 1, part["caption"]), *pages[1:]]
    return found


def _below(entries: Iterable[dict], level: int) -> Iterable[Chapter]:
    for entry in entries:
        yield Chapter(entry["file"], level)
        yield from _below(entry.get("sections", ()), level + 1)


def published_address(configuration: Path) -> str:
    """Address of the published book. Empty if ``_config.yml`` has none."""
    html = yaml.safe_load(configuration.read_text(encoding="utf-8")).get("html", {})
    return html.get("baseurl", "")


def print_pages(names: Iterable[str], html: Path, folder: Path) -> dict[str, Path]:
    """Print pages of the built book.

    Args:
        names: Names of the pages, such as "book/claims".
        html: Folder of the built book.
        folder: Folder of the PDFs. It is created.

    Returns:
        Name of a page -> path of its PDF. Links to other pages begin with ``MARKER``.

    Raises:
        FileNotFoundError: A page is not built, or there is no Chromium.
    """
    names = list(names)
    absent = [name for name in names if not (html / f"{name}.html").exists()]
    if absent:
        raise FileNotFoundError(f"{html} has no page {absent[0]}: run `make book`")
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{file_name(name)}.pdf" for name in names}
    with chromium() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": 1000}, color_scheme="light")
        page.set_default_timeout(PATIENCE)
        for name, path in tqdm(paths.items(), unit="page"):
            print_page(page, html / f"{name}.html", html, path)
    return paths


def file_name(name: str) -> str:
    """Name of the file of a page without its ending.

    >>> file_name("book/executed/04_masking"), file_name("book/reference/lrp")
    ('04_masking', 'reference-lrp')
    """
    return re.sub(r"^(book/)?(executed/)?", "", name).replace("/", "-")


def print_page(page: Page, source: Path, root: Path, target: Path) -> None:
    """Print a page.

    Args:
        page: A page of the browser.
        source: Path of the HTML.
        root: Folder of the built book.
        target: Path of the PDF.
    """
    page.goto(source.absolute().as_uri(), wait_until="load")
    page.evaluate(PREPARE, [f"{root.absolute().as_uri()}/", MARKER])
    page.pdf(
        path=target,
        format="A4",
        margin={"top": "15mm", "bottom": "18mm", "left": "15mm", "right": "15mm"},
        print_background=True,
        display_header_footer=True,
        header_template="<span></span>",
        footer_template=FOOTER,
        tagged=True,
    )


def print_drawings(paths: Sequence[Path]) -> None:
    """Write the PDF of each SVG beside it, in its own size.

    Raises:
        FileNotFoundError: There is no Chromium. The message says what to install.
    """
    if not paths:
        return
    with chromium() as browser:
        page = browser.new_page()
        for path in paths:
            page.set_content(f"<style>body {{ margin: 0 }}</style>{path.read_text(encoding='utf-8')}")
            size = page.locator("svg").first.bounding_box()
            page.pdf(
                path=path.with_suffix(".pdf"), width=f"{size['width']}px", height=f"{size['height'] + 1}px"
            )
