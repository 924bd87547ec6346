"""Maps of the most probable classes one by one, and of all others merged.

Every contrast is a weighted sum of them, see :mod:`contrastlib.explorer.ranking`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from contrastlib.autograd import INPUT, ForwardPass, forward
from contrastlib.explainers import EXPLAINERS, Explainer, vit
from contrastlib.explainers.lrp import propagation
from contrastlib.explorer.ranking import NoRanking, Ranking
from contrastlib.models import Classifier

TOGETHER = 4  # cotangents that go back between two reports of progress
TOKENS = "tokens"  # the layer of maps that all blocks of a Transformer make

CONVOLUTIONAL = ("gradcam", "linear_approximation", "xgradcam", "input_x_gradient", "lrp", "clrp1")
TRANSFORMER = ("vit_gradcam", "gradient_attention_rollout")
"""methods shown when none are named, of networks with convolutions and of Transformers: those whose maps are quick
to make and small to store"""
RELEVANCE = {"lrp": "scored", "clrp1": "relevance"}
"""method -> kind, of the two whose maps are made of the same rows. CLRP is generalised to all contrasts here: the
relevance from abs(y_t) w, where that is positive."""

Step = Callable[[float], None]


class Rows(NamedTuple):
    """The rows (rows, h, w) of a stack; see :mod:`contrastlib.explorer.packing`."""

    kinds: dict[str, str]
    """method -> kind, of the methods that make their maps of it"""
    layer: str
    maps: np.ndarray
    pooled: int | None = None
    """pixels a side that one value sums up, of maps of the pixels"""


def offered() -> dict[str, Explainer]:
    """The explainers that the explorer has: those that take any contrast, and CLRP.

    >>> "integrated_gradients" in offered(), "sglrp" in offered()
    (True, False)
    """
    return {name: record for name, record in EXPLAINERS.items() if record.contrast or name in RELEVANCE}


def stacks(
    network: Classifier, images: Tensor, methods: Sequence[str] | None = None,
    layers: Sequence[str] | None = None, classes: int = 12, step: Step = lambda share: None,
) -> tuple[Ranking, list[list[Rows]]]:
    """The rows of the stacks of each of B images (B, 3, H, W), from one pass for each family of methods.

    Args:
        methods: names in :func:`offered`; those that do not apply to the network are left out, as are relevance
            propagation where it has no rules and FullGrad where the network is not piecewise linear. When None:
            ``CONVOLUTIONAL``, or ``TRANSFORMER`` for a Transformer.
        layers: of the methods that have one; the network's own, or all blocks of a Transformer, when None.
        classes: how many are listed.
        step: called with the share of the work that is done; what it raises ends the work.

    Raises:
        ValueError: unknown method or layer, no method applies, a network of one logit, or one whose class_names
            are not as many as its logits.

    >>> from contrastlib import models
    >>> network = models.load("birds_vgg")
    >>> ranking, ((first,), _) = stacks(network, torch.rand(2, 3, 128, 128), ["gradcam"], classes=5)
    >>> ranking.listed.shape, first.kinds, first.layer, first.maps.shape
    (torch.Size([2, 5]), {'gradcam': 'linear'}, 'network.features.20', (7, 16, 16))
    """
    chosen = applicable(network, methods, layers)
    work = _Work(network, images, layers, classes)
    families = {"pass": work.by_gradients, "network": work.by_network, "tokens pass": work.by_tokens,
                "relevance": work.by_relevance}
    named = {family: [] for family in families}
    for method in chosen:
        named["relevance" if method in RELEVANCE else EXPLAINERS[method].needs].append(method)
    jobs = [family for family in families if named[family]]
    for done, family in enumerate(jobs):
        work.found += families[family](named[family], lambda share, done=done: step((done + share) / len(jobs)))
    if not work.found:
        raise ValueError(f"{', '.join(chosen)} cannot explain {network.name}: name other methods")
    return work.ranking, [
        [rows._replace(maps=rows.maps[:, i]) for rows in work.found] for i in range(len(images))
    ]


def applicable(
    network: Classifier, methods: Sequence[str] | None, layers: Sequence[str] | None = None
) -> list[str]:
    """Those of the methods that apply to a network as far as its kind tells; its default ones when None.

    Raises:
        ValueError: an unknown method, or none applies.
    """
    transformer = is_transformer(network)
    chosen = list(dict.fromkeys(methods or (TRANSFORMER if transformer else CONVOLUTIONAL)))
    known = offered()
    unknown = [method for method in chosen if method not in known]
    if unknown:
        raise ValueError(f"unknown method {unknown[0]!r}; the explorer has {', '.join(known)}")
    spaces = {"pixels", "tokens" if transformer else "layer"}
    if not transformer and layers is None and network.layer is None:
        spaces.remove("layer")
    fitting = [method for method, record in known.items()
               if record.space in spaces and not (transformer and method in RELEVANCE)]
    left = [method for method in chosen if method in fitting]
    if not left:
        raise ValueError(f"{', '.join(chosen)} cannot explain {network.name}: name others of {', '.join(fitting)}")
    return left


def is_transformer(network: nn.Module) -> bool:
    """Whether a network contains torchvision's Vision Transformer.

    >>> is_transformer(nn.Flatten())
    False
    """
    return any(isinstance(module, VisionTransformer) for module in network.modules())


def _tabulated(ranking: Ranking) -> Tensor:
    """The cotangents of each contrast for each listed class (K * contrasts, B, C): a table has a map for each."""
    return torch.stack([*ranking.contrasts.values()], dim=1).flatten(0, 1)


class _Work:
    """What the families of methods share: the images, the ranking of their classes, the stacks so far."""

    def __init__(self, network: Classifier, images: Tensor, layers: Sequence[str] | None, classes: int):
        self.network, self.images, self.layers, self.classes = network, images, layers, classes
        self.factor = pooling(images.shape[-1])
        self.ranking: Ranking | None = None
        self.found: list[Rows] = []

    def rank(self, logits: Tensor) -> Ranking:
        """The ranking of the first pass, for all: rounding must not exchange two classes between methods."""
        if self.ranking is None:
            named = len(self.network.class_names)
            if named != logits.shape[1]:
                raise NoRanking(f"{self.network.name} gives {logits.shape[1]} logits and has {named} class_names: "
                                "give it one name for each logit")
            self.ranking = Ranking(logits, self.classes)
        return self.ranking

    def by_gradients(self, methods: list[str], step: Step) -> list[Rows]:
        own = self.layers or [self.network.layer]
        places = [(method, layer) for method in methods
                  for layer in ([INPUT] if EXPLAINERS[method].space == "pixels" else own)]
        record = forward(self.network, self.images, list(dict.fromkeys(layer for _, layer in places)))
        return self._of_pass(record, places, step)

    def by_tokens(self, methods: list[str], step: Step) -> list[Rows]:
        record = vit.vit_forward(self.network, self.images)
        own = self.layers or _all_blocks(record)
        places = [(method, layer) for method in methods
                  for layer in (own if EXPLAINERS[method].takes_layer else [TOKENS])]
        return self._of_pass(record, places, step)

    def _of_pass(self, record: ForwardPass, places: list[tuple[str, str]], step: Step) -> list[Rows]:
        """The rows of each method at each layer: basis maps of the linear ones, and tables of the others."""
        ranking = self.rank(record.logits)
        kinds = {"linear": [place for place in places if EXPLAINERS[place[0]].linear],
                 "table": [place for place in places if not EXPLAINERS[place[0]].linear]}
        jobs = [kind for kind in kinds if kinds[kind]]
        found = []
        for done, kind in enumerate(jobs):
            # four targets share the vector of ones and the softmax, so that fewer vectors go back
            cotangents, together = (ranking.tabulated, 4 * len(ranking.contrasts)) if kind == "table" else (ranking.basis, TOGETHER)
            made = _each_part(cotangents, [partial(self._map, record, *place) for place in kinds[kind]],
                              lambda share, done=done: step((done + share) / len(jobs)), together)
            found += [Rows({method: kind}, layer, maps, self.factor if layer == INPUT else None)
                      for (method, layer), maps in zip(kinds[kind], made)]
        return found

    def _map(self, record: ForwardPass, method: str, layer: str, part: Tensor) -> Tensor:
        explainer = EXPLAINERS[method]
        at = {"layer": layer} if explainer.takes_layer else {}
        maps = explainer.map(explainer.function(record, part, **at))
        return pool(maps, self.factor) if explainer.space == "pixels" else maps

    def by_network(self, methods: list[str], step: Step) -> list[Rows]:
        found = []
        for done, method in enumerate(methods, 1):
            explainer = EXPLAINERS[method]

            def cotangents(logits: Tensor, explainer: Explainer = explainer) -> Tensor:
                ranking = self.rank(logits)
                return (ranking.basis if explainer.linear else ranking.tabulated).to(logits)

            try:
                made = explainer.map(explainer.function(self.network, self.images, cotangents))
            except NoRanking:
                raise
            except ValueError:  # a network that the method does not apply to
                continue
            maps = pool(made, self.factor).double().numpy(force=True)
            found.append(Rows({method: "linear" if explainer.linear else "table"}, INPUT, maps, self.factor))
            step(done / len(methods))
        return found

    def by_relevance(self, methods: list[str], step: Step) -> list[Rows]:
        with ExitStack() as stack:
            try:
                propagate = stack.enter_context(propagation(self.network, self.images))
            except ValueError:  # an operation that has no rule
                return []
            ranking = self.rank(propagate.outputs)
            scored = (ranking.basis * propagate.outputs)[ranking.listed.shape[1]:]
            maps, = _each_part(torch.cat([ranking.basis, scored]),
                               [lambda part: pool(propagate(part).sum(dim=-3), self.factor)], step)
        return [Rows({method: RELEVANCE[method] for method in methods}, INPUT, maps, self.factor)]


def _each_part(cotangents: Tensor, functions: Sequence[Callable[[Tensor], Tensor]], step: Step,
               together: int = TOGETHER) -> list[np.ndarray]:
    """What each function returns for the cotangents (K, B, C), which go back some at a time: (K, B, h, w)."""
    results: list[list[np.ndarray]] = [[] for _ in functions]
    parts = cotangents.split(together)
    for done, part in enumerate(parts, 1):
        for result, function in zip(results, functions):
            result.append(function(part).double().numpy(force=True))
        step(done / len(parts))
    return [np.concatenate(result) for result in results]


def _all_blocks(record: ForwardPass) -> list[str]:
    """The output of each block, and of the last, after which no patch counts, its input."""
    blocks = [name for name in record.activations if name.startswith("block.")]
    return [*blocks[:-1], blocks[-1].replace("block", "norm")]


def pooling(side: int) -> int:
    """How many pixels a side one value sums up: the divisor that leaves a map as near to 32 a side as can be.

    >>> pooling(128), pooling(112), pooling(224), pooling(32)
    (4, 4, 7, 1)
    """
    divisors = [n for n in range(1, side + 1) if side % n == 0]
    return min((n for n in divisors if side // n >= min(side, 16)), key=lambda n: abs(side // n - 32))


def pool(maps: Tensor, factor: int) -> Tensor:
    """Sums over squares of maps (..., H, W).

    >>> pool(torch.ones(2, 4, 4), 2).shape, pool(torch.ones(2, 4, 4), 2).unique().item()
    (torch.Size([2, 2, 2]), 4.0)
    """
    return F.avg_pool2d(maps.flatten(0, -3), factor, divisor_override=1).unflatten(0, maps.shape[:-2])
