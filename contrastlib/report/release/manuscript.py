"""Skeleton of a manuscript in the form of a submission to TMLR or MLRC, in LaTeX.

Claims, verdicts, effects, networks, data sets, times and figures come from the records. What only a person
can write is marked, and the document says that it is a skeleton. The style file of TMLR is used if it lies
beside the document, otherwise the document is set as a plain article.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from contrastlib import assets
from contrastlib.assets.writing import write
from contrastlib.report.pages.captions import captions
from contrastlib.report.pages.claim_records import EFFECT
from contrastlib.report.pages.titles import titles
from contrastlib.report.release.kept_tables import KeptTable, asset, inputs
from contrastlib.report.release.latex import escaped, latex
from contrastlib.report.release.printing import print_drawings
from contrastlib.report.results.provenance import REPOSITORY

TEMPLATE = REPOSITORY / "book" / "manuscript.tex"
ENDINGS = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg"}
IMAGES_OF = {"paper": "the papers' own", "real": "photographs", "quick": "small scale", None: "--"}
"""Scale of a verdict -> images on which it rests."""


def write_manuscript(
    folder: Path, records: Sequence[Mapping], executed: Path, tables: Sequence[KeptTable]
) -> Path:
    """Write the document, its figures and its bibliography.

    Args:
        folder: Folder of the document.
        records: Content of ``claims.json``, see :mod:`contrastlib.report.pages.claim_records`.
        executed: Folder of the executed notebooks.
        tables: Tables of the scale ``real``.

    Returns:
        Path of the document, ``paper.tex``.
    """
    figures = {name: first_figure(executed / f"{name}.ipynb", folder) for name in titles()}
    drawings = [folder / figure[0] for figure in figures.values() if figure and figure[0].endswith(".svg")]
    print_drawings(drawings)
    write(folder / "references.bib", (REPOSITORY / "book" / "references.bib").read_bytes())
    write(folder / "paper.tex", manuscript(records, figures, tables).encode())
    return folder / "paper.tex"


def manuscript(
    records: Sequence[Mapping], figures: Mapping[str, tuple[str, str] | None], tables: Sequence[KeptTable]
) -> str:
    """The document.

    Args:
        records: As for :func:`write_manuscript`.
        figures: Notebook -> name of a file and caption of a figure, or None.
        tables: As for :func:`write_manuscript`.
    """
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    main = [record for record in records if record["main"]]
    stated = [record for record in main if record["paper"] != "ours"]
    parts = {
        "title": escaped(citation["title"]),
        "version": escaped(citation["version"]),
        "counts": latex(counts(records)),
        "scope": items(f"{latex(each['text'])} {_source(each)}" for each in stated),
        "networks": _licences(tables, assets.Network),
        "datasets": _licences(tables, assets.DataSet),
        "computing": computing(tables),
        "effect": EFFECT,
        "results": "\n".join(
            _section(title, [each for each in main if each["page"] == name], figures.get(name))
            for name, title in titles().items()
        ),
    }
    return re.sub(r"<<(\w+)>>", lambda name: parts[name[1]], TEMPLATE.read_text(encoding="utf-8"))


def counts(records: Iterable[Mapping]) -> str:
    """Number of claims by verdict, in a sentence.

    >>> verdicts = ("supported", "supported", "refuted", None)
    >>> counts([{"verdict": each} for each in verdicts])
    'Verdicts on 4 claims: 2 supported, 1 refuted, 1 not tested.'
    """
    words = Counter(record["verdict"] or "not tested" for record in records)
    found = ", ".join(f"{count} {word}" for word, count in words.most_common())
    return f"Verdicts on {words.total()} claims: {found}."


def items(lines: Iterable[str]) -> str:
    r"""A list in LaTeX.

    >>> print(items(["one"]))
    \begin{itemize}
    \item one
    \end{itemize}
    """
    return "\n".join([r"\begin{itemize}", *(rf"\item {line}" for line in lines), r"\end{itemize}"])


def computing(tables: Iterable[KeptTable]) -> str:
    """Computing time of the tables and the machines, in a sentence."""
    tables = list(tables)
    hours = sum(table.provenance["seconds"] for table in tables) / 3600
    machines = sorted({str(table.provenance["machine"]) for table in tables})
    devices = sorted({str(table.provenance["device"]) for table in tables})
    return escaped(
        f"The {len(tables)} tables at the scale of photographs took {hours:.1f} hours of computing "
        f"({', '.join(devices)}; {', '.join(machines)})."
    )


def images(record: Mapping) -> str:
    """What the networks of a claim are for.

    >>> images({"scale": "real", "toy": True}), images({"scale": None, "toy": False})
    ('drawn birds (toy)', '--')
    """
    return "drawn birds (toy)" if record["toy"] else IMAGES_OF[record["scale"]]


def first_figure(notebook: Path, folder: Path) -> tuple[str, str] | None:
    """Write the first figure of an executed notebook that has a caption.

    Args:
        notebook: Path of the notebook.
        folder: Folder of the figure.

    Returns:
        Name of the file, and caption. None if there is no such figure.
    """
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    own = captions(cells)
    for cell in cells:
        for output in cell.get("outputs", []) if cell.get("id") in own else []:
            for kind, ending in ENDINGS.items():
                if kind in output.get("data", {}):
                    name, content = f"{notebook.stem}.{ending}", "".join(output["data"][kind])
                    write(folder / name, content.encode() if ending == "svg" else base64.b64decode(content))
                    return name, own[cell["id"]].text
    return None


def _source(record: Mapping) -> str:
    r"""Where a claim is made, such as "\citep[§5.2]{wang2022}". Nothing for claims of this report."""
    section = f"[{escaped(record['section'])}]" if record["section"] else ""
    return rf"\citep{section}{{{record['paper']}}}" if record["paper"] != "ours" else ""


def _section(title: str, records: Sequence[Mapping], figure: tuple[str, str] | None) -> str:
    """A section of results: its main claims with their verdicts, and a figure."""
    rows = [
        " & ".join(
            [
                f"{latex(each['text'])} {_source(each)}",
                images(each),
                (each["verdict"] or "not tested") + r"$^\dagger$" * (each["set_before"] is not True),
                effect(each),
            ]
        )
        + r" \\"
        for each in records
    ]
    table = [r"\begin{claims}", *rows, r"\end{claims}"] if rows else []
    picture = []
    if figure:  # LaTeX takes the PDF of a drawing
        picture = [rf"\result{{{figure[0].replace('.svg', '.pdf')}}}{{{latex(figure[1])}}}"]
    head, end = rf"\subsection{{{latex(title)}}}", r"\towrite{what follows from it}"
    return "\n".join([head, *table, *picture, end, ""])


def effect(record: Mapping) -> str:
    r"""Effect with its interval, or the effects of all networks if there is no effect of all of them.

    >>> record = {"scale": "real", "effect": 0.25, "interval": [0.125, 0.5], "format": ".0%"}
    >>> print(effect(record))
    25\% [12\%, 50\%]
    >>> record |= {"effect": None, "findings": {"real": {"effects": {"a": 0.5, "b": 0.25}}}}
    >>> print(effect(record))
    25\% to 50\%
    """
    if record["scale"] is None:
        return "--"
    form = record["format"]
    if record["effect"] is None:
        by_network = record["findings"][record["scale"]]["effects"].values()
        ends = dict.fromkeys(f"{end(by_network):{form}}" for end in (min, max))
        return escaped(" to ".join(ends))
    interval = ", ".join(f"{end:{form}}" for end in record["interval"] or ())
    return escaped(f"{record['effect']:{form}}" + f" [{interval}]" * bool(interval))


def _licences(tables: Iterable[KeptTable], kind: type) -> str:
    """Rows of the networks or of the data sets that the tables were computed from, with their licences."""
    known = map(asset, dict.fromkeys(name for name, _ in inputs(tables)))
    wanted = [each for each in known if isinstance(each, kind)]
    return "\n".join(rf"{escaped(each.title)} & {escaped(each.licence)} \\" for each in wanted)
