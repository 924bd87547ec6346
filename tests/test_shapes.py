"""The legend of the package names all letters with which docstrings write the shapes of tensors."""

import ast
import re
from pathlib import Path

import contrastlib

FOLDER = Path(contrastlib.__file__).parent
ENTRY = r"(?:\.\.\.|[A-Za-z]|\d+)"
SHAPE = re.compile(rf"\({ENTRY}(?:, {ENTRY})*,?\)")


def letters_of_shapes(text):
    return {letter for shape in SHAPE.findall(text) for letter in re.findall(r"\b[A-Z]\b", shape)}


def test_letters_are_found():
    assert letters_of_shapes("Maps (N, B, h, w) or (..., 2), groups (S,), and e. g. (NaN, Q)") == {
        "N",
        "B",
        "S",
    }


def test_letters_are_in_the_legend():
    table = contrastlib.__doc__.partition("letter      number of")[2].partition("Formulas use")[0]
    legend = {
        letter for entry in re.findall(r"^``(.+?)``", table, re.MULTILINE) for letter in entry.split(", ")
    }
    used = set()
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                used |= letters_of_shapes(node.value)
    assert used == {letter for letter in legend if letter.isupper()}
