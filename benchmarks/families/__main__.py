"""``python -m benchmarks.families``: try every method on every network, and print what each did."""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.families.networks import networks
from benchmarks.families.trial import try_network
from contrastlib.report.results.provenance import LIBRARIES, provenance
from contrastlib.report.results.storage import RESULTS

KEPT = RESULTS / "families.json"
"""File of the saved outcomes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the networks that the command line asks for.

    Args:
        arguments: Command-line arguments; those of the process for None.

    Returns:
        The exit status: 1 if a method failed, otherwise 0.

    Raises:
        SystemExit: A library or an option is unknown, or no network has that name.
    """
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of other libraries, about their own settings
    chosen = [
        network
        for network in networks()
        if network.library in (options.library or network.library)
        and (not options.names or network.name in options.names)
    ]
    if not chosen:
        raise SystemExit("no network has that name; without names all are tried")
    start, results = time.monotonic(), []
    for network in chosen:
        began = time.monotonic()
        results.append(try_network(network, options.limit))
        print(f"{described(results[-1])} ({time.monotonic() - began:.1f} s)", flush=True)
        if options.save:  # after each one, so that an interrupted run leaves what it has
            options.save.write_text(record(results, time.monotonic() - start), encoding="utf-8")
    return int(any(result["fails"] for result in results))


def described(result: Mapping[str, Any]) -> str:
    """Describe the outcomes of a network in a line, and each failure in a further line.

    >>> print(described({"library": "timm", "network": "vgg11", "layer": "features.18",
    ...                  "map": {"gradcam": ""}, "refused": {}, "fails": {"lrp": "a map is constant"}}))
    timm vgg11, layer features.18: 1 maps, 0 refused, 1 fail
      lrp fails: a map is constant
    """
    counts = f"{len(result['map'])} maps, {len(result['refused'])} refused, {len(result['fails'])} fail"
    line = f"{result['library']} {result['network']}, layer {result['layer']}: {counts}"
    return "\n".join([line, *(f"  {method} fails: {why}" for method, why in result["fails"].items())])


def record(results: Sequence[Mapping[str, Any]], seconds: float) -> str:
    """Return the text of the file: the outcomes with their provenance."""
    libraries = {name: version(name) for name in (*LIBRARIES, "timm", "transformers")}
    made = provenance(seconds, "cpu", libraries=libraries)
    return json.dumps({"provenance": made, "networks": results}, indent=1, ensure_ascii=False) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.families",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description="Try every method on a network of every family, with random weights.",
    )
    parser.add_argument("names", nargs="*", metavar="NETWORK", default=[], help="names; all if none is given")
    parser.add_argument("--library", nargs="*", metavar="LIBRARY", help="libraries; all if none is given")
    parser.add_argument("--limit", type=float, default=30, help="time limit of a method, in seconds")
    parser.add_argument(
        "--save",
        nargs="?",
        type=Path,
        const=KEPT,
        metavar="FILE",
        help="save the outcomes with their provenance (data/results/families.json)",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
