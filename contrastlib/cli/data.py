"""``python -m contrastlib data``: list the images and weights, fetch and verify them."""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from contrastlib import assets
from contrastlib.cli import arguments as types

DESCRIPTION = """\
List the images and weights that contrastlib uses: their state (present, missing or corrupt), description,
source and licence. Their checksums and preprocessing are in contrastlib/assets/networks.yaml,
contrastlib/assets/datasets.yaml and data/weights/*.json.

Files are in one folder: $CONTRASTLIB_DATA, or data/downloads in the repository. The drawn birds and the
networks trained on them need none of these files."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command ``data`` with its actions ``fetch`` and ``verify``."""
    parser = subparsers.add_parser(
        "data",
        help="list, fetch and verify images and weights",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(func=show)
    actions = parser.add_subparsers(metavar="ACTION", title="actions (without one: list all)")

    papers = ", ".join(_papers())
    fetch_parser = actions.add_parser(
        "fetch",
        help="download what has a public address",
        description=(
            "Download files and check them. Interrupted downloads are resumed, except those of "
            "fgvc-aircraft, "
            "food101 and flowers102, which torchvision downloads. For a file without a public address, say "
            "where it comes from and where to put it."
        ),
    )
    fetch_parser.add_argument(
        "names",
        type=types.name,
        nargs="+",
        metavar="NAME",
        help=(
            "a file, a data set (imagenet-sample), a network (squeezenet1_1, torchvision/vgg16_bn), or all; "
            "or a "
            f"data set of the papers: {papers}"
        ),
    )
    fetch_parser.set_defaults(func=fetch)

    verify_parser = actions.add_parser("verify", help="check files; fails if anything is missing or corrupt")
    verify_parser.add_argument(
        "names",
        type=types.name,
        nargs="*",
        metavar="NAME",
        help=(
            "a file, a data set or a network (default: all files and the networks that contrastlib "
            "trained); of "
            f"a data set of the papers ({papers}), only whether its folder has all its parts is checked"
        ),
    )
    verify_parser.set_defaults(func=verify)


def show(arguments: argparse.Namespace) -> int:
    """Print the state and the description of everything, group by group.

    Returns:
        The exit status, 0.
    """
    packaged = [name for name, file in assets.files().items() if file.package]
    others = [name for name in assets.files() if name not in packaged]
    sets = [record for record in assets.datasets().values() if not record.files and not record.folder]
    groups = {
        "Files made by others": others,
        "Files from packages on PyPI": packaged,
        "Networks that contrastlib trained": assets.trained_names(),
        "Data sets that are drawn": [record.name for record in sets if record.drawn],
        "Data sets of your own": [record.name for record in sets if not record.drawn],
        "Data sets of the papers": _papers(),
    }
    for title, names in groups.items():
        print(f"{title}:")
        for name in names:
            print(f"{assets.state(name):7}  {name}")
            print(
                textwrap.fill(
                    _about(name),
                    80,
                    initial_indent=" " * 9,
                    subsequent_indent=" " * 9,
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            )
        print()
    print(
        "Any classifier of torchvision (BSD-3-Clause), such as torchvision/vgg16_bn, can\n"
        "be fetched into torch's cache.\n"
    )
    present = sum(assets.available(name) for name in others)
    print(f"{present} of {len(others)} files made by others are present in {assets.root()}.")
    return 0


def _papers() -> list[str]:
    """The data sets of the papers."""
    return [name for name, record in assets.datasets().items() if record.folder]


def _about(name: str) -> str:
    """The description, source and licence of a file, a data set or a network; commits in ten digits."""
    if name in assets.files():
        record = assets.file(name)
        what = f"{record.what}, {record.bytes / 1e6:.1f} MB, for {', '.join(map(_titled, record.needed_by))}"
    elif name in assets.datasets():
        record = assets.datasets()[name]
        what = record.what + (f", in the folder {record.folder}" if record.folder else "")
    else:
        record = assets.network(name)
        if record is None:
            return (
                "It has weights and no entry in the registry: set CONTRASTLIB_REGISTRY to the file that "
                f"describes it, or remove {assets.WEIGHTS / name}.*"
            )
        try:
            card = assets.read_card(assets.WEIGHTS / f"{name}.json", ("class_names", "test"))
        except assets.CorruptFile as error:
            return str(error)
        classes, accuracy = len(card["class_names"]), card["test"]["accuracy"]
        what = f"{record.title}, {classes} classes, test accuracy {accuracy:.1%}"
    source = re.sub(r"\b([0-9a-f]{10})[0-9a-f]{30}\b", r"\1", record.source)
    return f"{what}. Source: {source}. Licence: {record.licence}."


def _titled(name: str) -> str:
    """The name of a data set or a network, with its title."""
    record = assets.datasets().get(name) or assets.network(name)
    return f"{name} ({record.title})" if record else name


def fetch(arguments: argparse.Namespace) -> int:
    """Download each file that is not there, or print why that failed.

    Returns:
        The exit status: 1 if any is still missing.
    """
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
    """Print the state of each file.

    Returns:
        The exit status: 1 if any is missing or corrupt.
    """
    states = {each: assets.state(each) for name in arguments.names or ["all"] for each in _names(name)}
    for name, state in states.items():
        print(f"{state}  {_place(name)}")
    return int(set(states.values()) != {"present"})


def _getters(name: str) -> dict[str, Callable[[str], Path | str]]:
    """The names that a name stands for, each with the function that fetches it."""
    if not name.startswith("torchvision/"):
        return dict.fromkeys(_names(name), _get)
    from contrastlib.models import torchvision_hub  # torch is slow to import

    if name not in torchvision_hub.names():
        raise assets.unknown("network", name, torchvision_hub.names())
    return {name: torchvision_hub.fetch}


def _get(name: str) -> Path | str:
    """Fetch a file or a data set; its path, or a description if it has none."""
    if name in _papers():
        from contrastlib.datasets import papers

        return papers.fetch(name)
    if name in assets.trained_names():
        return assets.trained(name)[0]
    return assets.fetch(name) if name in assets.files() else _place(name)


def _place(name: str) -> Path | str:
    """The path of a file, a network or a data set, or a description if it has none."""
    if name in assets.files():
        return assets.expected_path(name)
    if name in assets.trained_names():
        return assets.WEIGHTS / f"{name}.safetensors"
    record = assets.datasets()[name]
    if record.folder:
        return assets.root() / record.folder
    return f"{name}, drawn when it is used" if record.drawn else f"{name}, {record.what}"


def _names(name: str) -> list[str]:
    """The names that a name stands for: itself, or the files that a network or a data set uses; or "all".

    Raises:
        ValueError: The name is unknown.
    """
    if name.startswith("torchvision/"):
        raise ValueError(
            f"{name}: torchvision's weights are checked when they are fetched: `data fetch {name}`"
        )
    files, trained = assets.files(), assets.trained_names()
    found = [file for file, record in files.items() if name in ("all", file, *record.needed_by)]
    if not found and (name in assets.datasets() or name in trained):
        return [name]
    if not found:
        uses = {use for record in files.values() for use in record.needed_by}
        raise assets.unknown("file, data set or network", name, {*files, *uses, *trained, *assets.datasets()})
    return found + trained * (name == "all")
