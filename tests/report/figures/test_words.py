"""Words for readers: in no table of a stored notebook stands a name of the code."""

import re

import pytest

from contrastlib.assets import networks
from contrastlib.report.figures.shared import published
from contrastlib.report.figures.words import words
from contrastlib.report.notebooks import execution

NAME = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b")
FREE = re.compile(
    r"(?s)<(code|style|script)\b.*?</\1>|`[^`]*`|\$[^$]*\$|<[^>]*>"
)  # code, formulas and attributes
PROVENANCE = {"card", "cards", "provenance"}  # cells with names of files


def said(cell):
    for output in cell.get("outputs", []):
        yield FREE.sub(" ", output.get("data", {}).get("text/html", ""))


@pytest.mark.parametrize("path", execution.find([]), ids=lambda path: path.stem)
def test_no_names_of_code(path):
    for cell in execution.read(path).cells:
        if cell.cell_type == "code" and cell.id not in PROVENANCE:
            for text in said(cell):
                assert not NAME.findall(text), cell.id
                assert not re.search(r"(?<![\w-])[+-]?nan(?![\w-])", text), cell.id
                assert not [name for name in networks() if re.search(rf"(?<![\w/]){name}(?!\w)", text)], (
                    cell.id
                )


def test_published_networks_have_titles():
    """Those that the review names as torchvision does."""
    for name in published("sign_perturbation")["network"].unique():
        assert words(name) != name and "_" not in words(name)
