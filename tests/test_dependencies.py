"""What an installation without the report's tools can do; and pyproject.toml names all that is imported."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DISTRIBUTIONS = {  # where it has another name than its module
    "PIL": "pillow",
    "IPython": "ipython",
    "yaml": "pyyaml",
    "dask_jobqueue": "dask-jobqueue",
    "matplotlib_inline": "matplotlib-inline",
    "sphinxcontrib": "sphinxcontrib-bibtex",
}
EXTRA = (
    "papermill", "nbclient", "nbformat", "nbconvert", "pyarrow", "seaborn", "statsmodels", "sphinx",
    "docutils", "jupyter_book", "ipykernel", "matplotlib_inline", "dask", "distributed", "playwright",
    "pypdf", "rocrate", "onnx", "onnxscript", "sphinxcontrib",
)  # fmt: skip
WITHOUT = f"""
import sys

class Without:
    # A finder that does not find these packages. It says so as where they are not installed:
    # torch asks for some.

    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {EXTRA} else self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Without, sys.meta_path)
"""


def names(requirements):
    return {re.match(r"[\w-]+", each)[0] for each in requirements}


def pins(lines):
    """Package -> exact version of the lines of a file of requirements."""
    wanted = [line.split("#")[0].strip() for line in lines]
    assert all("==" in line for line in wanted if line), "without an exact version"
    return {
        name.lower().replace("_", "-"): number
        for name, number in (line.split("==") for line in wanted if line)
    }


def test_all_that_builds_and_runs_the_report_has_an_exact_version():
    """Setuptools too, which builds the package; and no file contradicts another."""
    building = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"][
        "requires"
    ]
    constraints = pins((ROOT / "constraints.txt").read_text().splitlines())
    assert "setuptools" in pins(building)
    for lines in (
        building,
        *((ROOT / f"requirements{kind}.txt").read_text().splitlines() for kind in ("", "-peers")),
    ):
        assert pins(lines).items() <= constraints.items()


def test_all_that_is_imported_is_named():
    imported = set()
    for file in (ROOT / "contrastlib").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module)
    modules = {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names) - {"contrastlib"}
    needed = {DISTRIBUTIONS.get(name, name) for name in modules}
    report, cluster = (names(PROJECT["optional-dependencies"][extra]) for extra in ("report", "cluster"))
    assert needed <= names(PROJECT["dependencies"]) | report | cluster
    assert needed & cluster == {"distributed", "dask-jobqueue"}
    assert needed & report == {
        "papermill", "nbclient", "nbformat", "nbconvert", "pyarrow", "seaborn", "statsmodels", "sphinx",
        "docutils", "ipykernel", "matplotlib-inline", "jupyter_client", "jupyterlab", "playwright", "pypdf",
        "rocrate", "onnx", "sphinxcontrib-bibtex",
    }  # fmt: skip


def alone(code, folder):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code], capture_output=True, text=True, cwd=folder, check=False
    )


def test_the_library_works_without_the_tools_of_the_report(tmp_path):
    """The lines of the README and of the page on the library."""
    Image.new("RGB", (60, 40), "tan").save(tmp_path / "photo.jpg")
    done = alone(
        """
import torch, torchvision, contrastlib
from contrastlib import contrasts, explainers, models
from contrastlib.autograd import forward
model, images = torchvision.models.squeezenet1_1(num_classes=5), torch.rand(1, 3, 64, 64)
print(tuple(contrastlib.explain(model, images, 1, method="gradcam", contrast="weighted").shape))
record = forward(model, images, "features.12")
print(tuple(explainers.gradcam(record, contrasts.weighted(record.logits, 1)).shape))
from contrastlib.explorer import Explorer, OwnPicture, photograph
network = models.Classifier(
    model, name="own", class_names="abcde", layer="network.features.12", input_size=64, checksum=""
)
print("mountStatic" in Explorer([photograph("photo.jpg")], [network], methods=["gradcam"]).static_html())
""",
        tmp_path,
    )
    assert done.stdout.splitlines() == ["(1, 64, 64)", "(1, 3, 3)", "True"], done.stderr


COMMANDS = [
    (["data"], 0),
    (["train", "--help"], 0),
    (["finetune", "--help"], 0),
    (["explain", "photo.jpg"], 2),
    (["run"], 2),
]


def test_the_commands_without_the_tools_of_the_report(tmp_path):
    """In one process, whose last line of output has their exit statuses."""
    done = alone(
        f"""
from contrastlib.__main__ import main

def status(words):
    try:
        return main(words)
    except SystemExit as end:
        return end.code

print([status(words) for words in {[words for words, _ in COMMANDS]}])
""",
        tmp_path,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout.splitlines()[-1] == str([status for _, status in COMMANDS]), done.stderr
    assert "is not installed: run `pip install -e .[report]`" in done.stderr
    assert "there is no file photo.jpg" in done.stderr
