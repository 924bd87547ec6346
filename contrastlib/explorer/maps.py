"""Basis maps of an image: one for each listed class, and some for all other classes together.

Every contrast is a weighted sum of them; :mod:`contrastlib.explorer.ranking` computes the weights. Methods
that are not linear have no basis maps, and a map of each contrast of each listed class is stored instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from contrastlib.autograd import INPUT, ForwardPass, forward
from contrastlib.explainers import EXPLAINERS, Explainer, vit
from contrastlib.explainers.lrp import propagation
from contrastlib.explorer.methods import RELEVANCE, applicable
from contrastlib.explorer.pooling import pool, pooling
from contrastlib.explorer.ranking import NoRanking, Ranking
from contrastlib.models import Classifier

CHUNK = 4
"""Number of cotangents in one backward pass, after which progress is reported."""
TOKENS = "tokens"
"""Layer name of maps that all blocks of a Transformer contribute to."""

OnProgress = Callable[[float], None]
"""Function that is called with the finished fraction of the work."""


class Rows(NamedTuple):
    """The rows of a stack, as defined in :mod:`contrastlib.explorer.packing`."""

    kinds: dict[str, str]
    """Kind of each method that uses these rows."""
    layer: str
    """Name of the layer."""
    maps: np.ndarray
    """The rows (rows, h, w)."""
    pooled: int | None = None
    """For maps of the pixels, the side of the squares over which pixels are summed."""


def stacks(
    network: Classifier,
    images: Tensor,
    methods: Sequence[str] | None = None,
    layers: Sequence[str] | None = None,
    classes: int = 12,
    progress: OnProgress = lambda share: None,
) -> tuple[Ranking, list[list[Rows]]]:
    """Compute the rows of all stacks of a batch of images, with one forward pass for each family of methods.

    Args:
        network: The network.
        images: Images (B, 3, H, W).
        methods: Names in :func:`~contrastlib.explorer.methods.offered`. Methods that do not apply to the
            network are left out, such as LRP for a network with operations that have no rule, and FullGrad
            for a network that is not piecewise linear. None stands for the default methods of the network.
        layers: Layers for the methods that explain a layer. None stands for the default layer of the network,
            or for all blocks of a Transformer.
        classes: Number of classes to list.
        progress: Called with the finished fraction of the work. An exception that it raises stops the work.

    Returns:
        The ranking of the classes, and the rows of each image.

    Raises:
        ValueError: A method or a layer is unknown, no method applies, the network has a single logit, or the
            number of its ``class_names`` differs from that of its logits.

    >>> from contrastlib import models
    >>> network = models.load("birds_vgg")
    >>> ranking, ((first,), _) = stacks(network, torch.rand(2, 3, 128, 128), ["gradcam"], classes=5)
    >>> ranking.listed.shape, first.kinds, first.layer, first.maps.shape[1:]
    (torch.Size([2, 5]), {'gradcam': 'linear'}, 'network.features.20', (16, 16))
    """
    chosen = applicable(network, methods, layers)
    work = _Computation(network, images, layers, classes)
    families = {
        "pass": work.by_gradients,
        "network": work.by_network,
        "tokens pass": work.by_tokens,
        "relevance": work.by_relevance,
    }
    named = {family: [] for family in families}
    for method in chosen:
        named["relevance" if method in RELEVANCE else EXPLAINERS[method].needs].append(method)
    jobs = [family for family in families if named[family]]
    for done, family in enumerate(jobs):
        work.found += families[family](named[family], _part(progress, done, len(jobs)))
    if not work.found:
        raise ValueError(f"{', '.join(chosen)} cannot explain {network.name}: name other methods")
    return work.ranking, [
        [rows._replace(maps=rows.maps[:, i]) for rows in work.found] for i in range(len(images))
    ]


class _Computation:
    """What all families of methods share: network, images, ranking of the classes, and results."""

    def __init__(
        self, network: Classifier, images: Tensor, layers: Sequence[str] | None, classes: int
    ) -> None:
        self.network, self.images, self.layers, self.classes = network, images, layers, classes
        self.factor = pooling(images.shape[-1])
        self.ranking: Ranking | None = None
        self.found: list[Rows] = []

    def rank(self, logits: Tensor) -> Ranking:
        """Return the ranking of the first forward pass, so that rounding cannot change it between methods."""
        if self.ranking is None:
            named = len(self.network.class_names)
            if named != logits.shape[1]:
                raise NoRanking(
                    f"{self.network.name} gives {logits.shape[1]} logits and has {named} class_names: "
                    "give it one name for each logit"
                )
            self.ranking = Ranking(logits, self.classes)
        return self.ranking

    def by_gradients(self, methods: list[str], progress: OnProgress) -> list[Rows]:
        """Return the rows of methods that need the gradients of a forward pass."""
        own = self.layers or [self.network.layer]
        pairs = [
            (method, layer)
            for method in methods
            for layer in ([INPUT] if EXPLAINERS[method].space == "pixels" else own)
        ]
        record = forward(self.network, self.images, list(dict.fromkeys(layer for _, layer in pairs)))
        return self._of_pass(record, pairs, progress)

    def by_tokens(self, methods: list[str], progress: OnProgress) -> list[Rows]:
        """Return the rows of methods that explain the tokens of a Transformer."""
        record = vit.vit_forward(self.network, self.images)
        own = self.layers or _all_blocks(record)
        pairs = [
            (method, layer)
            for method in methods
            for layer in (own if EXPLAINERS[method].takes_layer else [TOKENS])
        ]
        return self._of_pass(record, pairs, progress)

    def _of_pass(self, record: ForwardPass, pairs: list[tuple[str, str]], progress: OnProgress) -> list[Rows]:
        """Return the rows of each (method, layer): basis maps if the method is linear, otherwise a table."""
        ranking = self.rank(record.logits)
        kinds = {
            "linear": [pair for pair in pairs if EXPLAINERS[pair[0]].linear],
            "table": [pair for pair in pairs if not EXPLAINERS[pair[0]].linear],
        }
        jobs = [kind for kind in kinds if kinds[kind]]
        found = []
        for done, kind in enumerate(jobs):
            cotangents, chunk = ranking.basis, CHUNK
            if kind == "table":  # the contrasts of four targets share the vector of ones and the softmax
                cotangents, chunk = ranking.tabulated, 4 * len(ranking.contrasts)
            functions = [partial(self._map, record, *pair) for pair in kinds[kind]]
            made = _in_chunks(cotangents, functions, _part(progress, done, len(jobs)), chunk)
            found += [
                Rows({method: kind}, layer, maps, self.factor if layer == INPUT else None)
                for (method, layer), maps in zip(kinds[kind], made)
            ]
        return found

    def _map(self, record: ForwardPass, method: str, layer: str, cotangents: Tensor) -> Tensor:
        explainer = EXPLAINERS[method]
        options = {"layer": layer} if explainer.takes_layer else {}
        maps = explainer.map(explainer.function(record, cotangents, **options))
        return pool(maps, self.factor) if explainer.space == "pixels" else maps

    def by_network(self, methods: list[str], progress: OnProgress) -> list[Rows]:
        """Return the rows of methods that run the network themselves."""
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
            except ValueError:  # the method does not apply to this network
                continue
            maps = pool(made, self.factor).double().numpy(force=True)
            found.append(Rows({method: "linear" if explainer.linear else "table"}, INPUT, maps, self.factor))
            progress(done / len(methods))
        return found

    def by_relevance(self, methods: list[str], progress: OnProgress) -> list[Rows]:
        """Return the rows of LRP and CLRP1, which share one propagation of relevance."""
        with ExitStack() as stack:
            try:
                propagate = stack.enter_context(propagation(self.network, self.images))
            except ValueError:  # the network has an operation without a rule
                return []
            ranking = self.rank(propagate.outputs)
            scored = (ranking.basis * propagate.outputs)[ranking.listed.shape[1] :]
            relevance = [lambda part: pool(propagate(part).sum(dim=-3), self.factor)]
            (maps,) = _in_chunks(torch.cat([ranking.basis, scored]), relevance, progress)
        return [Rows({method: RELEVANCE[method] for method in methods}, INPUT, maps, self.factor)]


def _in_chunks(
    cotangents: Tensor,
    functions: Sequence[Callable[[Tensor], Tensor]],
    progress: OnProgress,
    chunk: int = CHUNK,
) -> list[np.ndarray]:
    """Return the result (K, B, h, w) of each function for cotangents (K, B, C), computed in chunks."""
    results: list[list[np.ndarray]] = [[] for _ in functions]
    chunks = cotangents.split(chunk)
    for done, part in enumerate(chunks, 1):
        for result, function in zip(results, functions):
            result.append(function(part).double().numpy(force=True))
        progress(done / len(chunks))
    return [np.concatenate(result) for result in results]


def _part(progress: OnProgress, done: int, jobs: int) -> OnProgress:
    """Return the function that reports the progress of one of several jobs, after those that are done."""
    return lambda share: progress((done + share) / jobs)


def _all_blocks(record: ForwardPass) -> list[str]:
    """Return the output of each block, but the input of the last one, whose patches do not matter."""
    blocks = [name for name in record.activations if name.startswith("block.")]
    return [*blocks[:-1], blocks[-1].replace("block", "norm")]
