"""``python -m contrastlib data``: which files are there, and getting those that are not."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from contrastlib import files

DESCRIPTION = """\
List the images and weights that contrastlib reads but did not make: present, missing or corrupt.

Files lie in one folder: $CONTRASTLIB_DATA, or data/downloads in the repository. The synthetic birds and the
networks trained on them need none of these files."""

PAPERS = ("imagenet-val", "cub200", "fgvc-aircraft", "food101", "flowers102", "stanford-cars")


def add_parser(subparsers) -> None:
    """Add the command ``data`` with its actions ``fetch`` and ``verify``."""
    parser = subparsers.add_parser("data", help="list, fetch and verify images and weights",
                                   description=DESCRIPTION,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.set_defaults(func=show)
    actions = parser.add_subparsers(metavar="ACTION", title="actions (without one: list all files)")

    fetch_parser = actions.add_parser("fetch", help="download files that have a public address", description=(
        "Download files and check them; what broke off goes on where it was. For a file without a public "
        "address, say where it comes from and where to put it."))
    fetch_parser.add_argument("names", nargs="+", metavar="NAME", help=(
        "a file, a data set (imagenet-sample), a network (squeezenet1_1, torchvision/vgg16_bn), or all; or a data "
        f"set of the papers: {', '.join(PAPERS)}"))
    fetch_parser.set_defaults(func=fetch)

    verify_parser = actions.add_parser("verify", help="check files; fails if one is missing or corrupt")
    verify_parser.add_argument("names", nargs="*", metavar="NAME",
                               help="a file, a data set or a network (default: all)")
    verify_parser.set_defaults(func=verify)


def show(arguments: argparse.Namespace) -> int:
    """Print the table of all files."""
    rows = [("STATE", "FILE", "MB", "FOR", "WHAT", "LICENCE")]
    for name, info in files.registry().items():
        rows.append((files.state(name), name, f"{info['bytes'] / 1e6:.1f}", ", ".join(info["needed_by"]),
                     info["what"], info["licence"]))
    widths = [max(map(len, column)) for column in zip(*rows)]
    for state, name, size, *texts in rows:
        cells = [state.ljust(widths[0]), name.ljust(widths[1]), size.rjust(widths[2])]
        cells += [text.ljust(width) for text, width in zip(texts, widths[3:])]
        print("  ".join(cells).rstrip())
    print("\nMade by contrastlib: the sets birds and bird-scenes are drawn when they are used, and these weights (MIT) "
          "are part of it:")
    for name in sorted(card.stem for card in files.WEIGHTS.glob("*.json")):
        print(f"{_state_of_trained(name).ljust(widths[0])}  {name}")
    present = sum(row[0] == "present" for row in rows)
    print(f"\n{present} of {len(rows) - 1} files are present in {files.root()}.")
    return 0


def _state_of_trained(name: str) -> str:
    try:
        files.trained(name)
    except files.DataError as error:
        return "missing" if isinstance(error, files.MissingFile) else "corrupt"
    return "present"


def fetch(arguments: argparse.Namespace) -> int:
    """Get each file, or say why not; 1 if any is still missing."""
    failures = 0
    for name in arguments.names:
        for file, get in _getters(name).items():
            try:
                print(f"present  {get(file)}")
            except files.DataError as error:
                failures += 1
                print(f"missing  {error}", file=sys.stderr)
    return int(failures > 0)


def verify(arguments: argparse.Namespace) -> int:
    """Print the state of each file; 1 if any is missing or corrupt."""
    states = {file: files.state(file) for name in arguments.names or ["all"] for file in _files(name)}
    for file, state in states.items():
        print(f"{state}  {files.root() / file}")
    return int(set(states.values()) != {"present"})


def _getters(name: str) -> dict[str, Callable[[str], Path]]:
    if name in PAPERS:
        from contrastlib.datasets import papers  # torch is slow to import

        return {name: papers.fetch}
    if not name.startswith("torchvision/"):
        return dict.fromkeys(_files(name), files.fetch)
    from contrastlib.models import hub

    if name not in hub.names():
        raise SystemExit(str(files.unknown("network", name, hub.names())))
    return {name: hub.fetch}


def _files(name: str) -> list[str]:
    """The files that a name stands for: a file, a data set, a network of the registry, or "all"."""
    registry = files.registry()
    found = [file for file, info in registry.items() if name in ("all", file, *info["needed_by"])]
    if not found:
        uses = {use for info in registry.values() for use in info["needed_by"]}
        raise SystemExit(str(files.unknown("file, data set or network", name, {*registry, *uses, *PAPERS})))
    return found
