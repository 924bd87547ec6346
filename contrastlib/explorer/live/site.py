"""The folder of a live network: scripts, runtime, network and page, for any web server.

======================  ===============================================================================
``index.html``          a page with the live networks and nothing else
``live.json``           the data of each element, for pages of a book
``code/``               the scripts and the style sheet
``ort*``, ``onnx*``     onnxruntime-web and its licence
``NAME.onnx``           a network, see :mod:`contrastlib.explorer.export`
======================  ===============================================================================
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Container, Iterable, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import torch
from torchvision.transforms import InterpolationMode

from contrastlib import models
from contrastlib.assets.writing import write as write_file
from contrastlib.explorer import export
from contrastlib.explorer.live.content import header
from contrastlib.explorer.pictures import Picture

SCRIPTS = Path(__file__).parent
"""Folder of the scripts of this package."""
SHARED = ("arithmetic.js", "drawing.js", "elements.js", "tabs.js")
"""Scripts of the explorer that they use."""
RUNTIME = {"script": "ort.wasm.bundle.min.mjs", "wasm": "ort-wasm-simd-threaded.wasm"}
"""Role -> file of onnxruntime-web."""
RESIZED = (InterpolationMode.BICUBIC, InterpolationMode.BILINEAR)
"""Interpolations that ``resize.js`` computes."""
TOLD = ("class_names", "layer", "input_size", "resize", "interpolation")
"""Attributes of a classifier that the page of its file tells or uses."""
LICENCE = "onnxruntime-web.LICENSE"
HEADER = "live.json"
WITHOUT_SCRIPTS = (
    "This page runs a network in your browser. It needs JavaScript and a page that comes from a web server. "
    "If you have opened it as a file, run python -m http.server in the folder of the book, and open the "
    "address that it prints."
)


class Shown(NamedTuple):
    """A network and what its page opens with."""

    network: str | models.Classifier
    """A network whose head can be exported, or its name for :func:`contrastlib.models.load`."""
    picture: Picture
    """The first picture."""
    parts: Sequence[dict] | None = None
    """For a drawn bird, what :func:`contrastlib.explorer.live.birds.repainted_parts` returns."""


def write(folder: Path, runtime: Path, shown: Iterable[Shown]) -> dict[str, dict]:
    """Write the folder of live networks.

    Args:
        folder: The folder, which is made.
        runtime: The folder ``dist`` of the npm package onnxruntime-web.
        shown: The networks, each with its first picture.

    Returns:
        Name of an element -> its data, see :func:`contrastlib.explorer.live.content.header`. The first
        element is called "live", the others "live-NETWORK", with a number where that is taken.

    Raises:
        ValueError: A network cannot be exported, has one logit, or resizes photographs as no page does; two
            different networks would have one file; or the runtime is not there.
        DataError: A file cannot be written, or weights are missing.
    """
    lacking = [name for name in RUNTIME.values() if not (runtime / name).is_file()]
    if lacking:
        raise ValueError(
            f"{runtime / lacking[0]} is not there: run `npm ci` in a clone of the repository, "
            "or name the folder dist of the npm package onnxruntime-web"
        )
    copies = {name: runtime / name for name in RUNTIME.values()} | {f"{LICENCE}.txt": SCRIPTS / LICENCE}
    copies |= {f"code/{name}": SCRIPTS.parent / name for name in SHARED}
    copies |= {f"code/live/{file.name}": file for kind in ("js", "css") for file in SCRIPTS.glob(f"*.{kind}")}
    for name, file in copies.items():
        write_file(folder / name, file.read_bytes())
    found, exported = {}, {}
    for network, picture, parts in shown:
        classifier = models.as_classifier(network)
        file = f"{_in_ascii(classifier.name)}.onnx"
        if file not in exported:
            exported[file] = classifier, _exported(classifier, folder / file)
        first, about = exported[file]
        if not _same(first, classifier):
            raise ValueError(f"two different networks would be written to {file}: name them differently")
        name = _free_name(classifier.name, found)
        found[name] = header(name, classifier, about, picture, parts)
    write_file(folder / HEADER, json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode())
    write_file(folder / "index.html", page(list(found.values())).encode())
    return found


def _free_name(network: str, taken: Container[str]) -> str:
    """Return a name for an element of a network that no other has.

    >>> _free_name("tiny", []), _free_name("my/net", ["live"]), _free_name("a", ["live", "live-a"])
    ('live', 'live-my-net', 'live-a-2')
    """
    name = f"live-{_in_ascii(network)}"
    names = itertools.chain(["live", name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(each for each in names if each not in taken)


def _in_ascii(name: str) -> str:
    """Return the name of a network as a part of addresses and file names.

    >>> _in_ascii("my/naïve net")
    'my-na-ve-net'
    """
    return re.sub(r"[^\w-]", "-", name, flags=re.ASCII)


def _same(first: models.Classifier, second: models.Classifier) -> bool:
    """Tell whether two classifiers have the same weights, preprocessing, layer and names of classes."""
    weights, others = first.state_dict(), second.state_dict()
    return (
        all(getattr(first, name) == getattr(second, name) for name in TOLD)
        and weights.keys() == others.keys()
        and all(torch.equal(weights[key], others[key]) for key in weights)
    )


def _exported(classifier: models.Classifier, path: Path) -> dict:
    """Export a network, and return what a page needs to know of its files."""
    if classifier.interpolation not in RESIZED:
        raise ValueError(
            f"{classifier.name} resizes photographs by {classifier.interpolation.value} interpolation, and "
            f"a page only by {' or '.join(each.value for each in RESIZED)}: give it one of these"
        )
    about = export.export(classifier, path)
    roles = {**RUNTIME, "network": path.name}
    about["bytes"] = sum((path.parent / roles[role]).stat().st_size for role in ("wasm", "network"))
    about["files"] = {role: _versioned(path.parent / name) for role, name in roles.items()}
    return about


def read_headers(folder: Path) -> dict[str, dict]:
    """Read the data that :func:`write` has written into a folder, by name of the element."""
    return json.loads((folder / HEADER).read_text(encoding="utf-8"))


def element(data: dict, base: str) -> str:
    """Return the HTML element of a live network.

    Args:
        data: The data of the page.
        base: Address of the folder that :func:`write` has written, relative to the page, with a slash at the
            end.
    """
    # "<" is escaped, because "</script" and "<!--" have a meaning even in data
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c")
    base = escape(base)
    return (
        f'<link rel="stylesheet" href="{base}code/live/live.css">\n'
        f'<div class="contrast-live" id="{data["name"]}" data-base="{base}"><p>{WITHOUT_SCRIPTS}</p>\n'
        f'<script type="application/json">{text}</script></div>\n'
        f'<script type="module" src="{base}code/live/main.js"></script>'
    )


def page(headers: Sequence[dict]) -> str:
    """Return a page with live networks and nothing else."""
    title = escape(", ".join(data["network"]["title"] for data in headers) + ": live")
    elements = "\n".join(element(data, "./") for data in headers)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>' + title + "</title>"
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"></head>\n'
        f"<body><main><h1>{title}</h1>\n{elements}\n</main></body></html>\n"
    )


def _versioned(path: Path) -> str:
    """Return the name of a file with a mark of its content, so that browsers can keep it for long."""
    return f"{path.name}?v={hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
