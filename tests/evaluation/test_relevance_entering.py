"""The relevance that enters LRP, against products of input and gradient."""

import pytest
import torch
from torch import nn

from contrastlib import contrasts
from contrastlib.evaluation import relevance_entering
from contrastlib.models.classifier import Classifier

COLUMNS = ["rules", "relevance", "compared_with"]


@pytest.fixture(scope="module")
def biased():
    return relevance_entering.of_random_networks(6, seed=3)


def cosines(table, *setting):
    found = table.set_index([*COLUMNS, "network"])["similarity"].xs(setting, level=COLUMNS)
    return found.xs("random, with biases"), found.xs("random, without biases")


def test_under_the_z_rule_relevance_is_a_contrast_times_the_logits(biased):
    for relevance in relevance_entering.RELEVANCES:
        assert all(
            (each > 1 - 1e-10).all() for each in cosines(biased, "z", relevance, "relevance over logits")
        )
    assert all((each > 1 - 1e-10).all() for each in cosines(biased, "z", "weighted", "probability"))
    assert all((each > 1 - 1e-10).all() for each in cosines(biased, "z", "lrp", "logit"))


def test_sglrp_is_another_map_under_the_z_rule(biased):
    assert all(each.min() < 0.9 for each in cosines(biased, "z", "sglrp", "probability"))


def test_bypassed_biases_matter_where_there_are_any(biased):
    with_biases, without = cosines(biased, "z, biases bypassed", "weighted", "probability")
    assert (with_biases < 0.9).all() and (without > 1 - 1e-10).all()


@pytest.mark.parametrize("rules", ["epsilon", "z_plus", relevance_entering.ALPHA_BETA])
def test_under_the_other_rules_no_relevance_gives_the_product(biased, rules):
    for relevance in relevance_entering.RELEVANCES:
        assert all((each < 0.999).all() for each in cosines(biased, rules, relevance, "probability"))


def test_the_product_is_that_of_automatic_differentiation():
    network = relevance_entering.random_network(torch.Generator().manual_seed(5)).double()
    images = torch.rand(1, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    logits = network(images)
    target = logits.argmax(dim=1)
    (gradient,) = torch.autograd.grad(logits.softmax(dim=1)[0, target], images)
    relevance = (contrasts.weighted(logits, target) * logits).detach()
    with relevance_entering.propagation(network, images, rules="z", biases=True) as propagate:
        heat = propagate(relevance)
    assert torch.cosine_similarity(heat.flatten(), (images * gradient).flatten(), dim=0) > 1 - 1e-10


def test_the_input_is_that_of_the_first_layer():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 6))
    layers[1].running_mean.normal_(), layers[1].bias.data.normal_()
    network = Classifier(layers, name="n", class_names=list("abcdef"), layer=None, input_size=8, checksum="")
    table = relevance_entering.compare(network.eval(), torch.rand(2, 3, 8, 8))
    assert table.groupby([*COLUMNS, "rank"]).size().eq(2).all()
    exact = table[(table["rules"] == "z") & (table["compared_with"] == "relevance over logits")]
    assert len(exact) == 12 and (exact["similarity"] > 1 - 1e-10).all()


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).double()


def test_the_alpha_beta_rule_of_one_layer(layer):
    images, relevance = torch.rand(2, 3, 2, 2).double(), torch.randn(4, 2, 3).double()
    heat = relevance_entering.alpha_beta(layer, images, relevance, alpha=3, beta=2)
    z = images.flatten(1)[:, :, None] * layer[1].weight.T  # (B, inputs, outputs)
    positive, negative = z.clamp(min=0), z.clamp(max=0)
    shares = 3 * positive / positive.sum(1, keepdim=True) - 2 * negative / negative.sum(1, keepdim=True)
    expected = torch.einsum("bio,nbo->nbi", shares, relevance)
    torch.testing.assert_close(heat.flatten(2), expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(heat.flatten(2).sum(2), relevance.sum(2), rtol=1e-10, atol=1e-10)


def test_least_is_that_of_each_setting(biased):
    found = relevance_entering.least(biased, "similarity", ["network", "rules"])
    assert len(found) == 10
    row = found.iloc[3]
    chosen = biased[(biased["network"] == row["network"]) & (biased["rules"] == row["rules"])]
    assert row["mean"] == chosen["similarity"].min()
