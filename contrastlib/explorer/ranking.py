"""The most probable classes one by one, all others merged, and each contrast as a weighted sum of them.

Of C classes the K most probable are listed. The others enter a contrast in fixed proportions, as one cotangent,
a rest. Contrasts and targets share the rests: the others enter the weighted contrast of every listed class by
probability, and the mean contrast evenly, so that K + 2 vectors go back whatever C is. A contrast with other
proportions adds rests of its own. Nothing is approximated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from contrastlib import contrasts

SAME = 1e-9  # how far apart, summed over classes, two rests may be that are taken as one


class NoRanking(ValueError):
    """The logits are not those of classes that can be set against each other."""


def fixed_contrasts() -> dict[str, contrasts.Contrast]:
    """The contrasts that the explorer computes in advance, by name: those whose weights depend on logits and target alone.

    Those that take foils are computed in the browser. Those that scale another contrast are left out, because the colours
    of a map follow its own scale: their maps would look like the other contrast's.

    >>> list(fixed_contrasts())
    ['original', 'mean', 'maximum', 'weighted']
    """
    return {name: each for name, each in contrasts.CONTRASTS.items() if not each.takes_foils and each.scales is None}


class Ranking:
    """The classes of B images by their logits (B, C), the most probable first; ``count`` of them are listed.

    Attributes:
        listed: (B, K) class indices.
        others: how many classes are not listed.
        contrasts: name -> cotangents (K, B, C) of each listed class, of each of :func:`fixed_contrasts`.
        basis: cotangents (K + R, B, C), the unit vector of each listed class, and R rests that hold weights of the
            others: first by probability, then in the proportions that further contrasts give to them.
        weights: name -> (K, B, K + R), what the cotangents of a contrast are made up of in the basis.

    >>> ranking = Ranking(torch.tensor([[0., 5., 4., 1.0986]]), count=2)
    >>> ranking.listed, ranking.basis[2, 0]
    (tensor([[1, 2]]), tensor([0.2500, 0.0000, 0.0000, 0.7500], dtype=torch.float64))
    >>> ranking.weights["mean"][0, 0]
    tensor([ 1.0000, -0.3333,  0.0000, -0.6667], dtype=torch.float64)
    """

    def __init__(self, logits: Tensor, count: int):
        self.logits = logits.double()
        classes = logits.shape[1]
        if classes < 2:
            raise NoRanking("the explorer needs at least two classes, and the network gives one logit y: "
                            "let it return (0, y), which are the same probabilities")
        count = min(count, classes)
        self.listed = self.logits.argsort(dim=1, descending=True, stable=True)[:, :count]
        self.others = classes - count
        self._rest = self.logits.scatter(1, self.listed, -torch.inf)
        self.contrasts = {
            name: torch.stack([each.function(self.logits, target) for target in self.listed.T])
            for name, each in fixed_contrasts().items()
        }
        rests = [self._rest.softmax(dim=1)] if self.others else []
        found = {name: [self._parts(w, rests) for w in each] for name, each in self.contrasts.items()}
        self.basis = torch.stack([*F.one_hot(self.listed.T, classes).to(self.logits), *rests])
        self.weights = {
            name: torch.stack([F.pad(parts, (0, len(self.basis) - parts.shape[1])) for parts in each])
            for name, each in found.items()
        }

    def _parts(self, w: Tensor, rests: list[Tensor]) -> Tensor:
        """The weights w (B, C) over the listed classes and the rests, of which one is added if none is right."""
        rest = w.scatter(1, self.listed, 0)
        size = rest.abs().sum(dim=1).copysign(rest.sum(dim=1))
        unit = rest / size.where(size != 0, 1)[:, None]
        apart = [(unit - each).abs().sum(dim=1).where(size != 0, 0).max() for each in rests]
        number = next((number for number, each in enumerate(apart) if each < SAME), len(rests))
        if number == len(rests) and size.any():
            rests.append(unit)
        parts = [w.gather(1, self.listed), w.new_zeros(len(w), number), size[:, None]]
        return torch.cat(parts[:1] if not size.any() else parts, dim=1)

    @property
    def tabulated(self) -> Tensor:
        """Cotangents (K n, B, C): all n contrasts of the first class, then of the second, and so on."""
        return torch.stack([*self.contrasts.values()], dim=1).flatten(0, 1)

    def view(self, i: int, class_names: Sequence[str]) -> dict:
        """The classes of image i, their logits, and the weights of contrasts, as the explorer's header has them."""
        classes = [{"index": s, "name": class_names[s], "logit": rounded(self.logits[i, s].item())}
                   for s in self.listed[i].tolist()]
        rest = {"count": self.others, "logit": rounded(self._rest[i].logsumexp(0).item()),
                "rows": len(self.basis) - len(classes)} if self.others else None
        weights = {name: [rounded_weights(row) for row in each[:, i].tolist()] for name, each in self.weights.items()}
        return {"classes": classes, "rest": rest, "weights": weights}


def rounded(number: float, digits: int = 9) -> float:
    """A number of few characters; nine digits keep all of single precision.

    >>> rounded(1 / 3), rounded(2.0)
    (0.333333333, 2)
    """
    short = float(f"{number:.{digits}g}")
    return int(short) if short.is_integer() else short


def rounded_weights(row: list[float]) -> list[float]:
    """Weights to a billionth of the largest; the small ones keep four digits, and so their proportions.

    >>> rounded_weights([1.0, -1 / 3, 1e-7 / 3, 0.0])
    [1, -0.33333333, 3.333e-08, 0]
    """
    largest = max(map(abs, row))
    return [rounded(w, max(4, 9 + math.floor(math.log10(abs(w) / largest)))) if w else 0 for w in row]
