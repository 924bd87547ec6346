"""LaTeX from the Markdown of claims and captions, and PDF from LaTeX."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "×": r"$\times$", "ε": r"$\epsilon$", "−": "$-$", "±": r"$\pm$", "≤": r"$\le$",
    "≥": r"$\ge$", "·": r"$\cdot$", "“": "``", "”": "''", "…": r"\ldots{}", "–": "--", "—": "---",
    "\u00a0": "~", "\u202f": r"\,",
}  # fmt: skip
"""Characters that LaTeX reads otherwise, or not at all."""
TOKEN = re.compile(
    r"(?P<math>\$[^$]+\$)|`(?P<code>[^`]+)`|\*\*(?P<strong>.+?)\*\*|\*(?P<emphasis>.+?)\*"
    r"|\[(?P<words>[^\]]+)\]\([^)]*\)|\[\^[^\]]+\]|(?P<plain>.)",
    re.DOTALL,
)
COMMANDS = (
    ("pdflatex", "-interaction=nonstopmode", "-halt-on-error"), ("bibtex",),
    *[("pdflatex", "-interaction=nonstopmode", "-halt-on-error")] * 2,
)  # fmt: skip
REMEDY = "install it, such as Debian's packages texlive-latex-recommended and texlive-fonts-recommended"


def escaped(text: str) -> str:
    r"""Plain text with the characters that LaTeX reads otherwise.

    >>> print(escaped("50 % of f_x, 2 × 3"))
    50 \% of f\_x, 2 $\times$ 3
    """
    return "".join(SPECIAL.get(each, each) for each in text)


def latex(markdown: str) -> str:
    r"""A paragraph of Markdown as LaTeX. Formulas stay, and of links the words.

    >>> print(latex("*Weighted* is `w_t` for $p_2 > 0.1$, see [page 4](04.ipynb): 3 %"))
    \emph{Weighted} is \texttt{w\_t} for $p_2 > 0.1$, see page 4: 3 \%
    """
    return "".join(map(_converted, TOKEN.finditer(markdown)))


def _converted(token: re.Match) -> str:
    kind, text = token.lastgroup, token[token.lastgroup or 0]
    if kind == "math":
        return text
    if kind in ("strong", "emphasis", "words"):
        command = {"strong": r"\textbf{%s}", "emphasis": r"\emph{%s}", "words": "%s"}[kind]
        return command % latex(text)
    if kind == "code":
        return rf"\texttt{{{escaped(text)}}}"
    return escaped(text) if kind == "plain" else ""


def compile_latex(source: Path) -> Path:
    """Compile a document with its bibliography.

    Args:
        source: Path of the .tex file, in a folder with all that it includes.

    Returns:
        Path of the PDF, beside it.

    Raises:
        FileNotFoundError: There is no LaTeX. The message says what to install.
        ValueError: The document has an error. The message has its line.
    """
    for program, *options in COMMANDS:
        if shutil.which(program) is None:
            raise FileNotFoundError(f"there is no {program} here, so that {source} is not compiled: {REMEDY}")
        done = subprocess.run(
            [program, *options, source.stem], cwd=source.parent, capture_output=True, check=False
        )
        if done.returncode:
            log = done.stdout.decode(errors="replace")
            raise ValueError(f"{source}: {_complaint(log)}")
    return source.with_suffix(".pdf")


def _complaint(log: str) -> str:
    r"""The first error in the output of LaTeX, with the line on which it is.

    >>> _complaint("a\n! Undefined control sequence.\nl.7 \\oops\n")
    'Undefined control sequence. l.7 \\oops'
    """
    found = re.search(r"(?s)^! (.*?)$.*?^(l\.\d+.*?)$", log, re.MULTILINE)
    return " ".join(found.groups()) if found else log[-200:].strip()
