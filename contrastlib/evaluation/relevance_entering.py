"""The relevance that enters LRP, and the product of input and gradient that its map equals.

Each layer computes z_j = sum_i w_ij a_i + b_j. Let relevance r enter at the logits y.

- The z rule with biases in the denominators passes R_i = a_i sum_j w_ij R_j / z_j. At an active unit a_j =
  z_j, so that s_j = R_j / z_j obeys s_i = sum_j w_ij s_j, which is how a gradient passes a ReLU. At the
  logits s = r / y. The map is x * dF/dx for F = sum_s c_s y_s with the fixed weights c = r / y.
  Input x gradient of a contrast w therefore needs r = w y. That of p_t needs r = dp_t/dy y, which is
  p_t (1 - p_t) times the r of the weighted contrast. The relevance dp_t/dy of SGLRP is divided by the logits
  on its way, and y_t e_t gives input x gradient of y_t.
- The epsilon rule divides by z_j + epsilon sign(z_j), so it damps each unit by z_j / (z_j + epsilon
  sign(z_j)).
- The z+ rule gives unit i the share z_ij^+ / sum_i z_ij^+ of R_j, which is no gradient. The map is
  sum_s r_s m_s, where m_s is the map of one unit of relevance at class s. Its values are not negative and add
  up to 1 where nothing is lost. What all m_s have in common is left (sum_s r_s) times; it cancels if r adds
  up to 0, as dp_t/dy does and w y does not.
- The alpha-beta rule, alpha - beta = 1, distributes shares too, and turns the sign of some of them.

Sources: Bach et al. 2015; Iwana et al. 2019; Wang & Wang 2022, sec. 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy

import pandas as pd
import torch
from torch import Tensor, nn
from zennit.composites import LayerMapComposite
from zennit.rules import AlphaBeta, Norm, Pass
from zennit.torchvision import ResNetCanonizer
from zennit.types import Activation, AvgPool, Linear

from contrastlib import contrasts
from contrastlib.autograd import INPUT, as_found, forward
from contrastlib.explainers import input_x_gradient
from contrastlib.explainers.lrp import logit, propagation
from contrastlib.explainers.lrp.rules import divisor

RELEVANCES = {
    "lrp": logit,
    "sglrp": contrasts.probability,
    "weighted": lambda logits, target: contrasts.weighted(logits, target) * logits,
}
"""Name -> relevance (B, C) that enters, as a function of logits (B, C) and target classes (B,)."""
RULES = {
    "z": {"rules": "z", "biases": True},
    "z, biases bypassed": {"rules": "z"},
    "epsilon": {"rules": "epsilon", "biases": True},
    "z_plus": {"rules": "z_plus"},
}
"""Name -> options of :func:`contrastlib.explainers.lrp.propagation.propagation`."""
ALPHA_BETA = "alpha 2, beta 1"


def compare(model: nn.Module, images: Tensor, labels: Tensor | None = None) -> pd.DataFrame:
    """Cosines of LRP's maps of several relevances with products of input and gradient, for each rule.

    All is computed in float64, for the two most probable classes. The input is that of the first layer.

    Args:
        model: A network that :func:`contrastlib.explainers.lrp.propagation.propagation` accepts, made of
            modules that Zennit knows.
        images: Images (B, K, H, W) in [0, 1].
        labels: Not used, because the classes are the predicted ones.

    Returns:
        One row for each image, rank (1 or 2, of the class), rules (of ``RULES``, and ``ALPHA_BETA`` with
        biases bypassed), relevance (of ``RELEVANCES``) and compared_with. That is "probability", "logit" or
        "relevance over logits" (input x gradient of p_t, y_t or sum_s c_s y_s), or "LRP, either sign" (the
        map of the relevance "lrp", with the absolute value of the cosine). The cosine is similarity.

    >>> network = random_network(torch.Generator().manual_seed(0))
    >>> table = compare(network, torch.rand(1, 3, 8, 8))
    >>> found = table.set_index(["rules", "relevance", "compared_with", "rank"])["similarity"]
    >>> bool(found["z", "weighted", "probability", 1] > 1 - 1e-10)
    True
    """
    images = images.double().contiguous()
    model = deepcopy(model).double().to(memory_format=torch.contiguous_format)
    first = "normalise" if hasattr(model, "normalise") else INPUT
    record = forward(model, images, [first])
    classes = record.logits.topk(2, dim=1).indices.T
    relevances = {name: torch.stack([r(record.logits, t) for t in classes]) for name, r in RELEVANCES.items()}
    products = {
        "probability": torch.stack([contrasts.weighted(record.logits, t) for t in classes]),
        "logit": torch.stack([contrasts.original(record.logits, t) for t in classes]),
    }
    products |= {name: r / record.logits for name, r in relevances.items()}
    products = {name: input_x_gradient(record, w, first).flatten(2) for name, w in products.items()}
    tables = []
    for rules, maps in _maps(model, images, record.activations[first], relevances).items():
        for name, phi in maps.items():
            others = {
                "probability": products["probability"],
                "logit": products["logit"],
                "relevance over logits": products[name],
            }
            cosines = {key: torch.cosine_similarity(phi, each, dim=-1) for key, each in others.items()}
            cosines["LRP, either sign"] = torch.cosine_similarity(phi, maps["lrp"], dim=-1).abs()
            tables += [
                pd.DataFrame({
                    "image": range(len(images)), "rank": rank + 1, "rules": rules, "relevance": name,
                    "compared_with": key, "similarity": cosine.numpy(force=True),
                })
                for key, each in cosines.items() for rank, cosine in enumerate(each)
            ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def of_random_networks(count: int = 50, seed: int = 0) -> pd.DataFrame:
    """:func:`compare` for networks with random weights, one random image each.

    Args:
        count: Number of networks with biases, and of those without.
        seed: Seed of the weights and the images.

    Returns:
        The table of :func:`compare`, with network ("random, with biases" or "random, without biases"), and
        image and group, the number of the network.

    >>> of_random_networks(count=1)["network"].unique().tolist()
    ['random, with biases', 'random, without biases']
    """
    tables = []
    for biases in (True, False):
        generator = torch.Generator().manual_seed(seed)
        for number in range(count):
            network = random_network(generator, biases)
            table = compare(network, torch.rand(1, 3, 8, 8, generator=generator))
            name = f"random, with{'' if biases else 'out'} biases"
            tables.append(table.assign(network=name, image=number, group=number))
    return pd.concat(tables, ignore_index=True)


def random_network(generator: torch.Generator, biases: bool = True) -> nn.Sequential:
    """ReLU network of two convolutions and two linear layers, for images (B, 3, 8, 8) and 10 classes.

    Args:
        generator: Source of the weights (He et al. 2015) and biases (standard deviation 0.5).
        biases: Whether there are biases. If not, they are 0.

    Returns:
        The network.

    >>> random_network(torch.Generator().manual_seed(0))(torch.rand(2, 3, 8, 8)).shape
    torch.Size([2, 10])
    """
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(8 * 16, 32), nn.ReLU(), nn.Linear(32, 10),
    )  # fmt: skip
    for module in network:
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            nn.init.normal_(module.bias, std=0.5 * biases, generator=generator)
    return network.eval()


def alpha_beta(
    model: nn.Module, inputs: Tensor, relevance: Tensor, alpha: float = 2.0, beta: float = 1.0
) -> Tensor:
    """Propagate relevance by the alpha-beta rule, biases bypassed.

    R_i = sum_j (alpha z_ij^+ / sum_i z_ij^+ - beta z_ij^- / sum_i z_ij^-) R_j with z_ij = a_i w_ij, in every
    linear layer, also the first one. Batch norms are merged into convolutions; sums and averages distribute
    relevance in proportion. Source: Bach et al. 2015, eq. 60; the rule is Zennit's.

    Args:
        model: A network of modules that Zennit knows, without a normalisation of pixels. Its blocks are those
            of torchvision's ResNets, if it has any.
        inputs: Inputs (B, K, H, W).
        relevance: Relevance (N, B, C) at the logits.
        alpha: Factor of the positive contributions.
        beta: Factor of the negative contributions.

    Returns:
        Maps (N, B, K, H, W).

    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False))
    >>> net[1].weight.data = torch.tensor([[1., -2.]])
    >>> alpha_beta(net, torch.ones(1, 1, 1, 2), torch.ones(1, 1, 1)).flatten()
    tensor([ 2., -1.])
    """
    rule = AlphaBeta(alpha, beta, stabilizer=divisor, zero_params=["bias"])
    composite = LayerMapComposite(
        [(Activation, Pass()), (AvgPool, Norm(divisor)), (Linear, rule)], canonizers=[ResNetCanonizer()]
    )
    inputs = inputs.detach().requires_grad_()
    with as_found(model), composite.context(model) as ruled:
        logits = ruled(inputs)
        maps = [torch.autograd.grad(logits, inputs, each, retain_graph=True)[0] for each in relevance]
    return torch.stack(maps)


def least(table: pd.DataFrame, value: str, by: Sequence[str]) -> pd.DataFrame:
    """Least value in each setting.

    Args:
        table: A table with a row for each image and setting.
        value: Name of the column.
        by: Columns that identify a setting.

    Returns:
        A row for each setting, with ``mean``, the least value.

    >>> least(pd.DataFrame({"network": ["a", "a"], "v": [0.5, 0.9]}), "v", ["network"]).values.tolist()
    [['a', 0.5]]
    """
    return table.groupby(list(by), sort=False)[value].min().rename("mean").reset_index()


def _maps(
    model: nn.Module, images: Tensor, inputs: Tensor, relevances: Mapping[str, Tensor]
) -> dict[str, dict[str, Tensor]]:
    """Rules -> relevance -> maps (2, B, pixels)."""
    together = torch.cat(list(relevances.values()))
    found = {}
    for name, options in RULES.items():
        with propagation(model, images, **options) as propagate:
            found[name] = propagate(together)
    found[ALPHA_BETA] = alpha_beta(getattr(model, "network", model), inputs, together)
    return {name: dict(zip(relevances, maps.flatten(2).split(2))) for name, maps in found.items()}
