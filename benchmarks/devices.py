"""``python -m benchmarks.devices``: section 5.1 on a GPU, and the share of the rate of its bare passes.

Photographs are decoded while the device computes, as in the studies. The bare passes are those that the
experiment cannot do without, of images that are on the device already. On a GPU, each measurement ends when
the GPU has finished.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms.functional import pil_to_tensor

from benchmarks.evaluations import EPSILONS, ITERATIONS, perturbation_by_hand
from benchmarks.networks import torchvision_network
from contrastlib.evaluation import perturbation
from contrastlib.report.machines import devices
from contrastlib.report.results.provenance import provenance
from contrastlib.report.results.storage import RESULTS, save

NETWORKS = ("resnet18", "vgg16")
LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
STUDIES_LAYOUT = "channels_last"
GOAL, GOAL_BATCH = 0.9, 64
"""Share of the bare rate that is promised on a GPU for both networks in the layout of the studies, and the
number of images in a batch for which it is."""


def table(device: torch.device, size: int, batch: int, batches: int, repetitions: int) -> pd.DataFrame:
    """Measure both networks in both memory layouts.

    Args:
        device: The device.
        size: Side of the images in pixels.
        batch: Images in a batch.
        batches: Batches in a run.
        repetitions: Rounds, of which the median is taken.

    Returns:
        A row for each network and layout, with images a second of the study and of its bare passes, share,
        which is the former over the latter in the same round, and the smallest and largest share of a round
        (min and max).
    """
    devices.without_tf32()
    photographs, rows = _photographs(batch * batches, size), []
    for name in NETWORKS:
        for layout, memory_format in LAYOUTS.items():
            network = torchvision_network(name).requires_grad_(False).to(device, memory_format=memory_format)
            study = partial(_study, network, photographs, batch, device, memory_format)
            (pixels,) = _read(device, memory_format, photographs[:batch])
            bare = partial(_bare, network, pixels.to(device), batches)
            rounds = [_rates(study, bare, len(photographs), device) for _ in range(repetitions + 1)][1:]
            shares = [each["share"] for each in rounds]
            rows.append(
                {
                    "what": f"{name}, {layout}",
                    **{key: median(each[key] for each in rounds) for key in rounds[0]},
                    "min": min(shares),
                    "max": max(shares),
                }
            )
    return pd.DataFrame(rows)


def judged(rates: pd.DataFrame) -> pd.DataFrame:
    """Judge the promise of a share of ``GOAL`` at least.

    Args:
        rates: The rates of :func:`table`.

    Returns:
        The rows with verdict, which is "kept" if the share of each round reaches the goal, "broken" if that
        of no round does, "undecided" otherwise, and "" in another layout than that of the studies.
    """
    verdict = pd.Series("undecided", index=rates.index)
    verdict[rates["min"] >= GOAL] = "kept"
    verdict[rates["max"] < GOAL] = "broken"
    return rates.assign(verdict=verdict.where(rates["what"].str.endswith(STUDIES_LAYOUT), ""))


def _rates(
    study: Callable[[], object], bare: Callable[[], object], images: int, device: torch.device
) -> dict[str, float]:
    ours, hand = (images / _seconds(run, device) for run in (study, bare))
    return {"images a second": ours, "bare passes, images a second": hand, "share": ours / hand}


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    _finish(device)
    began = time.perf_counter()
    run()
    _finish(device)
    return time.perf_counter() - began


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _study(
    network: nn.Module,
    photographs: list[bytes],
    batch: int,
    device: torch.device,
    memory_format: torch.memory_format,
) -> pd.DataFrame:
    """Run the experiment as :func:`contrastlib.report.computing.batches.evaluate` does."""
    read = partial(_read, device, memory_format)
    parts = [photographs[i : i + batch] for i in range(0, len(photographs), batch)]
    target = torch.zeros(batch, dtype=torch.long, device=device)
    return pd.concat(
        [
            perturbation.changes(
                network,
                pixels.to(device, non_blocking=True),
                target[: len(pixels)],
                iterations=ITERATIONS,
                epsilons=EPSILONS,
            )
            for (pixels,) in devices.ahead(read, parts)
        ]
    )


def _read(device: torch.device, memory_format: torch.memory_format, files: list[bytes]) -> tuple[Tensor, ...]:
    pixels = torch.stack([pil_to_tensor(Image.open(io.BytesIO(file))) for file in files]).float() / 255
    return devices.pinned(device, pixels.contiguous(memory_format=memory_format))


def _bare(network: nn.Module, pixels: Tensor, batches: int) -> None:
    for _ in range(batches):
        perturbation_by_hand(network, pixels)


def _photographs(count: int, size: int) -> list[bytes]:
    """JPEG files of noise that is smooth, so that decoding takes what it takes for photographs."""
    generator, files = np.random.default_rng(0), []
    for _ in range(count):
        small = generator.integers(256, size=(size // 8, size // 8, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC).save(file, "JPEG", quality=92)
        files.append(file.getvalue())
    return files


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and save.

    Args:
        arguments: Command-line arguments; those of the process for None.

    Returns:
        The exit status: 1 if the promise is broken, and 0 otherwise, also if nothing is measured since there
        is no GPU.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.devices",
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--device", type=torch.device, default="cuda", help="cpu runs the same code, slowly")
    parser.add_argument("--size", type=int, default=224, help="side of the images in pixels")
    parser.add_argument("--batch", type=int, default=64, help="images in a batch")
    parser.add_argument("--batches", type=int, default=8, help="batches in a run")
    parser.add_argument("--repetitions", type=int, default=5, help="rounds, of which the median is shown")
    parser.add_argument(
        "--save",
        nargs="?",
        type=Path,
        const=RESULTS / "benchmarks" / "devices",
        metavar="FOLDER",
        help="save the rates (data/results/benchmarks/devices)",
    )
    options = parser.parse_args(arguments)
    if options.device.type == "cuda" and not torch.cuda.is_available():
        print("The GPU part is not run, since there is no GPU here: --device cpu runs the same code.")
        return 0
    began = time.perf_counter()
    made = table(options.device, options.size, options.batch, options.batches, options.repetitions)
    if options.device.type == "cuda" and options.batch == GOAL_BATCH:
        made = judged(made)
    print(made.to_string(index=False, float_format="{:.3f}".format))
    print(f"goal on a GPU, at a batch of {GOAL_BATCH} in {STUDIES_LAYOUT}: a share of {GOAL} at least")
    if options.save:
        given = {key: str(value) for key, value in vars(options).items() if key != "save"}
        made.attrs["provenance"] = provenance(
            time.perf_counter() - began, options.device.type, parameters=given
        )
        path = options.save / f"{made.attrs['provenance']['date'][:19].replace(':', '')}.parquet"
        save(made, path)
        print(f"saved: {path}")
    return int("verdict" in made and (made["verdict"] == "broken").any())


if __name__ == "__main__":
    raise SystemExit(main())
