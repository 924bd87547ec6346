"""python -m contrastlib run: what is executed, when, and that two runs give identical files."""

import os
import re

import nbformat
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from contrastlib.__main__ import main
from contrastlib.report.machines.allocation import ALLOCATION
from contrastlib.report.notebooks import executed_form, execution, staleness
from contrastlib.report.results import storage

READS = """
import sys
sys.path.insert(0, "..")
import os, pathlib
from contrastlib import early
print(early.value(), n)
"""


@pytest.fixture
def run(repository, capsys):
    def call(*arguments):
        status = main(["run", *arguments])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return call


def test_reruns_only_what_depends_on_a_change(repository, run):
    """Late imports, data, absent files, lists of files, and parameters count; all else does not."""
    repository.write(
        "contrastlib/early.py", "def value():\n    from contrastlib.late import x\n    return x\n"
    )
    repository.write("contrastlib/late.py", "x = 5\n")
    repository.write("contrastlib/other.py", "y = 1\n")
    repository.write("elsewhere/birds.zip", "first")
    repository.write("elsewhere/fish.zip", "first")
    repository.write("data/results/table.csv", "1")
    data = "root = pathlib.Path(os.environ['CONTRASTLIB_DATA'])\n"
    data += "sys.audit('contrastlib.file', root / 'bats.zip')\n"
    data += "print((root / 'birds.zip').read_text(), (root / 'bats.zip').exists(), "
    data += "sorted(os.listdir('../data/results')))"
    repository.notebook("01_reads", READS, data)
    repository.notebook("02_alone", "print(n)")

    status, text = run()
    assert status == 0 and "not executed yet" in text
    assert repository.outputs("book/executed/01_reads.ipynb") == ["5 1\n", "first False ['table.csv']\n"]
    repository.write("contrastlib/other.py", "y = 2\n")
    repository.write("elsewhere/fish.zip", "second")
    repository.write("contrastlib/late.py", '"""A docstring."""\nx = 5  # a comment\n')
    repository.write("data/results/table.csv", "2")  # its name was listed, its content not read
    assert run() == (0, "01_reads: up to date\n02_alone: up to date\n")

    def reason(path, text):
        repository.write(path, text)
        status, said = run()
        assert status == 0 and "02_alone: up to date" in said
        return re.search(r"01_reads: executed in \d+ s \((.*)\)", said)[1]

    assert reason("contrastlib/late.py", "x = 6\n") == "contrastlib/late.py changed"
    assert repository.outputs("book/executed/01_reads.ipynb")[0] == "6 1\n"
    assert reason("elsewhere/birds.zip", "second") == "$CONTRASTLIB_DATA/birds.zip changed"
    assert reason("elsewhere/bats.zip", "new") == "$CONTRASTLIB_DATA/bats.zip changed"
    assert reason("data/results/more.csv", "new") == "data/results changed"
    assert reason("book/executed/01_reads.ipynb", "{}") == "the executed notebook was edited"
    assert reason("notebooks/profiles/quick.yaml", "01_reads: {n: 3}") == "the parameters changed"
    assert repository.outputs("book/executed/01_reads.ipynb")[0] == "6 3\n"
    assert run() == (0, "01_reads: up to date\n02_alone: up to date\n")


LOOKS = """
import os, pathlib, posix, pandas as pd, torch
from contrastlib import assets, datasets
from contrastlib.models.pretrained import load_weights
from contrastlib.report import studies
from contrastlib.report.figures import shared
from contrastlib.report.results import storage
from contrastlib.report.studies import execution

data, network = pathlib.Path(os.environ["CONTRASTLIB_DATA"]), torch.nn.Linear(1, 1)
load_weights(network, data / "own.safetensors")
shared.PUBLISHED, execution.RESULTS = data, data / "results"
for dataset in ("cub200", "food101", "imagenet-val"):
    try:
        datasets.load(dataset)
    except assets.MissingFile:
        pass
for find in (lambda: studies.recorded(studies.sign_perturbation, "repeat"), lambda: open(data / "opened")):
    try:
        find()
    except FileNotFoundError:
        pass
print(network.bias.item(), storage.load(data / "kept.parquet")["a"].item(),
      assets.available("imagenet_sample_1000.zip"), assets.state("flowers102"),
      shared.published("table")["b"].item(), os.stat is posix.stat)
"""


@pytest.mark.slow
def test_files_that_are_absent_or_read_by_compiled_libraries(repository, run):
    """What is looked for, and weights, results and tables; nothing of Python is replaced to see it."""
    data = repository.data
    save_file({"weight": torch.ones(1, 1), "bias": torch.ones(1)}, data / "own.safetensors")
    storage.save(pd.DataFrame({"a": [3]}), data / "kept.parquet")
    repository.write("elsewhere/table.csv", "b\n5\n")
    repository.notebook("01_looks", LOOKS)
    assert run()[0] == 0
    assert repository.outputs("book/executed/01_looks.ipynb") == ["1.0 3 False missing 5 True\n"]
    source, output = (
        repository.root / folder / "01_looks.ipynb" for folder in ("notebooks", "book/executed")
    )
    assert staleness.why_stale(source, output, {}) == ""
    there, absent = (
        ("own.safetensors", "kept.parquet", "table.csv"),
        (
            "imagenet_sample_1000.zip",
            "opened",
            "results/repeat",
            "CUB_200_2011/classes.txt",
            "food-101",
            "imagenet/meta.bin",
            "flowers-102/jpg",
        ),
    )
    for name in (*there, *absent):
        path, before = data / name, (data / name).read_bytes() if name in there else None
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"changed")
        assert staleness.why_stale(source, output, {}) == f"$CONTRASTLIB_DATA/{name} changed"
        path.write_bytes(before) if before else path.unlink()
        assert staleness.why_stale(source, output, {}) == ""


EDITS_ITSELF = """
import pathlib
path = pathlib.Path("01_edits.ipynb")
path.write_text(path.read_text().replace("Before.", "After."))
"""


def test_a_notebook_that_was_edited_while_it_ran(repository, run):
    """It is out of date afterwards, and --save does not overwrite what was edited."""
    repository.notebook("01_edits", "# Before.", EDITS_ITSELF)
    source, output = (
        repository.root / folder / "01_edits.ipynb" for folder in ("notebooks", "book/executed")
    )
    assert run()[0] == 0
    assert staleness.why_stale(source, output, {}) == "the notebook changed"
    repository.notebook("01_edits", "# Before.", EDITS_ITSELF)
    status, said = run("--save")
    assert status == 1 and "01_edits.ipynb was edited while it ran, and is left as it is" in said
    assert "After." in source.read_text()


def test_settings_of_the_environment_that_change_results(repository, run, monkeypatch):
    own = repository.root / "elsewhere" / "own.yaml"
    own.write_text("networks: {}")
    monkeypatch.setenv("CONTRASTLIB_REGISTRY", str(own))
    repository.notebook("01_prints", "print(n)")
    source, output = (
        repository.root / folder / "01_prints.ipynb" for folder in ("notebooks", "book/executed")
    )
    assert run()[0] == 0 and staleness.why_stale(source, output, {}) == ""
    own.write_text("datasets: {}")
    assert staleness.why_stale(source, output, {}) == "the environment changed"
    own.write_text("networks: {}")
    monkeypatch.setenv("HOME", str(own.parent))
    monkeypatch.setenv("CONTRASTLIB_REGISTRY", "~/own.yaml")
    assert staleness.why_stale(source, output, {}) == ""
    monkeypatch.setenv("CONTRASTLIB_SKIP_UNREADABLE", "0")
    assert staleness.why_stale(source, output, {}) == ""
    monkeypatch.setenv("CONTRASTLIB_SKIP_UNREADABLE", "1")
    assert staleness.why_stale(source, output, {}) == "the environment changed"


def test_own_results_are_no_inputs(repository, run):
    """A notebook that reads what it wrote is up to date afterwards, until that is gone."""
    repository.notebook(
        "01_writes", "p = '../data/results/a.csv'; open(p, 'w').write('1'); print(open(p).read())"
    )
    assert run()[0] == 0
    assert run() == (0, "01_writes: up to date\n")
    repository.write("data/results/a.csv", "2")
    assert run() == (0, "01_writes: up to date\n")
    (repository.root / "data/results/a.csv").unlink()
    assert "data/results/a.csv is gone" in run()[1]


def test_change_during_a_run_is_not_lost(repository, run):
    """A module edited while the notebook runs counts as changed afterwards."""
    repository.write("contrastlib/early.py", "def value():\n    return 5\n")
    repository.notebook(
        "01_reads", READS, "import pathlib, subprocess; subprocess.run(['touch', '../contrastlib/early.py'])"
    )
    assert run()[0] == 0
    assert "contrastlib/early.py changed" in run()[1]


UNSTABLE = """
import sys, ipywidgets, matplotlib.pyplot as plt, matplotlib_inline
matplotlib_inline.backend_inline.set_matplotlib_formats("svg")
print(object(), set("abcdefgh"))
for i in range(3):
    print(f"\\r{i}", end="", file=sys.stderr)
slider = ipywidgets.IntSlider(description="slide")
ipywidgets.HBox([slider, ipywidgets.Dropdown(options=["a", "b"])])
"""
FIGURE = (
    "fig, ax = plt.subplots(); ax.plot([1, 2]); ax.scatter([1], [2]); "
    "ax.fill_between([1, 2], [1, 2], hatch='/');"
)


def test_two_runs_are_identical(repository, run):
    """Memory addresses, order of sets, progress bars, widget models, SVG and injected cells do not differ."""
    repository.notebook("01_unstable", UNSTABLE, FIGURE, "__import__('pathlib').Path('.').resolve()")
    executed = repository.root / "book" / "executed" / "own" / "01_unstable.ipynb"
    texts = []
    for _ in range(2):
        assert run("-p", "n", "2", "--force")[0] == 0
        texts.append(executed.read_text())
    assert texts[0] == texts[1]
    assert "injected-parameters" in texts[0] and "<svg" in texts[0] and "00000000" in texts[0]
    assert str(repository.root) not in texts[0]
    assert '"name": "stderr"' not in texts[0]


STILLS = """
import ipywidgets
from IPython.display import display

class Still(ipywidgets.IntSlider):
    def _repr_mimebundle_(self, **kwargs):
        still = "<p>a still</p><Script type='x'>1 < 2\\n</script>"
        return super()._repr_mimebundle_(**kwargs) | {"text/html": still}

Still()
"""


def test_widgets_with_a_still(repository, run):
    """The still stays, its view goes, and models go with the last view; scripts stay, except in --save."""
    repository.notebook("01_still", STILLS)
    repository.notebook("02_both", STILLS, "ipywidgets.IntText()")
    assert run()[0] == 0
    still, both = (
        nbformat.read(repository.root / f"book/executed/{name}.ipynb", 4) for name in ("01_still", "02_both")
    )
    for notebook in (still, both):
        data = notebook.cells[1].outputs[0].data
        assert executed_form.VIEW not in data
        assert data["text/html"] == "<p>a still</p><Script type='x'>1 < 2\n</script>"
    assert "widgets" not in still.metadata
    assert executed_form.VIEW in both.cells[2].outputs[0].data
    assert both.metadata.widgets[executed_form.WIDGETS]["state"]

    assert run("--save")[0] == 0
    saved = nbformat.read(repository.root / "notebooks/01_still.ipynb", 4)
    assert saved.cells[1].outputs[0].data["text/html"] == "<p>a still</p>"
    assert run() == (0, "01_still: up to date\n02_both: up to date\n")


def test_failure(repository, run):
    """The message names notebook, cell and error; the rest stays; finished notebooks are not run again."""
    repository.notebook("01_good", "print('good')")
    repository.notebook("02_bad", "print('so far')", "1 / 0", "print('never')")
    status, text = run()
    assert status == 1
    for part in (
        "02_bad.ipynb failed in cell 2",
        "1 / 0",
        "ZeroDivisionError: division by zero",
        "02_bad.failed.ipynb",
    ):
        assert part in text
    assert "so far\n" in repository.outputs("book/executed/02_bad.failed.ipynb")
    assert not (repository.root / "book/executed/02_bad.ipynb").exists()
    repository.notebook("02_bad", "print('mended')")
    status, text = run()
    assert status == 0 and "01_good: up to date" in text and "the notebook changed" not in text
    assert not (repository.root / "book/executed/02_bad.failed.ipynb").exists()


def test_other_parameters_leave_the_page_as_it_is(repository, run):
    """A run with one's own parameters goes beside the default one, says where, and makes a page if asked."""
    repository.notebook("a", "print(n)")
    assert "a: executed" in run()[1]
    said = run("-p", "n", "5", "--page")[1]
    own, page = (
        repository.root / "book/executed/own/a.ipynb",
        repository.root / "_build/html/book/executed/a.own.html",
    )
    assert [line.strip() for line in said.splitlines()[1:]] == [str(own), str(page)]
    assert repository.outputs("book/executed/a.ipynb") == ["1\n"]
    [time] = (repository.root / "_build/times").read_text().splitlines()  # of the default run alone
    assert time.startswith("notebook a\t")
    assert repository.outputs("book/executed/own/a.ipynb") == ["5\n"]
    assert "<pre>5" in page.read_text()
    assert "a: up to date" in run()[1]


def test_save(repository, run):
    """Outputs go into the notebook itself, without data of others, and then nothing is out of date."""
    repository.write("elsewhere/photo.jpg", "a photograph")
    repository.notebook("01_saved", "import os; print(os.listdir(os.environ['CONTRASTLIB_DATA']))")
    assert run("--save")[0] == 0
    assert repository.outputs("notebooks/01_saved.ipynb") == ["[]\n"]
    first = (repository.root / "notebooks/01_saved.ipynb").read_text()
    assert run("--save", "saved")[0] == 0
    assert (repository.root / "notebooks/01_saved.ipynb").read_text() == first
    assert run()[0] == 0
    assert repository.outputs("book/executed/01_saved.ipynb") == ["['photo.jpg']\n"]
    assert run("--save")[0] == 0
    assert run() == (0, "01_saved: up to date\n")


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["02_map"], "no notebook '02_map'"),
        (["-p", "m", "1"], "01_maps has no parameter 'm'; it has n"),
        (["--profile", "huge"], "no profile 'huge'; there are quick"),
        (["--save", "-p", "n", "2"], "--save keeps the quick outputs"),
    ],
)
def test_usage(repository, run, arguments, says):
    repository.notebook("01_maps", "print(n)")
    status, text = run(*arguments)
    assert status == 2 and says in text


@pytest.mark.parametrize("parameters", ["n = len('ab')", "import os", "n += 1", "a, b = 1, 2"])
def test_parameters_are_plain(repository, run, parameters):
    repository.notebook("01_maps", "print(1)", parameters=parameters)
    assert "may only assign plain values" in run()[1]


def test_kernels_run_the_code_of_this_clone(repository, run, tmp_path, monkeypatch):
    """Also where the environment brings contrastlib from another one."""
    other = tmp_path / "another" / "contrastlib"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("")
    own = execution.CODE / "contrastlib" / "__init__.py"
    monkeypatch.setenv("PYTHONPATH", str(other.parent))
    repository.notebook(
        "01_where",
        f"import contrastlib; print(contrastlib.__file__ == {str(own)!r})",
    )
    assert run()[0] == 0
    assert repository.outputs("book/executed/01_where.ipynb") == ["True\n"]


@pytest.mark.parametrize("own", [None, "glibc.malloc.check=1"])
def test_kernels_keep_large_tensors_unless_told_otherwise(monkeypatch, own):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    if own:
        monkeypatch.setenv("GLIBC_TUNABLES", own)
    with execution.kernel_environment({}):
        assert os.environ["GLIBC_TUNABLES"] == (own or ALLOCATION["GLIBC_TUNABLES"])
    assert os.environ.get("GLIBC_TUNABLES") == own


def test_a_home_that_is_the_root_folder_stays(monkeypatch):
    """As in containers with an arbitrary user; any other home becomes ~."""
    cell = nbformat.v4.new_code_cell("page", id="a")
    cell.outputs = [
        nbformat.v4.new_output("stream", name="stdout", text="and/or <b>1</b> /home/me/picture.png")
    ]
    text = nbformat.writes(nbformat.v4.new_notebook(cells=[cell]))
    for home, said in (
        ("/", "and/or <b>1</b> /home/me/picture.png"),
        ("/home/me", "and/or <b>1</b> ~/picture.png"),
    ):
        monkeypatch.setenv("HOME", home)
        assert nbformat.reads(executed_form.normalise(text), 4).cells[0].outputs[0].text == said
