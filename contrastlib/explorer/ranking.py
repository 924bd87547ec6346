"""A basis of cotangents for all contrasts: the unit vectors of the most probable classes, and rests.

Of C classes, the K most probable ones are listed. In a contrast of a listed class, the other classes have
weights in certain proportions: their probabilities in the weighted contrast, and equal weights in the mean
contrast. A vector of weights of the other classes in such proportions is called a rest. Contrasts and targets
share rests, so K + 2 vectors are enough for the contrasts of this package, whatever C is. A contrast with
other proportions adds its own rests. The basis is exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from contrastlib import contrasts

SAME = 1e-9
"""Largest sum of absolute differences of two rests that are treated as equal."""


class NoRanking(ValueError):
    """The classes cannot be ranked: there is one logit, or there are not as many names as logits."""


def fixed_contrasts() -> dict[str, contrasts.Contrast]:
    """Return the contrasts whose weights the explorer stores, by name.

    Contrasts that take foils are not among them: the browser computes the weights of "among". Contrasts of a
    group of classes are not offered, because a pane has one target class. Contrasts that scale another
    contrast are not offered either: the colours of a map follow its own scale, so a map of a linear method
    would look like that of the other contrast.

    >>> list(fixed_contrasts())
    ['original', 'mean', 'maximum', 'weighted', 'rest'...]
    """
    known = contrasts.CONTRASTS.items()
    return {
        name: each
        for name, each in known
        if each.is_of_one_class and not each.takes_foils and each.scales is None
    }


class Ranking:
    """The ranking of the classes of B images, and the contrasts of the listed classes in a common basis.

    Args:
        logits: Logits (B, C).
        count: Number K of the most probable classes to list; at most C are listed.

    Attributes:
        logits: The logits in double precision.
        listed: Indices (B, K) of the listed classes, the most probable first.
        others: Number of classes that are not listed.
        contrasts: Cotangents (K, B, C) of each listed class, by name of the contrast.
        basis: Basis of cotangents (K + R, B, C). The first K are the unit vectors of the listed classes, the
            others are rests. The first rest has the proportions of the probabilities.
        weights: Coefficients (K, B, K + R) of the cotangents in the basis, by name of the contrast.

    Raises:
        NoRanking: There is only one logit.

    >>> ranking = Ranking(torch.tensor([[0., 5., 4., 1.0986]]), count=2)
    >>> ranking.listed, ranking.basis[2, 0]
    (tensor([[1, 2]]), tensor([0.2500, 0.0000, 0.0000, 0.7500], dtype=torch.float64))
    >>> ranking.weights["mean"][0, 0, :4]
    tensor([ 1.0000, -0.3333,  0.0000, -0.6667], dtype=torch.float64)
    """

    def __init__(self, logits: Tensor, count: int) -> None:
        """Rank the classes, and compute the contrasts."""
        self.logits = logits.double()
        classes = logits.shape[1]
        if classes < 2:
            raise NoRanking(
                "the explorer needs at least two classes, and the network gives one logit y: "
                "let it return (0, y), which are the same probabilities"
            )
        count = min(count, classes)
        self.listed = self.logits.argsort(dim=1, descending=True, stable=True)[:, :count]
        self.others = classes - count
        self._rest = self.logits.scatter(1, self.listed, -torch.inf)
        self.contrasts = {
            name: torch.stack([each.function(self.logits, target) for target in self.listed.T])
            for name, each in fixed_contrasts().items()
        }
        rests = [self._rest.softmax(dim=1)] if self.others else []
        found = {name: [self._coefficients(w, rests) for w in each] for name, each in self.contrasts.items()}
        self.basis = torch.stack([*F.one_hot(self.listed.T, classes).to(self.logits), *rests])
        self.weights = {
            name: torch.stack([F.pad(row, (0, len(self.basis) - row.shape[1])) for row in each])
            for name, each in found.items()
        }

    def _coefficients(self, w: Tensor, rests: list[Tensor]) -> Tensor:
        """Return the coefficients of weights w (B, C). Append a rest if none has their proportions."""
        rest = w.scatter(1, self.listed, 0)
        size = rest.abs().sum(dim=1).copysign(rest.sum(dim=1))
        unit = rest / size.where(size != 0, 1)[:, None]
        distances = [(unit - each).abs().sum(dim=1).where(size != 0, 0).max() for each in rests]
        number = next((number for number, distance in enumerate(distances) if distance < SAME), len(rests))
        if number == len(rests) and size.any():
            rests.append(unit)
        parts = [w.gather(1, self.listed), w.new_zeros(len(w), number), size[:, None]]
        return torch.cat(parts[:1] if not size.any() else parts, dim=1)

    @property
    def tabulated(self) -> Tensor:
        """The n contrasts of the first listed class, then those of the second, and so on, (K n, B, C)."""
        return torch.stack([*self.contrasts.values()], dim=1).flatten(0, 1)

    def view(self, i: int, class_names: Sequence[str]) -> dict:
        """Return the classes of an image, their logits and the coefficients of contrasts for the header.

        Args:
            i: Index of the image in the batch.
            class_names: Names of all classes.

        Returns:
            The fields classes, rest and weights of a view; see :func:`contrastlib.explorer.content.header`.
        """
        classes = [
            {"index": s, "name": class_names[s], "logit": rounded(self.logits[i, s].item())}
            for s in self.listed[i].tolist()
        ]
        rest = (
            {
                "count": self.others,
                "logit": rounded(self._rest[i].logsumexp(0).item()),
                "rows": len(self.basis) - len(classes),
            }
            if self.others
            else None
        )
        weights = {
            name: [rounded_weights(row) for row in coefficients[:, i].tolist()]
            for name, coefficients in self.weights.items()
        }
        return {"classes": classes, "rest": rest, "weights": weights}


def rounded(number: float, digits: int = 9) -> float:
    """Round a number to significant digits, so that it takes few characters in JSON.

    Args:
        number: The number.
        digits: Significant digits; nine keep single precision.

    Returns:
        The rounded number, as an integer if it is one.

    >>> rounded(1 / 3), rounded(2.0)
    (0.333333333, 2)
    """
    short = float(f"{number:.{digits}g}")
    return int(short) if short.is_integer() else short


def rounded_weights(row: list[float]) -> list[float]:
    """Round weights to a billionth of the largest one, but keep at least four significant digits of each.

    >>> rounded_weights([1.0, -1 / 3, 1e-7 / 3, 0.0])
    [1, -0.33333333, 3.333e-08, 0]
    """
    largest = max(map(abs, row))
    return [rounded(w, max(4, 9 + math.floor(math.log10(abs(w) / largest)))) if w else 0 for w in row]
