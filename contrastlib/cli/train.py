"""``python -m contrastlib train``: train the small networks on the drawn birds, or on CIFAR-10."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from contrastlib import assets
from contrastlib.assets import WEIGHTS
from contrastlib.assets.records import Network, Training
from contrastlib.assets.writing import writable
from contrastlib.cli import arguments as types

if TYPE_CHECKING:
    from contrastlib.datasets.base import ImageSet
    from contrastlib.training.from_scratch import LabelledImages

PICTURES = 9000
DESCRIPTION = """\
Train the small networks of the quick profile on drawn birds that are drawn first, and cifar10_vit on
the training images of CIFAR-10. Writes, for each, NAME.safetensors (weights), NAME.csv (training log) and
NAME.json (checksum, scores on the test images, recipe).

After an interruption, the same command continues from the last finished epoch. On one machine the same
seed gives the same weights; on another, weights with about the same scores."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command ``train``."""
    parser = subparsers.add_parser(
        "train",
        help="train the small networks on the drawn birds, or on CIFAR-10",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "networks",
        type=types.name,
        nargs="*",
        metavar="NETWORK",
        help=f"any of {', '.join(_trainable())} (default: those for the drawn birds)",
    )
    parser.add_argument(
        "--epochs",
        type=types.positive,
        help="passes through the images (default: as in the network's recipe)",
    )
    parser.add_argument(
        "--pictures",
        type=types.positive,
        help=f"how many birds to train on (default: as in the network's entry, or {PICTURES})",
    )
    parser.add_argument(
        "--seed",
        type=types.whole,
        default=0,
        help="of the weights, the order and mirroring of images, from 0 (default: 0); the files of another "
        "seed than 0 are called NAME-seed1 and so on, and hold weights in 16 bits",
    )
    parser.add_argument("--output", type=types.path, default=WEIGHTS, help="a folder (default: data/weights)")
    parser.set_defaults(func=train)


def train(arguments: argparse.Namespace) -> int:
    """Train each network and print its scores.

    Returns:
        The exit status, 0.

    Raises:
        ValueError: A name is unknown, a checkpoint belongs to another run, or the loss diverged.
        DataError: Data are missing, or nothing can be written.
    """
    known = _trainable()
    unknown = sorted(set(arguments.networks) - set(known))
    if unknown:
        raise ValueError(f"no small network is called {unknown[0]!r}; the names are: {', '.join(known)}")
    on_birds = [name for name, training in known.items() if training.images == "birds"]
    for name in dict.fromkeys(arguments.networks or on_birds):
        network = assets.networks()[name].seeded(arguments.seed)
        scores = _train(network, arguments)["test"]
        print(
            f"{network.name}: test accuracy {scores['accuracy']:.1%}, second probability above 0.1 in "
            f"{scores['share_p2_above_0.1']:.1%}, third in {scores['share_p3_above_0.1']:.1%} of the images"
        )
    return 0


def _train(network: Network, arguments: argparse.Namespace) -> dict:
    """Train one network; its card."""
    from contrastlib.training import from_scratch

    recipe, training = from_scratch.recipe_of(network.name), network.training
    if arguments.epochs:
        recipe = replace(recipe, epochs=arguments.epochs)
    output = writable(arguments.output)
    if training.images == "birds":
        data = _birds(network.input_size, arguments.pictures or training.pictures or PICTURES)
    else:
        data = _whole(training.images, training.test)
    return from_scratch.train(network.name, output, recipe, *data)


def _trainable() -> dict[str, Training]:
    """The networks that the project trains, name -> how it trains them."""
    return {name: network.training for name, network in assets.networks().items() if network.training}


@cache
def _birds(size: int, count: int) -> tuple[LabelledImages, LabelledImages, ImageSet]:
    """Drawn birds: images to train on, images for validation, and the test set."""
    from contrastlib.datasets.birds import SyntheticBirds
    from contrastlib.training.from_scratch import render

    train, validation = SyntheticBirds("train", size, length=count), SyntheticBirds("validation", size)
    return render(train), render(validation), SyntheticBirds("test", size)


def _whole(images: str, test: str) -> tuple[LabelledImages, LabelledImages, ImageSet]:
    """The same for a set without a validation split, from which some images are held out."""
    from contrastlib.datasets import load
    from contrastlib.training.from_scratch import held_out, render

    return *held_out(render(load(images))), load(test)
