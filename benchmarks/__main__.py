"""``python -m benchmarks``: print the tables of speed and memory, all of them ratios."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from benchmarks import evaluations, maps, memory
from benchmarks.networks import as_studies_have_it, images_like, torchvision_network
from contrastlib.report.provenance import provenance
from contrastlib.report.shards import RESULTS, save

TITLES = {
    "activation": "Maps of the last convolution, in forward passes of the same batch",
    "input": "Four contrasts of the pixels, by hand = 1",
    "methods": "One map of each method, in forward passes of the same batch",
    "classes": "Maps of every class from one kept forward pass, by hand = 1",
    "pooled-classes": "The same for a ResNet-50, which ends in a mean over places, by hand = 1",
    "transformer": "ViT-B/16, two contrasts: every block's GradCAM and the rollout, bare passes = 1",
    "perturbation": "Section 5.1, all n and epsilon, by hand = 1",
    "masking": "Section 5.2.2, all of Table 1, by hand = 1",
    "memory": "Peak memory above that of the network, by hand = 1",
    "transformer-memory": "ViT-B/16: peak memory above that of the network, by hand = 1",
}
LIMITS = {  # what contrastlib is to stay below, set before measuring
    "activation": {"24 maps, wall": 1.15},
    "input": {"wall": 1.05},
    "classes": {"wall": 0.1},
    "perturbation": {"forwards": 1.05, "backwards": 1.05},
    "masking": {"forwards": 1.1, "wall": 1.1},
    "memory": {"memory": 1.2},
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    tables = []
    for name in options.tables or TITLES:
        table = _measure(name, options)
        limits = LIMITS.get(name, {})
        shown = table.dropna(axis=1, how="all").to_string(index=False, float_format="{:.3f}".format, na_rep="")
        print("\n".join(["", TITLES[name], shown, *(f"limit of {q}: {limit}" for q, limit in limits.items())]), flush=True)
        long = table.melt("what", var_name="quantity", value_name="ratio").assign(table=name)
        tables.append(long.assign(limit=long["quantity"].map(limits).where(long["what"].str.startswith("contrastlib"))))
    if options.save:
        _save(pd.concat(tables, ignore_index=True), options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description="Speed and memory on the CPU, as ratios of what is measured side by side in this run.",
    )
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"which of {', '.join(TITLES)} (all)", default=[])
    parser.add_argument("--repetitions", type=int, default=5, help="measured rounds; their median is shown")
    parser.add_argument("--network", default="vgg16_bn", help="torchvision network of the tables of maps and memory")
    parser.add_argument("--evaluated", default="squeezenet1_1", help="that of the methods and of the two sections' experiments")
    parser.add_argument("--classes", type=int, default=200, help="of the network of the table of classes")
    parser.add_argument("--size", type=int, default=224, help="side of the images")
    parser.add_argument("--batch", type=int, default=8, help="images of the tables of maps and memory")
    parser.add_argument("--evaluated-batch", type=int, default=2, help="images of those")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="processor cores used")
    parser.add_argument("--save", nargs="?", type=Path, const=RESULTS / "benchmarks", metavar="FOLDER",
                        help="keep the ratios and where they come from beside earlier records (data/results/benchmarks)")
    return parser


def _measure(name: str, options: argparse.Namespace) -> pd.DataFrame:
    if name == "memory":
        return memory.table(options.network, options.size, options.batch, min(options.repetitions, 3))
    if name == "transformer-memory":
        repetitions = min(options.repetitions, 3)
        return memory.table("vit_b_16", 224, options.evaluated_batch, repetitions, memory.TRANSFORMER_JOBS)
    if name in ("activation", "input"):
        run = maps.activation_table if name == "activation" else maps.input_table
        return run(torchvision_network(options.network), images_like(options.size, options.batch), options.repetitions)
    if name in ("classes", "pooled-classes"):
        network = torchvision_network(options.network if name == "classes" else "resnet50", options.classes)
        return maps.classes_table(network, images_like(options.size, 1), options.repetitions)
    if name == "transformer":
        return maps.transformer_table(images_like(224, options.evaluated_batch), options.repetitions)
    if name == "methods":
        network, images = torchvision_network(options.evaluated), images_like(options.size, options.evaluated_batch)
        return maps.methods_table(network, images, options.repetitions)
    if name in ("perturbation", "masking"):
        run = evaluations.perturbation_table if name == "perturbation" else evaluations.masking_table
        network, images = torchvision_network(options.evaluated), images_like(options.size, options.evaluated_batch)
        return run(*as_studies_have_it(network, images), options.repetitions)
    raise SystemExit(f"no table {name!r}; choose from {', '.join(TITLES)}")


def _save(table: pd.DataFrame, options: argparse.Namespace) -> None:
    record = provenance(0, parameters={name: value for name, value in vars(options).items() if name != "save"})
    del record["seconds"]
    table = table.dropna(subset="ratio")[["table", "what", "quantity", "ratio", "limit"]]
    table.attrs["provenance"] = record
    path = options.save / f"{record['date'][:19].replace(':', '')}.parquet"
    save(table, path)
    print(f"\nsaved: {path}")


if __name__ == "__main__":
    raise SystemExit(main())
