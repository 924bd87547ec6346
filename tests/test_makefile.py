"""The Makefile's environment: it heals when it was interrupted, and says which Python it needs."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REAL = f"exec {shlex.quote(sys.executable)} -I -c"
FAKE_PYTHON = """#!/bin/bash
if [ "$1 $2" = "-m venv" ]; then
  mkdir -p "$3/bin"
  printf '#!/bin/bash\\necho "$@" >>"%s/calls"\\n' "$3" >"$3/bin/python"
  chmod +x "$3/bin/python"
else
  {real} 'import sys; sys.version_info = {version}; exec(sys.argv[1])' "$2"
fi
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def install(tmp_path):
    """``install(version)``: make an environment, in a path with a space, with a Python that pretends to."""
    home = tmp_path / "a path"
    home.mkdir()

    def make(version=(3, 11, 0)):
        python = home / "python"
        python.write_text(FAKE_PYTHON.format(real=REAL, version=version))
        python.chmod(0o755)
        # make knows no spaces in the names of targets: the environment is named from the folder it lies in
        command = ["make", "-f", str(ROOT / "Makefile"), "VENV=.venv", "PYTHON3=./python", ".venv/.installed"]
        return subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)

    for name in ("requirements.txt", "constraints.txt", "pyproject.toml", "_config.yml", "_toc.yml"):
        (home / name).touch()
    for folder in ("book", "contrastlib"):
        (home / folder).mkdir()
    make.home = home
    return make


def test_an_environment_is_made(install):
    assert install().returncode == 0
    calls = (install.home / ".venv" / "calls").read_text()
    assert "-r requirements.txt -c constraints.txt" in calls and "--no-deps -e ." in calls
    assert (install.home / ".venv" / ".installed").exists()


def test_one_that_was_interrupted_is_made_anew(install):
    interrupted = install.home / ".venv" / "bin" / "python"
    interrupted.parent.mkdir(parents=True)
    interrupted.write_text("#!/bin/bash\necho No module named pip >&2; exit 1\n")
    interrupted.chmod(0o755)
    done = install()
    assert done.returncode == 0, done.stderr
    assert "No module named pip" not in done.stderr
    assert "-r requirements.txt" in (install.home / ".venv" / "calls").read_text()


def test_one_that_is_whole_stays(install):
    install()
    (install.home / ".venv" / "mine").touch()
    (install.home / ".venv" / ".installed").unlink()
    assert install().returncode == 0
    assert (install.home / ".venv" / "mine").exists()


def test_an_older_python_is_refused_before_anything_else(install):
    done = install(version=(3, 10, 4))
    assert done.returncode != 0
    assert (
        "Python 3.11 or newer is needed, and ./python is 3.10: name another with make PYTHON3=python3.11"
        in done.stderr
    )
    assert not (install.home / ".venv").exists()


def test_the_licence_of_mathjax_is_copied_with_it(tmp_path):
    """What the book serves of MathJax: its script, its fonts and its licence."""
    source = tmp_path / "node_modules" / "mathjax"
    fonts = source / "es5" / "output" / "chtml" / "fonts" / "woff-v2"
    fonts.mkdir(parents=True)
    for path in (
        fonts / "a.woff",
        source / "es5" / "tex-mml-chtml.js",
        source / "LICENSE",
        tmp_path / "node_modules" / ".complete",
    ):
        path.write_text(path.name)
    command = [
        "make",
        "-f",
        str(ROOT / "Makefile"),
        "-o",
        "node_modules/.complete",
        "book/vendor/offline/.complete",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    served = tmp_path / "book" / "vendor" / "offline" / "mathjax"
    assert {path.relative_to(served).as_posix() for path in served.rglob("*") if path.is_file()} == {
        "LICENSE",
        "tex-mml-chtml.js",
        "output/chtml/fonts/woff-v2/a.woff",
    }
    assert (served / "LICENSE").read_text() == "LICENSE"
