"""Gu et al. 2018: identities in float64 for the corrected forms, counterexamples for the printed ones."""

import pytest
import torch
from torch import nn

from contrastlib.assets.records import IMAGENET_MEAN, IMAGENET_STD
from contrastlib.evaluation import conservation, pointing_game, relevance_flow
from contrastlib.explainers.lrp import lrp, others, relevance_maps, score
from contrastlib.models.classifier import Classifier
from contrastlib.report.figures.shared import published

EXACT = 1e-10


@pytest.fixture
def pictures():
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def plain():
    """Convolutions and linear layers with biases."""
    torch.manual_seed(0)
    return (
        nn.Sequential(
            nn.Conv2d(3, 8, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(200, 16),
            nn.ReLU(),
            nn.Linear(16, 12),
        )
        .double()
        .eval()
    )


def test_23_the_printed_dual_needs_no_sums_and_the_coded_one_does(plain, pictures):
    """Both printed maps hold abs(y_t). The coded dual holds the sum of abs(y_s), many times as much."""
    y = plain(pictures).detach()
    target = y.argmax(dim=1)
    own, printed, coded = score(y, target), others(y, target), others(y, target, "logits")
    assert (own.sum(dim=1) - printed.sum(dim=1)).abs().max() < EXACT
    rest = y.abs().sum(dim=1) - y.abs().gather(1, target[:, None]).squeeze(1)
    assert (coded.sum(dim=1) - rest).abs().max() < EXACT and (coded.sum(dim=1) > 2 * own.sum(dim=1)).all()
    phi = {
        name: lrp(plain, pictures, lambda y, r=r: r)
        for name, r in (("own", own), ("printed", printed), ("coded", coded))
    }
    sums = {name: each.sum(dim=(1, 2, 3)) for name, each in phi.items()}
    assert (sums["own"] - sums["printed"]).abs().max() < EXACT  # conservation: their difference adds up to 0
    parts = [phi[name] / sums[name][:, None, None, None] for name in ("own", "coded")]
    divided = (parts[0] - parts[1]).clamp(min=0)
    library = relevance_maps(plain, pictures, target, ["clrp1_coded"])["clrp1_coded"]
    cosine = torch.cosine_similarity(divided.flatten(1), library.flatten(1))
    assert (1 - cosine).abs().max() < EXACT


def test_24_conserved_unless_a_unit_is_active_through_its_bias_alone():
    """z+ rule with biases bypassed: the unit passes on what it has, if anything positive reaches it."""
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for sign, arrives in ((1, 1.0), (-1, 0.0)):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(3, 1, 1), nn.ReLU(), nn.Conv2d(1, 1, 1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2)
        ).double()
        with torch.no_grad():
            network[0].weight.abs_()
            network[0].bias.fill_(1)
            network[2].weight.abs_().mul_(sign)
            network[2].bias.fill_(10)  # active in either case
        maps = lrp(network.eval(), images, lambda y: score(y, 0))
        assert (network[:4](images) > 0).all()
        share = maps.sum(dim=(1, 2, 3)) / network(images)[:, 0].abs()
        assert (share - arrives).abs().max() < EXACT


def test_25_the_z_rule_is_input_x_gradient_where_biases_take_their_part(plain, pictures):
    rows = conservation.conservation(plain, pictures)
    z = rows[rows["rules"] == "z"].groupby("biases")["input_x_gradient"]
    assert (1 - z.min()[True]) < EXACT and z.max()[False] < 0.999
    others = rows[(rows["rules"] == "z_plus") & rows["biases"]]
    assert others["input_x_gradient"].max() < 0.9  # the rule that the paper uses is another one


def test_41_the_table_says_it_for_vgg16_and_not_for_alexnet():
    table = published("clrp_ablation").pivot(index="network", columns="method", values="dropped_activation")
    guided, clrp = table["Guided backpropagation"], table[["CLRP1", "CLRP2"]]
    assert guided["VGG16"] > clrp.loc["VGG16"].max() and guided["AlexNet"] < clrp.loc["AlexNet"].min()
    assert (guided > table["LRP"]).all()  # the sentence after it, on LRP, holds for both


def test_42_equal_pointing_does_not_make_equal_maps():
    """Two maps that hit and miss alike at every share of energy, and are orthogonal."""
    one, other = torch.zeros(2, 4, 4).double()
    one[0, 0], other[1, 1] = 1, 1
    box = torch.tensor([[0, 0, 2, 2]])
    hits = [pointing_game.pointing(phi[None], box)["hit"].tolist() for phi in (one, other)]
    assert hits[0] == hits[1] and any(hits[0]) and (one * other).sum() == 0


def test_42_the_two_duals_give_two_maps(plain, pictures):
    rows = conservation.duals(plain, pictures)
    assert rows[rows["methods"] == "clrp1, clrp2"]["similarity"].max() < 0.99


def test_43_the_last_layer_chooses_units_by_class(plain, pictures):
    """Under z+ class t reaches unit j only if w_tj > 0 and the unit is active."""
    one, other = relevance_flow.arriving(plain, pictures, ["7"], count=2)["7"]
    hidden, logits = plain[:8](pictures).detach(), plain(pictures).detach()
    for relevance, target in zip((one, other), logits.topk(2).indices.T):
        assert torch.equal(relevance > 0, (hidden > 0) & (plain[8].weight[target] > 0))
    assert not torch.equal(one > 0, other > 0)


def test_43_equal_support_does_not_make_equal_maps():
    """With positive weights every class reaches every unit, and the maps still differ."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 2)).double().eval()
    with torch.no_grad():
        for layer in network[1::2]:
            layer.weight.abs_()
        network[3].weight.pow_(4)  # which makes the classes choose, with no weight at 0
    image = torch.rand(1, 3, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    one, other = relevance_flow.arriving(network, image, ["2"], count=2)["2"]
    assert torch.equal(one != 0, other != 0) and (one != 0).all()
    assert torch.cosine_similarity(one, other).item() < 0.9


def test_44_one_interval_for_all_channels_conserves_as_well(plain, pictures):
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    low, high = -mean / std, (1 - mean) / std
    assert low.min().item() == pytest.approx(-2.1179, abs=5e-5) and high.max().item() == pytest.approx(
        2.64, abs=5e-4
    )
    assert low.max() - low.min() > 0.3 and high.max() - high.min() > 0.3  # the channels' own intervals differ
    network = Classifier(
        plain, name="n", class_names=list("abcdefghijkl"), layer=None, input_size=16, checksum=""
    ).double()
    rows = conservation.boxes(network, pictures).groupby("method")
    assert (rows["arrived"].max()["lrp"] - 1) < EXACT and (1 - rows["arrived"].min()["lrp"]) < EXACT
    assert 0.9 < rows["similarity"].min().min() and rows["similarity"].max().max() < 1 - 1e-9
