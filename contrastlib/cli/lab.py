"""``python -m contrastlib lab``: JupyterLab on a working copy of the notebooks."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

EXTENSIONS = Path(__file__).resolve().parents[1] / "report" / "lab" / "extensions"
"""Extensions of JupyterLab for the working copy."""
UPLOAD = 2**28
"""Largest message from the browser to a kernel in bytes. Each upload is one message."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command ``lab``."""
    parser = subparsers.add_parser(
        "lab",
        help="open the notebooks in JupyterLab, as a working copy",
        description="Make or refresh the working copy of the notebooks in lab/, and open JupyterLab on it. "
        "Copies that were not edited follow the notebooks of the repository. Further arguments go to "
        "JupyterLab.",
    )
    parser.add_argument("--prepare", action="store_true", help="make the working copy, and open nothing")
    parser.add_argument(
        "options", nargs=argparse.REMAINDER, help="of JupyterLab, such as -- --no-browser --port 8889"
    )
    parser.set_defaults(func=lab)


def lab(arguments: argparse.Namespace) -> int:
    """Prepare the working copy and run JupyterLab, which ends with this process.

    Returns:
        The exit status of JupyterLab, or 0 if it is not opened.

    Raises:
        ModuleNotFoundError: What the working copy needs is not installed.
        ValueError: JupyterLab is not installed, or there are no notebooks.
        DataError: The working copy cannot be written.
    """
    from contrastlib.report.lab import working_copy
    from contrastlib.report.machines.process_lifetimes import run_with_lifeline

    if not arguments.prepare and importlib.util.find_spec("jupyterlab") is None:
        raise ValueError(
            "jupyterlab is not installed: run `pip install jupyterlab`, or `make lab` in a "
            "clone of the repository"
        )
    for message in working_copy.prepare():
        print(message)
    print(f"The working copy: {working_copy.FOLDER}")
    if arguments.prepare:
        return 0
    options = [option for option in arguments.options if option != "--"]
    environment = os.environ | working_copy.environment()
    return run_with_lifeline(command(working_copy.FOLDER, options), environment)


def command(folder: Path, options: Sequence[str]) -> list[str]:
    """The command that opens JupyterLab on a working copy, with further options of JupyterLab."""
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # in containers
    setting = "--ServerApp.tornado_settings"  # JupyterLab takes it once only
    given = any(option.startswith(setting) for option in options)
    settings = [] if given else [f"{setting}={{'websocket_max_message_size': {UPLOAD}}}"]
    return [
        sys.executable,
        "-m",
        "contrastlib.report.lab.server",
        f"--ServerApp.root_dir={folder}",
        *root,
        "--LabApp.default_url=/lab/tree/start.ipynb",
        f"--LabApp.extra_labextensions_path={EXTENSIONS}",
        "--ContentsManager.allow_hidden=False",
        "--ContentsManager.pre_save_hook=contrastlib.report.notebooks.saved_widgets.keep_static_images",
        *settings,
        *options,
    ]
