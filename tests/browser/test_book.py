"""Every page of the built book, in a real browser with all other hosts blocked."""

import functools
import os
import time
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import pytest
from built import AXE, HTML, differs_with_data, pages

WIDTHS = (1280, 768, 390, 360)
HOSTS = ("https://mybinder.org", "https://colab.research.google.com")
SCREENS = 12  # of 800 pixels at a width of 1280: no page is longer
LONG = ("genindex.html",)  # what is looked up, not read
BUTTONS = ".fa-rocket, .fa-github, .fa-gitlab, [class*=launch-], [class*=repository-button]"
every_page = pytest.mark.parametrize(
    "address",
    [
        pytest.param(page, marks=[pytest.mark.data] if differs_with_data(page) else [])
        for page in pages() or ["book/index.html"]
    ],
)


def overflow(page) -> list[str]:
    """What sticks out of the page to the right, outside boxes that scroll by themselves."""
    return page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= width) return [];
          const out = [...document.querySelectorAll("body *")].filter(
            e => e.getBoundingClientRect().right > width + 1 &&
              !e.closest("[class*=sidebar], .table-scroll"));
          return [`${document.documentElement.scrollWidth} > ${width}`,
            ...out.slice(0, 5).map(e => `${e.tagName}.${e.className} in ${e.parentElement.className}`)];
        }"""
    )


def cut_off(page) -> list[str]:
    """Formulas whose beginning is not seen, or whose end no scrolling leads to."""
    return page.evaluate(
        """() => [...document.querySelectorAll("div.math")].filter(box => {
          const marks = [...box.querySelectorAll("mjx-c")].map(each => each.getBoundingClientRect());
          const {left} = box.getBoundingClientRect();
          return Math.min(...marks.map(mark => mark.left)) < left - 1 ||
            Math.max(...marks.map(mark => mark.right)) > left + box.scrollWidth + 1;
        }).map(box => box.id || box.textContent.slice(0, 40))"""
    )


def wider_than_its_box(page) -> list[str]:
    """Figures, and tables whose box does not scroll or does not say so. On a telephone no table scrolls."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.evaluate(
        """() => [...document.querySelectorAll(".bd-article :is(table, img, svg, canvas)")].filter(each => {
          const box = each.closest(".table-scroll") ?? each.parentElement;
          if (!each.checkVisibility() || each.closest("mjx-container, .math, summary")) return false;
          const { display, overflowX } = getComputedStyle(box);
          if (each.getBoundingClientRect().width <= box.clientWidth + 1 || display === "inline") return false;
          const cued = box.closest(".table-frame.more-right, .table-frame.more-left");
          return innerWidth <= 600 || !cued || overflowX !== "auto" || box.tabIndex !== 0;
        }).map(each => {
          const name = each.id || each.className || each.src?.slice(-60);
          return `${each.tagName} ${name} in ${each.parentElement.className}`;
        })"""
    )


def small_figures(page) -> list[str]:
    """Figures whose labels would be too small.

    They are narrower than they are meant to be, or than their file, and than the text with its margin.
    """
    return page.evaluate(
        """() => [...document.querySelectorAll(".figure-frame img")].filter(each => {
          const meant = Math.min(parseFloat(each.style.width) || each.naturalWidth, 900);
          return each.checkVisibility() && each.getBoundingClientRect().width < meant - 1;
        }).map(each => each.alt)"""
    )


def distorted(page) -> list[str]:
    """Images that are not shown in the proportions of their files."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".bd-article img")].filter(
          each => each.checkVisibility() && each.naturalWidth
        ).filter(each => {
          const style = getComputedStyle(each);
          const sum = (...names) => names.reduce((all, name) => all + parseFloat(style[name]), 0);
          const width = each.offsetWidth -
            sum("paddingLeft", "paddingRight", "borderLeftWidth", "borderRightWidth");
          const height = each.offsetHeight -
            sum("paddingTop", "paddingBottom", "borderTopWidth", "borderBottomWidth");
          return Math.abs(width / height * each.naturalHeight / each.naturalWidth - 1) > 0.03;
        }).map(each => each.alt)"""
    )


@every_page
def test_page(visit, address):
    """Nothing fails, nothing is asked of another host; it fits, says how it is made, and all can read it."""
    page, problems = visit(address)
    assert_short(page, address)
    assert_complete(page)
    assert_says_how_it_is_made(page, address)
    assert_accessible(page)
    assert not small_figures(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")
    page.evaluate(
        "() => Promise.allSettled(document.getAnimations().map(each => each.finished))"
    )  # colours fade over
    assert_accessible(page, runOnly=["color-contrast"])  # a theme is its colours
    page.evaluate("() => document.querySelectorAll('details').forEach(each => { each.open = true; })")
    lengths = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert not settled(overflow, page), f"sideways scrolling at {width} px"
        assert not settled(cut_off, page), f"formulas that are cut off at {width} px"
        assert not settled(wider_than_its_box, page), f"at {width} px"
        assert not settled(distorted, page), f"out of proportion at {width} px"
        lengths[width] = page.evaluate("() => document.documentElement.scrollHeight")
    assert lengths[390] < 3 * lengths[1280], "a column on a telephone that uses a part of its width"
    assert not problems


def settled(measure, page, seconds=5):
    """What a measure finds once scripts and layout have followed the window's new size, in these seconds."""
    deadline = time.monotonic() + seconds
    while (found := measure(page)) and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    return found


def assert_short(page, address):
    """As it opens, with its folds closed. What is longer is to be folded, or split: see book/folds.yaml."""
    screens = page.evaluate("() => document.documentElement.scrollHeight") / 800
    assert screens <= SCREENS or address.startswith(LONG), f"{screens:.1f} screens"


def assert_complete(page):
    """Mathematics is set; images are there and have alternative texts."""
    raw = page.evaluate(
        r"""() => {
          const text = document.querySelector(".bd-article, article, body").cloneNode(true);
          text.querySelectorAll("pre, code, script, style, mjx-container").forEach(e => e.remove());
          return (text.textContent.match(/\$\$|\\\(|\\\[|\\begin\{/g) || []);
        }"""
    )
    assert not raw, "mathematics left as source"
    assert page.locator("mjx-merror").count() == 0, page.locator("mjx-merror").first.inner_text()
    formulas = page.locator("span.math, div.math").count()
    assert formulas == 0 or page.locator("mjx-container").count() >= formulas
    unnamed = page.evaluate(  # Sphinx puts the name of the file where no text is given
        r"""() => [...document.images].map(i => i.alt.trim() || i.src.slice(0, 100))
            .filter(alt => /^data:|\.(png|svg|jpe?g|gif|webp)$/.test(alt))"""
    )
    assert not unnamed, "images without an alternative text"
    broken = page.evaluate(
        "() => [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    )
    assert not broken, "images that do not load"


def assert_says_how_it_is_made(page, address):
    """By which command, to be copied; no button that needs a repository's address where there is none."""
    section, name = page.locator("section#rerun-this-page"), Path(address).stem
    if address.startswith("book/executed/"):
        assert section.evaluate(
            "e => e.closest('.bd-article').textContent.trim().endsWith(e.textContent.trim())"
        )
        expected = f".venv/bin/papermill notebooks/{name}.ipynb /tmp/{name}.ipynb \\\n  --cwd notebooks"
        assert section.locator("pre").first.inner_text().strip().startswith(expected)
        assert section.locator("button.copybtn").count() == section.locator("pre").count()
    elif address.startswith("book/"):
        assert "make book" in page.locator(".bd-article").inner_text()
    if not os.environ.get("REPOSITORY"):
        assert page.locator(BUTTONS).count() == 0
        links = page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)")
        assert not [link for link in links if link.startswith(HOSTS)]


def assert_accessible(page, **options):
    """axe finds no serious or critical problem."""
    if not page.evaluate("() => 'axe' in window"):
        page.add_script_tag(path=AXE)
    found = page.evaluate("options => axe.run(document, options)", {"resultTypes": ["violations"]} | options)[
        "violations"
    ]
    serious = [
        f"{rule['help']}: {node['html'][:200]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"][:3]
    ]
    assert not serious


@pytest.fixture(scope="module")
def read(browser):
    """Links and anchors of a page, each page read once."""
    page = browser.new_page(java_script_enabled=False)
    page.set_default_timeout(120_000)

    @functools.cache
    def links_and_anchors(path: Path) -> tuple[list[str], set[str]]:
        page.goto(path.as_uri())
        return (
            page.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))"),
            set(page.eval_on_selector_all("[id], a[name]", "all => all.map(e => e.id || e.name)")),
        )

    yield links_and_anchors
    page.close()


@every_page
def test_links(address, read):
    """Every link inside the book leads to a file, and every anchor to an element, that exists."""
    dead = []
    for link in read(HTML / address)[0]:
        target, fragment = urldefrag(urljoin((HTML / address).as_uri(), link))
        if not target.startswith("file:"):
            continue
        path = Path(unquote(target.removeprefix("file://")).split("?")[0])
        if not path.is_file() or (
            fragment and path.suffix == ".html" and unquote(fragment) not in read(path)[1]
        ):
            dead.append(link)
    assert not dead


def test_first_page(visit):
    """The address printed by `make book` leads to the landing page."""
    page, problems = visit("index.html")
    page.wait_for_url("**/book/index.html")
    assert not problems


def test_from_a_file(visit):
    """The book also works when its first page is opened as a file, without any server."""
    page, problems = visit("book/index.html", base=HTML.as_uri() + "/")
    assert page.locator("mjx-container").count() > 0
    assert not problems


def test_dark_theme(visit):
    """The switch of the theme reaches a dark page, with light text on it."""
    page, problems = visit("book/index.html")
    lightness = """selector => {
      const style = getComputedStyle(document.querySelector(selector));
      const colour = selector === "body" ? style.backgroundColor : style.color;
      const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
      return (r + g + b) / 3;
    }"""
    for _ in range(3):  # automatic, light, dark in some order
        page.locator("button.theme-switch-button:visible").first.click()
        if page.evaluate("() => document.documentElement.dataset.mode") == "dark":
            break
    assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(lightness, "body") < 80
    assert page.evaluate(lightness, ".bd-article p") > 150
    assert not problems
