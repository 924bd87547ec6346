"""Every page of the built book, in a real browser with all other hosts blocked."""

import functools
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import pytest
from built import AXE, HTML, pages

WIDTHS = (1280, 360)
every_page = pytest.mark.parametrize("address", pages() or ["book/index.html"])


def overflow(page) -> list[str]:
    """What sticks out of the page to the right, outside boxes that scroll by themselves."""
    return page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= width) return [];
          const out = [...document.querySelectorAll("body *")].filter(
            e => e.getBoundingClientRect().right > width + 1 && !e.closest("[class*=sidebar], .table-scroll"));
          return [`${document.documentElement.scrollWidth} > ${width}`,
            ...out.slice(0, 5).map(e => `${e.tagName}.${e.className} in ${e.parentElement.className}`)];
        }"""
    )


@every_page
def test_page(visit, address):
    """Nothing fails and nothing is asked of another host; mathematics is set; images have alternative texts."""
    page, problems = visit(address)
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
    broken = page.evaluate("() => [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)")
    assert not broken, "images that do not load"
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert not overflow(page), f"sideways scrolling at {width} px"
    assert not problems


@every_page
@pytest.mark.parametrize("scheme, rules", [("light", None), ("dark", ["color-contrast"])])  # a theme is its colours
def test_accessibility(visit, address, scheme, rules):
    """axe finds no serious or critical problem, in either theme."""
    page, _ = visit(address, scheme=scheme)
    page.add_script_tag(path=AXE)
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    found = page.evaluate("options => axe.run(document, options)", options)["violations"]
    serious = [f"{rule['help']}: {node['html'][:200]}" for rule in found if rule["impact"] in ("serious", "critical")
               for node in rule["nodes"][:3]]
    assert not serious


@pytest.fixture(scope="module")
def read(browser):
    """Links and anchors of a page, each page read once."""
    page = browser.new_page(java_script_enabled=False)

    @functools.cache
    def links_and_anchors(path: Path) -> tuple[list[str], set[str]]:
        page.goto(path.as_uri())
        return (page.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))"),
                set(page.eval_on_selector_all("[id], a[name]", "all => all.map(e => e.id || e.name)")))

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
        if not path.is_file() or (fragment and path.suffix == ".html" and unquote(fragment) not in read(path)[1]):
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
      const [r, g, b] = (selector === "body" ? style.backgroundColor : style.color).match(/[\\d.]+/g).map(Number);
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
