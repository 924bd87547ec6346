"""``python -m benchmarks``: measure and print the tables of speed and memory, all of them ratios."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn

from benchmarks import evaluations, maps, memory
from benchmarks.networks import as_studies_have_it, images_like, torchvision_network
from contrastlib.report.results.provenance import provenance
from contrastlib.report.results.storage import RESULTS, save

TITLES = {
    "activation": "Maps of the last convolution, in forward passes of the same batch",
    "input": "Four contrasts of the pixels, by hand = 1",
    "methods": "One map of each method, in forward passes of the same batch",
    "classes": "Maps of every class from one kept forward pass, by hand = 1",
    "pooled-classes": "The same for a ResNet-50, which ends in a mean over positions, by hand = 1",
    "relevance": "One LRP map, in forward passes of the same batch",
    "residual-relevance": "The same for a ResNet-50, which adds branches, in forward passes",
    "relevances": "LRP maps of several relevances at once, one map = 1",
    "transformer": "ViT-B/16, two contrasts: every block's GradCAM and the rollout, bare passes = 1",
    "perturbation": "Section 5.1, all n and epsilon, by hand = 1",
    "masking": "Section 5.2.2, all of Table 1, by hand = 1",
    "memory": "Peak memory above that of the network, by hand = 1",
    "transformer-memory": "ViT-B/16: peak memory above that of the network, by hand = 1",
}
"""Title of each table, by name."""
LIMITS = {
    "activation": {"24 maps, wall": 1.15},
    "input": {"cpu": 1.05},
    "classes": {"wall": 0.1},
    "relevance": {"cpu": 3.5},
    "residual-relevance": {"cpu": 5},
    "relevances": {"cpu": 1 + 0.6 * maps.RELEVANCES},
    "perturbation": {"forwards": 1.05, "backwards": 1.05},
    "masking": {"forwards": 1.1, "cpu": 1.1},
    "memory": {"memory": 1.2},
}
"""Upper limits of contrastlib's ratios, by table and quantity. They were set before the first measurement.
Those of "input" and "masking" were set for elapsed time, which other work on a machine disturbs more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the tables that the command line asks for.

    Args:
        arguments: Command-line arguments; those of the process for None.

    Returns:
        The exit status, 0.

    Raises:
        SystemExit: A table or an option is unknown.
    """
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    tables = []
    for name in options.tables or TITLES:
        table = _measure(name, options)
        limits = LIMITS.get(name, {})
        full = table.dropna(axis=1, how="all")
        shown = full.to_string(index=False, float_format="{:.3f}".format, na_rep="")
        below = [f"limit of {quantity}: {limit}" for quantity, limit in limits.items()]
        print("\n".join(["", TITLES[name], shown, *below]), flush=True)
        long = table.melt("what", var_name="quantity", value_name="ratio").assign(table=name)
        limited = long["what"].str.startswith("contrastlib")
        tables.append(long.assign(limit=long["quantity"].map(limits).where(limited)))
    if options.save:
        _save(pd.concat(tables, ignore_index=True), options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description="Measure speed and memory on the CPU. Results are ratios within one run.",
    )
    parser.add_argument(
        "tables",
        nargs="*",
        metavar="TABLE",
        default=[],
        help=f"any of {', '.join(TITLES)}; all tables if none is given",
    )
    parser.add_argument("--repetitions", type=int, default=5, help="rounds, of which the median is shown")
    parser.add_argument(
        "--network", default="vgg16_bn", help="torchvision network for the tables of maps and memory"
    )
    parser.add_argument(
        "--evaluated",
        default="squeezenet1_1",
        help="torchvision network for the tables methods, perturbation and masking",
    )
    parser.add_argument(
        "--classes", type=int, default=200, help="classes of the network for the table classes"
    )
    parser.add_argument("--size", type=int, default=224, help="side of the images in pixels")
    parser.add_argument("--batch", type=int, default=8, help="images in the tables of maps and memory")
    parser.add_argument(
        "--evaluated-batch",
        type=int,
        default=2,
        help="images in the tables methods, perturbation, masking and of the transformer",
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="processor cores to use")
    parser.add_argument(
        "--save",
        nargs="?",
        type=Path,
        const=RESULTS / "benchmarks",
        metavar="FOLDER",
        help="save the ratios with their provenance in a folder (data/results/benchmarks)",
    )
    return parser


def _measure(name: str, options: argparse.Namespace) -> pd.DataFrame:
    if name == "memory":
        return memory.table(options.network, options.size, options.batch, min(options.repetitions, 3))
    if name == "transformer-memory":
        repetitions = min(options.repetitions, 3)
        return memory.table("vit_b_16", 224, options.evaluated_batch, repetitions, memory.TRANSFORMER_JOBS)
    if name in ("activation", "input"):
        run = maps.activation_table if name == "activation" else maps.input_table
        network, images = torchvision_network(options.network), images_like(options.size, options.batch)
        return run(network, images, options.repetitions)
    if name in ("classes", "pooled-classes"):
        network = torchvision_network(options.network if name == "classes" else "resnet50", options.classes)
        return maps.classes_table(network, images_like(options.size, 1), options.repetitions)
    if name in ("relevance", "residual-relevance", "relevances"):
        run = maps.relevances_table if name == "relevances" else maps.relevance_table
        network = torchvision_network("resnet50" if name == "residual-relevance" else options.network)
        return run(network, images_like(options.size, options.evaluated_batch), options.repetitions)
    if name == "transformer":
        return maps.transformer_table(images_like(224, options.evaluated_batch), options.repetitions)
    if name == "methods":
        network, images = _evaluated(options)
        return maps.methods_table(network, images, options.repetitions)
    if name in ("perturbation", "masking"):
        run = evaluations.perturbation_table if name == "perturbation" else evaluations.masking_table
        return run(*as_studies_have_it(*_evaluated(options)), options.repetitions)
    raise SystemExit(f"no table {name!r}; choose from {', '.join(TITLES)}")


def _evaluated(options: argparse.Namespace) -> tuple[nn.Module, Tensor]:
    return torchvision_network(options.evaluated), images_like(options.size, options.evaluated_batch)


def _save(table: pd.DataFrame, options: argparse.Namespace) -> None:
    parameters = {name: value for name, value in vars(options).items() if name != "save"}
    record = provenance(0, "cpu", parameters=parameters)
    del record["seconds"]
    table = table.dropna(subset="ratio")[["table", "what", "quantity", "ratio", "limit"]]
    table.attrs["provenance"] = record
    path = options.save / f"{record['date'][:19].replace(':', '')}.parquet"
    save(table, path)
    print(f"\nsaved: {path}")


if __name__ == "__main__":
    raise SystemExit(main())
