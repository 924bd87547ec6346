"""Pictures of every page of the built book, wide, narrow and dark, in _build/screenshots: to be looked at."""

from built import HTML, ROOT, pages
from tqdm import tqdm

from contrastlib.report.release.chromium import chromium

VIEWS = {"desktop": (1280, "light"), "phone": (390, "light"), "dark": (1280, "dark")}
HIGHEST = 30_000  # pixels: Chromium cannot take much more in one picture, and the index has more


def main() -> None:
    folder = ROOT / "_build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for address in tqdm(pages(), unit="page"):
            for name, (width, scheme) in VIEWS.items():
                page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                page.goto((HTML / address).as_uri(), wait_until="load")
                page.evaluate("() => window.MathJax?.startup?.promise")
                stem = address.removesuffix(".html").replace("/", "-")
                height = min(HIGHEST, page.evaluate("() => document.documentElement.scrollHeight"))
                whole = {"x": 0, "y": 0, "width": width, "height": height}
                page.screenshot(path=folder / f"{stem}-{name}.png", full_page=True, clip=whole)
                page.close()
        # what README.md shows, once it is copied to book/assets/screenshot.png
        page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme="light")
        page.goto((HTML / "book/index.html").as_uri(), wait_until="load")
        page.evaluate("() => window.MathJax?.startup?.promise")
        page.screenshot(path=folder / "first-page.png")
    print(folder)


if __name__ == "__main__":
    main()
