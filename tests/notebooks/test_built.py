"""What the book is built from says what stored notebooks say; these are the same files every time."""

import copy
import shutil

import nbformat
import pytest
from jupyter_client.provisioning import KernelProvisionerFactory

from contrastlib.report.claims.verdict_tables import KEY
from contrastlib.report.notebooks import executed_form, execution, kernel_provisioner, staleness
from contrastlib.report.notebooks.said import values_in
from contrastlib.report.pages.claims import claims_in

STORED = {path.stem: path for path in execution.find([])}


def found(path):
    """name -> number or word: verdicts, their effects, values for other pages, of an executed notebook."""
    notebook = nbformat.read(path, as_version=4)
    values = values_in(notebook)
    for name, record in claims_in(notebook).items():
        for scale, finding in record["findings"].items():
            values[f"{name}, {scale}"] = finding["said"]
            values |= {
                f"{name}, {scale}, {network}": effect for network, effect in finding["effects"].items()
            }
    return values


def checked(path):
    """cell -> what it prints or says, if it says the same on every machine; for verdicts see above."""
    said = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if "nbval-check-output" in cell.metadata.get("tags", []):
            data = [
                output.get("data", {}) for output in cell.outputs if not output.get("metadata", {}).get(KEY)
            ]
            said[cell.id] = [each.get("text/markdown", each.get("text/plain")) for each in data]
            said[cell.id] += [output.text for output in cell.outputs if output.output_type == "stream"]
    return said


def assert_same(stored, built):
    """Numbers within a thousandth, small ones within 0.0005, all else equal; processors round otherwise."""
    assert stored.keys() == built.keys()
    near = {
        name: pytest.approx(said, rel=1e-3, abs=5e-4, nan_ok=True) if type(said) in (int, float) else said
        for name, said in stored.items()
    }
    assert {name: (stored[name], built[name]) for name, said in near.items() if built[name] != said} == {}


@pytest.mark.parametrize("path", STORED.values(), ids=STORED)
def test_numbers_of_the_book_are_those_of_the_stored_notebook(path):
    """With whatever data is here. `make test` builds the book first: that is where every notebook ran."""
    executed = up_to_date(path)
    assert_same(found(path), found(executed))
    assert checked(path) == checked(executed)


def up_to_date(path):
    """The executed notebook of the book, which the present code made."""
    executed = execution.EXECUTED / path.name
    reason = staleness.why_stale(path, executed, {})  # of another profile: the parameters changed
    if reason:
        pytest.skip(f"{path.stem} of the book is out of date: {reason}")
    return executed


def test_verdicts_are_compared():
    """A page of results has verdicts with effects, which the comparison above sees."""
    values = found(STORED["04_masking"])
    assert values["masking-positive-by-sign, quick"].startswith("supported")
    assert values["masking-positive-by-sign, quick, birds_vgg"] > 0.1
    assert checked(STORED["01_theory"])["limits"][0].count(" ") > 9 and checked(STORED["04_masking"]) == {
        "verdicts": []
    }


def test_a_number_that_changed_is_noticed():
    ours = {
        "share": 0.5,
        "small": -2e-3,
        "count": 200,
        "lost": float("nan"),
        "verdict": "supported",
        "order": ["a", "b"],
    }
    assert_same(ours, copy.deepcopy(ours) | {"share": 0.5001, "small": -2.00001e-3})
    changed = {
        "share": 0.505,
        "small": -3e-3,
        "count": 202,
        "lost": 1.0,
        "verdict": "refuted",
        "order": ["b", "a"],
    }
    for name, other in changed.items():
        with pytest.raises(AssertionError, match=name):
            assert_same(ours, ours | {name: other})
    with pytest.raises(AssertionError, match="keys"):
        assert_same(ours, {"share": 0.5})


@pytest.mark.parametrize(
    "name, holds",
    [
        ("12_your_picture", ['"text/html"', "tiger cat"]),  # computes, and has an explorer
        ("13_cost", ['"image/svg+xml"', "records"]),  # figures and tables
    ],
)
def test_a_notebook_is_the_same_file_every_time(name, holds, monkeypatch, tmp_path):
    """`run --save` makes of a notebook without outputs what the book was built from, but for the scripts."""
    book = up_to_date(STORED[name])
    notebook = nbformat.read(STORED[name], as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    path = tmp_path / "notebooks" / f"{name}.ipynb"
    path.parent.mkdir()
    shutil.copy(execution.NOTEBOOKS / "matplotlibrc", path.parent)
    nbformat.write(notebook, path)
    monkeypatch.setattr(
        KernelProvisionerFactory.instance(), "default_provisioner_name", kernel_provisioner.NAME
    )
    with execution.kernel_environment(execution.QUICK_ENVIRONMENT):
        execution.execute(path, path, {}, stored=True)
    saved = path.read_text()
    assert saved == executed_form.for_storage(book.read_text())
    assert all(text in saved for text in holds)
