"""What the book is built from says what the stored notebooks say, and a stored notebook is the same file every time."""

import ast
import copy
import shutil

import nbformat
import pytest

from contrastlib.__main__ import main
from contrastlib.report import notebooks, staleness
from contrastlib.report.shards import RESULTS

GLUED = "application/papermill.record/text/plain"
STORED = {path.stem: path for path in notebooks.find([])}


def glued(notebook):
    """name -> number or text, of everything that a notebook glues."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return {o.metadata["scrapbook"]["name"]: value(o.data[GLUED]) for o in outputs if GLUED in o.get("data", {})}


def value(text):
    return float(text) if text == "nan" else ast.literal_eval(text)


def assert_same(stored, built):
    """Numbers within a thousandth, cosines to 0.002, all else equal; processors round otherwise.

    The z rule that bypasses biases divides by sums near 0, which rounding decides: what it gives only has to be there.
    """
    assert stored.keys() == built.keys()
    near = {name: pytest.approx(said, rel=1e-3, abs=2e-3 if name.startswith("similarity_") else 1e-6, nan_ok=True)
            if type(said) in (int, float) else said
            for name, said in stored.items() if not name.endswith("_z_bypassed")}
    assert {name: (stored[name], built[name]) for name, said in near.items() if built[name] != said} == {}


@pytest.mark.parametrize("path", STORED.values(), ids=STORED)
def test_numbers_of_the_book_are_those_of_the_stored_notebook(path):
    """With whatever data is here; `make test` builds the book first."""
    executed = notebooks.EXECUTED / path.name
    reason = staleness.why_stale(path, executed, {})  # of another profile: the parameters changed
    if reason:
        pytest.skip(f"{path.stem} of the book is out of date: {reason}")
    assert_same(*(glued(nbformat.read(file, as_version=4)) for file in (path, executed)))


def test_a_number_that_changed_is_noticed():
    ours = {"share": 0.5, "small": -2e-5, "count": 200, "lost": float("nan"), "verdict": "supported", "order": ["a", "b"]}
    assert_same(ours, copy.deepcopy(ours) | {"share": 0.5001, "small": -2.00001e-5})
    changed = {"share": 0.505, "small": -2.2e-5, "count": 202, "lost": 1.0, "verdict": "refuted", "order": ["b", "a"]}
    for name, other in changed.items():
        with pytest.raises(AssertionError, match=name):
            assert_same(ours, ours | {name: other})
    with pytest.raises(AssertionError):
        assert_same(ours, {"share": 0.5})


@pytest.mark.parametrize("name, holds", [
    ("12_your_picture", [b'"text/html"', b"tiger cat"]),  # computes, and has an explorer
    ("13_cost", [b'"image/png"', b"records"]),  # figures and tables
])
def test_a_notebook_is_the_same_file_every_time(repository, name, holds):
    """Two runs of `run --save`, the first from a notebook without outputs."""
    notebook = nbformat.read(STORED[name], as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    path = repository.root / "notebooks" / f"{name}.ipynb"
    nbformat.write(notebook, path)
    shutil.copytree(RESULTS / "benchmarks", repository.root / "data" / "results" / "benchmarks")  # which 13 shows
    runs = []
    for _ in range(2):
        assert main(["run", "--save", name]) == 0
        runs.append(path.read_bytes())
    assert runs[0] == runs[1]
    assert all(text in runs[0] for text in holds)
