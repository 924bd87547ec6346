"""One method on one network: a map, a refusal or a failure."""

from __future__ import annotations

import re
import signal
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

import contrastlib
from benchmarks.families import plain
from benchmarks.families.preparation import random_images, with_every_part
from benchmarks.families.record import Network
from contrastlib.autograd import forward
from contrastlib.explainers import EXPLAINERS, upsample, vit
from contrastlib.report.pages.package_reference import first_sentence

TARGET = torch.tensor([1, 4])
"""Target classes of the two images."""
CALIBRATION = 8
"""Images from which batch norms take their statistics."""
OPTIONS: Mapping[str, Any] = {"steps": 2, "signed": True, "threshold": 0.0}
"""Options of the methods that have them: few points on the path of integrated gradients, CLRP with its
negative values, without which its map of an improbable class is 0, and VAR without its threshold, below which
the class of a network with random weights stays at all positions."""
TOLERANCE = 1e-3
"""Largest difference from plain autograd, relative to the largest value of the map."""
LIBRARY = Path(contrastlib.__file__).parent


class TimeLimit(Exception):
    """A trial took too long."""


@dataclass(frozen=True)
class Outcome:
    """What one method did on one network.

    Attributes:
        kind: "map": it gave a map that passed all checks. "refused": the library raised a ``TypeError`` or a
            ``ValueError`` of its own. "fails": anything else.
        reason: How the map was checked, the first sentence of the error, or what is wrong.
    """

    kind: str
    reason: str


def try_network(network: Network, seconds: float) -> dict[str, Any]:
    """Try every method on a network.

    Args:
        network: The record of the network.
        seconds: Time limit of each method.

    Returns:
        The record with the layer of class activation maps, whether it is the default one, and, for each kind
        of outcome, method -> reason.
    """
    torch.manual_seed(0)
    images = random_images(CALIBRATION, network.size)
    model = with_every_part(network.build(), images)
    images = images[: len(TARGET)]
    layer, is_default = find_layer(model, images)
    expected = _expected(model, images, layer)
    result = {
        "library": network.library, "family": network.family, "network": network.name,
        "class": type(model).__name__, "pixels": network.size, "layer": layer, "default": is_default,
        "map": {}, "refused": {}, "fails": {},
    }  # fmt: skip
    for method in EXPLAINERS:
        outcome = _tried(model, images, method, expected, layer, is_default, seconds)
        result[outcome.kind][method] = outcome.reason
    return result


def _tried(
    model: nn.Module,
    images: Tensor,
    method: str,
    expected: Mapping[str, Tensor],
    layer: str | None,
    is_default: bool,
    seconds: float,
) -> Outcome:
    """Try a method without a layer, and with the recommended one where that is refused."""
    explainer = EXPLAINERS[method]
    options = {name: value for name, value in OPTIONS.items() if name in explainer.options}
    of_layer = explainer.space == "layer"
    of_tokens = explainer.for_transformers and vit.is_transformer(model)
    known = None if of_tokens or (of_layer and not is_default) else expected.get(method)
    outcome = attempt(model, images, method, known, seconds, **options)
    if outcome.kind == "refused" and of_layer and layer and not is_default:
        return attempt(model, images, method, expected.get(method), seconds, layer=layer, **options)
    return outcome


def find_layer(model: nn.Module, images: Tensor) -> tuple[str | None, bool]:
    """Find the layer of class activation maps: the default one, or the one that the library recommends.

    Args:
        model: The network.
        images: Images (B, K, H, W).

    Returns:
        The name, None if there is none, and whether it is the default layer.
    """
    try:
        return forward(model, images, None).layer(), True
    except ValueError as error:
        recommended = re.search(r'layer="([^"]+)"', str(error))
    known = recommended and recommended[1] in dict(model.named_modules())
    return (recommended[1] if known else None), False


def attempt(
    model: nn.Module, images: Tensor, method: str, expected: Tensor | None, seconds: float, **options: Any
) -> Outcome:
    """Try one method.

    Args:
        model: The network.
        images: Images (B, K, H, W).
        method: Name of the method.
        expected: Maps (B, h, w) by plain autograd, or None.
        seconds: Time limit.
        **options: Further arguments of :func:`contrastlib.explain`.

    Returns:
        The outcome.
    """
    try:
        with _limited(seconds):
            maps = contrastlib.explain(model, images, TARGET, method, **options)
    except Exception as error:  # noqa: BLE001  # every error is an outcome
        named = isinstance(error, (TypeError, ValueError)) and _raised_by_library(error)
        text = first_sentence(str(error))
        return Outcome("refused", text) if named else Outcome("fails", f"{type(error).__name__}: {text}")
    wrong = _what_is_wrong(maps, images, expected)
    if wrong:
        return Outcome("fails", wrong)
    return Outcome("map", "not constant" if expected is None else "equals plain autograd")


def _expected(model: nn.Module, images: Tensor, layer: str | None) -> dict[str, Tensor]:
    """Return maps by plain autograd, by method, where there are any."""
    maps = plain.pixel_maps(model, images, TARGET, OPTIONS["steps"])
    if layer is not None:
        maps |= plain.layer_maps(model, images, TARGET, layer)
    return maps


def _what_is_wrong(maps: Tensor, images: Tensor, expected: Tensor | None) -> str:
    """Say what is wrong with maps; "" if nothing is."""
    size = images.shape[-2:]
    if maps.shape != (len(images), *size):
        return f"the maps have the shape {tuple(maps.shape)}"
    if not maps.isfinite().all():
        return "the maps hold NaN or infinite values"
    largest = maps.abs().amax(dim=(1, 2))
    if (maps.std(dim=(1, 2)) <= 1e-6 * largest).any() and not _is_constant(expected):
        return "a map is constant"
    if expected is not None:
        expected = expected if expected.shape[-2:] == size else upsample(expected, size)
        most = expected.abs().amax(dim=(1, 2))
        difference = ((maps - expected).abs().amax(dim=(1, 2)) / most.where(most > 0, 1)).max().item()
        if difference > TOLERANCE:
            return f"a map differs from plain autograd by {difference:.2g} of its largest value"
    return ""


def _is_constant(expected: Tensor | None) -> bool:
    """Whether one of the expected maps is 0, as that of VAR is where no other class is exceeded."""
    return expected is not None and not expected.flatten(1).any(dim=1).all()


def _raised_by_library(error: Exception) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return Path(frames[-1].filename).is_relative_to(LIBRARY)


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise :class:`TimeLimit` inside this context after that time."""
    previous = signal.signal(signal.SIGALRM, _alarm(seconds))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _alarm(seconds: float) -> Callable[[int, FrameType | None], None]:
    def raise_limit(number: int, frame: FrameType | None) -> None:
        raise TimeLimit(f"it took more than {seconds:g} seconds")

    return raise_limit
