"""``python -m contrastlib live``: a page that runs a network in the reader's browser."""

from __future__ import annotations

import argparse
from pathlib import Path

from contrastlib import assets
from contrastlib.cli import arguments as types

BIRDS = "birds_vgg"
RUNTIME = Path("node_modules/onnxruntime-web/dist")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command ``live``."""
    parser = subparsers.add_parser(
        "live",
        help="write a page that runs a network in the reader's browser",
        description="Write a folder with a page that explains pictures of its readers by a network in their "
        "browser. Any web server can serve it: nothing is computed there, and no picture is sent. The "
        "network must have a head that can be exported, such as global average pooling and a linear layer.",
    )
    parser.add_argument("folder", type=types.path, metavar="FOLDER", help="the folder to write")
    default = assets.preferred_networks()[0]
    parser.add_argument(
        "--network", type=types.name, metavar="NAME", default=default, help=f"default: {default}"
    )
    parser.add_argument(
        "--photo",
        type=types.path,
        metavar="PHOTO",
        help="the picture that the page opens with; default: a cat of scikit-image",
    )
    parser.add_argument(
        "--bird",
        type=types.whole,
        metavar="N",
        help=("add birds_vgg with the N-th drawn bird of the test set, whose parts can be repainted"),
    )
    parser.add_argument(
        "--runtime",
        type=types.path,
        metavar="FOLDER",
        default=RUNTIME,
        help=f"the folder dist of the npm package onnxruntime-web; default: {RUNTIME}",
    )
    parser.set_defaults(func=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the folder.

    Returns:
        The exit status, 0.

    Raises:
        ValueError: The network or the photo cannot be used, or the runtime is not there.
        DataError: Weights are missing, or a file cannot be written.
        ModuleNotFoundError: What exports networks is not installed.
    """
    from contrastlib import models
    from contrastlib.explorer import bird, live, photograph

    photo = arguments.photo or assets.path("chelsea.png")
    title = None if arguments.photo else "A cat"
    shown = [live.Shown(arguments.network, photograph(photo, title))]
    if arguments.bird is not None:
        network = models.load(BIRDS)
        parts = live.repainted_parts(arguments.bird, network.input_size)
        shown.append(live.Shown(network, bird(arguments.bird), parts))
    for data in live.write(arguments.folder, arguments.runtime, shown).values():
        title, size = data["network"]["title"], data["network"]["bytes"]
        print(f"{title}: {size / 1e6:.0f} MB with its runtime, loaded when a reader asks")
    print(f"Serve it: python -m http.server -d {arguments.folder}")
    return 0
