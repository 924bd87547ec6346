"""The lines on the first page run as pasted."""

import re
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from contrastlib.report.notebooks.execution import REPOSITORY

TEXT = Path(REPOSITORY / "book" / "quickstart.txt").read_text()


def test_the_snippet_runs_as_pasted(tmp_path, monkeypatch):
    """It writes a picture with red and blue, in a folder where nothing else is."""
    (snippet,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert max(map(len, snippet.splitlines())) <= 80
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pasted.py").write_text(snippet)
    runpy.run_path("pasted.py")
    plt.close("all")
    red, _, blue, _ = np.moveaxis(plt.imread("why.png"), -1, 0)
    assert (red - blue).max() > 0.2 and (blue - red).max() > 0.2


def test_both_pages_have_it():
    for page in ("index.md", "library.md"):
        assert "```{include} quickstart.txt\n```" in (REPOSITORY / "book" / page).read_text()
