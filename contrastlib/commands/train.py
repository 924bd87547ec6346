"""``python -m contrastlib train``: train the small networks on the synthetic birds."""

from __future__ import annotations

import argparse
from pathlib import Path

WEIGHTS = Path(__file__).parents[2] / "data" / "weights"

DESCRIPTION = """\
Train the small networks of the quick profile on synthetic birds that are drawn first. Writes, for each,
NAME.safetensors (weights), NAME.csv (training log) and NAME.json (scores on the test pictures, recipe).

Stopped in the middle, the same command goes on after the last finished epoch. On one machine the same
seed gives the same weights; on another, weights with about the same scores."""


def add_parser(subparsers) -> None:
    """Add the command ``train``."""
    parser = subparsers.add_parser(
        "train",
        help="train the small networks on the synthetic birds",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "networks",
        nargs="*",
        metavar="NETWORK",
        help="birds_vgg, birds_alexnet or birds_resnet (default: all three)",
    )
    parser.add_argument(
        "--epochs", type=_positive, default=14, help="passes through the pictures (default: 14)"
    )
    parser.add_argument(
        "--pictures", type=_positive, default=9000, help="how many to train on (default: 9000)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the weights, their order and mirroring (default: 0)"
    )
    parser.add_argument("--output", type=Path, default=WEIGHTS, help="a folder (default: data/weights)")
    parser.set_defaults(func=train)


def train(arguments: argparse.Namespace) -> int:
    """Train each network and print its scores; 2 if a name is unknown or a checkpoint does not fit."""
    from contrastlib.datasets.birds import SyntheticBirds
    from contrastlib.models import small, training

    unknown = sorted(set(arguments.networks) - set(small.NETWORKS))
    if unknown:
        print(
            f"contrastlib train: no small network is called {unknown[0]!r}; "
            f"the names are: {', '.join(small.NETWORKS)}"
        )
        return 2
    recipe = training.Recipe(epochs=arguments.epochs, seed=arguments.seed)
    pictures = training.render(SyntheticBirds("train", small.INPUT_SIZE, length=arguments.pictures))
    validation = training.render(SyntheticBirds("validation", small.INPUT_SIZE))
    test = SyntheticBirds("test", small.INPUT_SIZE)
    for name in arguments.networks or small.NETWORKS:
        try:
            card = training.train(name, arguments.output, recipe, pictures, validation, test)
        except ValueError as error:
            print(f"contrastlib train: {error}")
            return 2
        scores = card["test"]
        print(
            f"{name}: test accuracy {scores['accuracy']:.1%}, second probability above 0.1 in "
            f"{scores['share_p2_above_0.1']:.1%}, third in {scores['share_p3_above_0.1']:.1%} of the pictures"
        )
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number
