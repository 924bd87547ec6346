"""Every notebook in JupyterLab: whole with the book's numbers, with its controls, with other parameters.

That takes minutes, so that `make test-lab` does it and `make test` does not.
"""

import shutil

import lab_notebook as lab
import pytest
from small_parameters import SMALL

from contrastlib.report.notebooks import execution as notebooks
from contrastlib.report.results import benchmark_records

pytestmark = pytest.mark.lab
NO_PARAMETER = {
    "01_theory": lab.figures,  # its curves are of functions, not of networks
    "17_masking_errata": lab.figures,  # of photographs, which the networks of drawn birds do not know
}


@pytest.mark.parametrize("name", [path.stem for path in notebooks.find([])])
def test_reruns(lab_page, name):
    page, path = lab_page, f"notebooks/{name}.ipynb"
    before = lab.stored(path)
    lab.opened(page, path)
    cells = lab.run_all(page, path)
    lab.expect_readable(page, cells)
    assert lab.checked(cells) == lab.checked(before.cells)
    assert lab.move_widgets(page, cells) == lab.count_of_widgets(before)

    lab.assign(page, small(name, page.folder))
    changed = lab.run_all(page, path)
    lab.expect_readable(page, changed)
    for follows in (lab.texts, lab.effects, lab.figures):
        expected = follows(before.cells) and follows is not NO_PARAMETER.get(name)
        assert (follows(changed) != follows(cells)) == bool(expected)
    lab.close(page)


def small(name, folder):
    """Other parameters for a notebook, with which it takes seconds."""
    if name != "13_cost":
        return SMALL[name]
    first = min(benchmark_records.FOLDER.glob("*.parquet"))
    records = folder / "records"
    records.mkdir()
    for each in (first, *benchmark_records.FOLDER.glob("*.json"), *benchmark_records.FOLDER.glob("*.csv")):
        shutil.copy(each, records)
    return {"measurements": str(records)}
