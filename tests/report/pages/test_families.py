"""The tables of networks that were tried say what the kept outcomes say."""

import re
from pathlib import Path

import pytest

from contrastlib.explainers import EXPLAINERS
from contrastlib.report.pages import families as page

ROOT = Path(__file__).parents[3]
LIBRARIES = ["torchvision", "timm", "transformers", "contrastlib"]
CONFIGURATION = """
from contrastlib.report.pages.families import FamiliesTable

extensions = ["myst_nb"]


def setup(app):
    app.add_directive("families-table", FamiliesTable)
"""


def network(**fields):
    return {
        "library": "timm",
        "family": "Mixer",
        "network": "mixer_s",
        "class": "MlpMixer",
        "layer": None,
        "default": False,
        "map": {},
        "refused": {},
        "fails": {},
    } | fields


def record(*networks):
    return {
        "provenance": {"libraries": {"timm": "1.0.31"}, "date": "2026-01-02T03:04:05+00:00"},
        "networks": list(networks),
    }


def cells(text):
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]


def test_every_method_has_one_column():
    assert sorted(name for methods in page.columns().values() for name in methods) == sorted(EXPLAINERS)


def test_cells_and_reasons():
    methods = dict.fromkeys(EXPLAINERS, "not constant")
    why = "MlpMixer mixes 'blocks.3' of (2, 5): name a layer"
    first = network(
        map={name: why for name, why in methods.items() if name not in ("xgradcam", "lrp", "fullgrad")},
        refused={"xgradcam": why, "fullgrad": "no *biases*"},
        fails={"lrp": "KeyError: 3"},
        layer="stem",
        default=True,
    )
    second = network(map=methods, layer="blocks.3", network="mixer_b")
    text = page.families_table(record(first, second), "timm")
    head, _, *rows = cells(text)
    assert head[0] == "timm 1.0.31"
    found = dict(zip(head[1:], rows[0][1:]))
    reasons = dict(re.findall(r"^(\d+)\. (.*)$", text, re.MULTILINE))
    assert reasons == {"1": "KeyError", "2": r"no \*biases\*", "3": "the network mixes … of …"}
    of_layers = len(page.columns()["layer"])
    assert (
        found["layer"] == f"{of_layers - 1}/{of_layers} {{sup}}`3`"
        and found["FullGrad"] == "– {sup}`2`"
        and found["LRP"] == "✗ 3/4 {sup}`1`"
    )
    assert set(rows[1][1:]) == {"✓"}
    assert (
        rows[0][0] == "**Mixer** `mixer_s`<br>`stem`"
        and rows[1][0] == '**Mixer** `mixer_b`<br>`layer="blocks.3"`'
    )


def test_a_method_that_was_not_measured():
    """It has a column in the tables that were made before it, without a map and without a reason."""
    measured = {name: "not constant" for name in EXPLAINERS if name != "deeplift"}
    head, _, row = cells(page.families_table(record(network(map=measured)), "timm"))
    found = dict(zip(head, row))
    assert found.pop("DeepLIFT") == "–" and {*list(found.values())[1:]} == {"✓"}


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_table_agrees_with_the_kept_outcomes(library):
    kept = page.load()
    text = page.families_table(kept, library)
    head, _, *rows = cells(text)
    networks = [each for each in kept["networks"] if each["library"] == library]
    reasons = dict(re.findall(r"^(\d+)\. (.*)$", text.replace("\\", ""), re.MULTILINE))
    assert len(rows) == len(networks) >= 7 and head[1:] == list(page.columns())
    for each, row in zip(networks, rows):
        assert set(each["map"]) | set(each["refused"]) | set(each["fails"]) <= set(EXPLAINERS)
        assert f"`{each['network']}`" in row[0] and (each["layer"] or "") in row[0]
        for methods, cell in zip(page.columns().values(), row[1:]):
            served = [name for name in methods if name in each["map"]]
            assert ("✓" in cell, "–" in cell) == (served == methods, not served)
            assert ("✗" in cell) == any(name in each["fails"] for name in methods)
            why = (each["refused"] | each["fails"]).items()
            shown = {reasons[number] for number in re.findall(r"\d+", cell.partition("{sup}")[2])}
            assert shown == {page.general(reason, each["class"]) for name, reason in why if name in methods}


def test_the_summary_counts():
    counts = page.summary(
        record(network(map={"lrp": ""}), network(refused={"lrp": ""}, fails={"gradcam": ""}))
    )
    assert counts == (
        "2 networks were tried on 2026-01-02: 2 of timm 1.0.31. "
        "Of 3 attempts 1 gave a map, 1 was refused and 1 failed."
    )


def test_a_library_that_was_not_tried():
    with pytest.raises(
        ValueError, match=r"no network of 'keras' was tried: run python -m benchmarks\.families"
    ):
        page.families_table(record(network()), "keras")


def test_the_page_is_in_the_book():
    text = (ROOT / "book" / "families.md").read_text(encoding="utf-8")
    assert re.findall(r"^```{families-table} (\w+)$", text, re.MULTILINE) == [
        "summary",
        "columns",
        *LIBRARIES,
    ]
    assert "file: book/families\n" in (ROOT / "_toc.yml").read_text(encoding="utf-8")
    assert "](families.md)" in (ROOT / "book" / "library.md").read_text(encoding="utf-8")
    assert (
        "data/results/families.json"
        in re.search(r"^PAGES = .*$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[0]
    )


@pytest.mark.slow
def test_the_page_is_built(sphinx_build, tmp_path):
    (tmp_path / "conf.py").write_text(CONFIGURATION)
    directives = "\n".join(
        f"## {name}\n\n```{{families-table}} {name}\n```\n" for name in ["summary", "columns", *LIBRARIES]
    )
    (tmp_path / "index.md").write_text(f"# Title\n\n{directives}")
    sphinx_build(tmp_path, tmp_path / "html")
    html = (tmp_path / "html" / "index.html").read_text(encoding="utf-8")
    assert len(re.findall(r'<table class="families\b', html)) == len(LIBRARIES)
    assert "<sup>" in html and "<br>" in html
