"""The table of contrasts that the book shows is made of the records."""

import re
from html import unescape

import pytest

from contrastlib.contrasts import CONTRASTS
from contrastlib.report.pages.contrast_table import contrast_table

CONFIGURATION = """
from contrastlib import contrasts

extensions = ["myst_nb", "sphinxcontrib.bibtex", "contrastlib.report.pages.sphinx_ext"]
myst_enable_extensions, bibtex_bibfiles = ["dollarmath"], ["references.bib"]


@contrasts.register(question="Why {target} and not {rival}, for once?", about="", formula=r"e_t - \\tau",
                    paper="toy2020", equation="eq. 7", sums_to_zero=False)
def toy(logits, target):
    return logits
"""
REFERENCES = "\n".join(
    f"@misc{{{key}, author={{Doe, Jo}}, title={{Any}}, year={{2020}}}}"
    for key in ("toy2020", *{record.paper for record in CONTRASTS.values()})
)


def test_a_row_for_each(added_contrast):
    rows = contrast_table().splitlines()[2:]
    assert [re.match(r'\| `"(\w+)"` \|', row)[1] for row in rows] == list(CONTRASTS)
    assert all(row.count("|") == 6 for row in rows)
    assert "Why $t$, $s^*$ and $1 - p_t$ in mind?" in rows[-1] and r"$e_t - \tau$" in rows[-1]


@pytest.mark.slow
def test_the_page_shows_an_added_contrast(sphinx_build, tmp_path):
    (tmp_path / "conf.py").write_text(CONFIGURATION)
    (tmp_path / "references.bib").write_text(REFERENCES)
    (tmp_path / "index.md").write_text("# Contrasts\n\n```{contrast-table}\n```\n\n```{bibliography}\n```\n")
    sphinx_build(tmp_path, tmp_path / "html")
    html = (tmp_path / "html/index.html").read_text(encoding="utf-8")
    cells = [
        [
            unescape(re.sub("<[^>]+>", "", cell)).strip()
            for cell in re.findall(r"<td>(.*?)</td>", row, re.DOTALL)
        ]
        for row in re.findall(r"<tr.*?</tr>", html, re.DOTALL)
    ][1:]
    assert [row[0] for row in cells] == [f'"{name}"' for name in (*CONTRASTS, "toy")]
    assert cells[-1][1:4] == [r"\(e_t - \tau\)", r"Why \(t\) and not \(s^*\), for once?", "not 0"]
    assert cells[-1][4].endswith("eq. 7") and "Doe" in cells[-1][4]
