"""The skeleton of a manuscript: LaTeX that holds together, filled in from the records."""

import re
import subprocess
from collections import Counter

import pytest

from contrastlib.report.release import latex, manuscript
from contrastlib.report.release.crate import papers
from contrastlib.report.release.kept_tables import kept_tables
from contrastlib.report.results.provenance import REPOSITORY


@pytest.fixture(scope="module")
def document(records, tmp_path_factory):
    """The document, beside its figures."""
    folder = tmp_path_factory.mktemp("paper")
    return manuscript.write_manuscript(folder, records, REPOSITORY / "notebooks", kept_tables())


@pytest.fixture(scope="module")
def text(document):
    return document.read_text(encoding="utf-8")


def test_it_says_that_it_is_a_skeleton(text):
    assert text.startswith("% Skeleton") and r"\textbf{Skeleton.}" in text and text.count(r"\towrite{") > 10
    assert "<<" not in text


def test_every_main_claim_has_its_verdict_and_effect(text, records):
    rows = text[text.index(r"\section{Results}") :].splitlines()
    for record in (each for each in records if each["main"]):
        (row,) = [
            row for row in rows if row.startswith(f"{latex.latex(record['text'])} ") and row.endswith(r"\\")
        ]
        _, images, verdict, effect = row.removesuffix(r"\\").rsplit(" & ", 3)
        assert verdict.startswith(record["verdict"] or "not tested") and ("toy" in images) == record["toy"]
        assert ("dagger" in verdict) == (record["set_before"] is not True)
        if record["effect"] is not None:
            assert effect.startswith(latex.escaped(f"{record['effect']:{record['format']}}"))


def test_figures_and_citations_exist(document, text):
    names = re.findall(r"^\\result\{([^}]+)\}", text, re.MULTILINE)
    assert len(names) >= 10 and all((document.parent / name).stat().st_size > 1000 for name in names)
    cited = {
        key for keys in re.findall(r"\\citep(?:\[[^\]]*\])?\{([^}]+)\}", text) for key in keys.split(",")
    }
    assert cited <= set(papers())


def test_braces_environments_and_formulas_are_closed(text):
    bare = (
        re.sub(r"(?m)(?<!\\)%.*$", "", text)
        .replace(r"\\", "")
        .replace(r"\{", "")
        .replace(r"\}", "")
        .replace(r"\$", "")
    )
    depth = 0
    for each in re.findall(r"[{}]", bare):
        depth += 1 if each == "{" else -1
        assert depth >= 0
    body = bare[bare.index(r"\begin{document}") :]
    assert depth == 0 and body.count("$") % 2 == 0
    assert Counter(re.findall(r"\\begin\{(\w+)\}", body)) == Counter(re.findall(r"\\end\{(\w+)\}", body))
    assert body.isascii() or set(re.findall(r"[^\x00-\x7f]", body)) <= set("§éäöü")


@pytest.mark.parametrize(
    "programs, error, message",
    [
        ([], FileNotFoundError, "there is no pdflatex here, .* texlive-latex-recommended"),
        (["pdflatex"], ValueError, r"paper.tex: Undefined control sequence. l.3 \\oops"),
    ],
)
def test_what_is_said_without_a_pdf(tmp_path, monkeypatch, programs, error, message):
    for name in programs:
        (tmp_path / name).write_text(
            "#!/bin/sh\necho '! Undefined control sequence.'; echo 'l.3 \\\\oops'; exit 1\n"
        )
        (tmp_path / name).chmod(0o755)
    run = subprocess.run
    monkeypatch.setattr(
        latex.shutil, "which", lambda name: str(tmp_path / name) if name in programs else None
    )
    monkeypatch.setattr(
        latex.subprocess, "run", lambda words, **more: run([tmp_path / words[0], *words[1:]], **more)
    )
    with pytest.raises(error, match=message):
        latex.compile_latex(tmp_path / "paper.tex")
