"""``python -m contrastlib finetune``: fine-tune torchvision's classifiers on the papers' data sets."""

from __future__ import annotations

import argparse
import os
from dataclasses import fields

from contrastlib import assets
from contrastlib.assets.writing import writable
from contrastlib.cli import arguments as types

DESCRIPTION = """\
Fine-tune a classifier of torchvision, with its ImageNet weights and a new last layer, on a fine-grained
data set. Writes NETWORK/DATASET.safetensors (weights), .csv (training log) and .json (its scores on the test
images, recipe, versions) to $CONTRASTLIB_DATA/finetuned; other commands then know the network by the
name NETWORK/DATASET.

The defaults are the published settings: SGD with a constant learning rate. After an interruption, the same
command continues from the last finished epoch. It runs without a GPU, but 200 epochs take weeks.

On several GPUs, with each batch divided among them:
  accelerate launch --multi_gpu -m contrastlib finetune NETWORK DATASET"""

EPILOG = """\
examples:
  python -m contrastlib finetune vgg16_bn cub200 --augment
  python -m contrastlib finetune vit_b_16 food101 --precision bf16"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command ``finetune``."""
    known = [name for name, record in assets.datasets().items() if len(record.splits) > 1]
    parser = subparsers.add_parser(
        "finetune",
        help="fine-tune a large network on a data set of the papers",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "network",
        type=types.name,
        metavar="NETWORK",
        help=("of torchvision: vgg16_bn, alexnet, vit_b_16, ..."),
    )
    parser.add_argument(
        "dataset",
        type=types.name,
        metavar="DATASET",
        help=(f"any of {', '.join(known)}; see `data fetch --help`"),
    )
    parser.add_argument(
        "--epochs", type=types.positive, default=200, help=("passes through the photographs (default: 200)")
    )
    parser.add_argument(
        "--batch",
        type=types.positive,
        default=128,
        help=("images in a step, over all devices together (default: 128)"),
    )
    parser.add_argument(
        "--rate",
        type=types.between(1e-12, 1e6, "a learning rate"),
        default=1e-3,
        help=("learning rate, constant (default: 1e-3)"),
    )
    parser.add_argument(
        "--momentum",
        type=types.between(0, 1, "a momentum"),
        default=0.9,
        help=("of SGD, 0 to 1 (default: 0.9)"),
    )
    parser.add_argument(
        "--weight-decay",
        type=types.between(0, 1e6, "a weight decay"),
        default=5e-4,
        help=("of SGD (default: 5e-4)"),
    )
    parser.add_argument(
        "--augment",
        action="store_true",
        help=(
            "train on random views, as the published code does: flips, rotation, jitter, shift, crop of 0.7 "
            "to 1 of the area, perspective, greyscale, blur (default: the photographs as they are)"
        ),
    )
    parser.add_argument(
        "--size",
        type=types.positive,
        default=224,
        help=("side of the images in pixels, to which whole photographs are squeezed (default: 224)"),
    )
    parser.add_argument(
        "--precision",
        choices=("no", "bf16", "fp16"),
        default="no",
        help=("mixed precision; no: all in float32 (default: no)"),
    )
    parser.add_argument(
        "--seed",
        type=types.whole,
        default=0,
        help=("of the last layer, order and views, from 0 (default: 0)"),
    )
    workers = min(16, os.cpu_count() or 1)
    parser.add_argument(
        "--workers",
        type=types.workers,
        default=workers,
        help=(f"processes that read photographs, for each device (default here: {workers})"),
    )
    parser.add_argument("--output", type=types.path, help="a folder (default: $CONTRASTLIB_DATA/finetuned)")
    parser.set_defaults(func=finetune)


def finetune(arguments: argparse.Namespace) -> int:
    """Fine-tune a network and print its scores.

    Returns:
        The exit status, 0.

    Raises:
        ValueError: A name is unknown, a result or a checkpoint of another recipe exists, or the loss
            diverged.
        DataError: Data are missing, or nothing can be written.
    """
    from contrastlib.models import torchvision_hub
    from contrastlib.training import finetuning
    from contrastlib.training.recipe import FineTuningRecipe

    settings = {field.name: vars(arguments)[field.name] for field in fields(FineTuningRecipe)}
    output = writable(arguments.output or assets.root() / "finetuned")
    card = finetuning.finetune(
        arguments.network.removeprefix(torchvision_hub.PREFIX),
        arguments.dataset,
        output,
        FineTuningRecipe(**settings),
        arguments.workers,
    )
    if os.environ.get("RANK", "0") == "0":
        scores = card["test"]
        print(
            f"{card['network']}/{card['dataset']}: test accuracy {scores['accuracy']:.1%}, second "
            f"probability above 0.1 in {scores['share_p2_above_0.1']:.1%}, third in "
            f"{scores['share_p3_above_0.1']:.1%} of the {card['test_images']:,} test images"
        )
    return 0
