"""Interventions: a linear network with known effects of parts, plain references, shuffled maps, bad input."""

import numpy as np
import pytest
import torch
import torchvision
from scipy import stats
from torch import nn

from contrastlib import contrasts
from contrastlib.evaluation import maps_of_contrasts
from contrastlib.evaluation.interventions import QUESTIONS, Repainted, compare, falls, in_parts, quantities
from contrastlib.explainers import EXPLAINERS

PARTS, SIDE, CLASSES = 6, 6, 5
NAMES = tuple("abcdef")


def linear(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, CLASSES)).double()


def scene(network, count=8, seed=1, order=None):
    """Images of six rows, each a part, repainted black: Input x Gradient is a linear network's effect."""
    torch.manual_seed(seed)
    images = torch.rand(count, 3, SIDE, SIDE, dtype=torch.float64)
    masks = torch.eye(PARTS, dtype=torch.bool)[:, :, None].expand(PARTS, SIDE, SIDE)
    of = torch.cartesian_prod(torch.arange(count), torch.arange(PARTS))
    versions = images[of[:, 0]] * ~masks[of[:, 1], None]
    if order is not None:
        of = torch.stack([of[:, 0], torch.cat([order(PARTS) for _ in range(count)])], dim=1)
    classes = network(images).detach().topk(2, dim=1).indices
    return Repainted(images, masks.expand(count, *masks.shape), NAMES, versions, of, PARTS), classes


def values(table, contrast, question, column="correlation"):
    return table[(table["contrast"] == contrast) & (table["question"] == question)][column].to_numpy()


def test_the_right_map_of_a_linear_network_is_right_and_for_its_own_question_alone():
    network = linear()
    repainted, classes = scene(network)
    table = compare(network, repainted, classes, ["input_x_gradient"], smallest=1)
    for contrast, question in (("original", "logit"), ("maximum", "pair"), ("mean", "mean")):
        assert np.allclose(values(table, contrast, question), 1, atol=1e-12)
        assert values(table, contrast, question, "top").all()
    for contrast, question in (
        ("original", "pair"),
        ("maximum", "logit"),
        ("mean", "pair"),
        ("weighted", "logit"),
    ):
        assert (
            values(table, contrast, question).mean() < 0.95
            and not values(table, contrast, question, "top").all()
        )
    effect = falls(network, repainted, *classes.T)
    w = contrasts.maximum(network(repainted.images).detach(), classes[:, 0])
    maps = repainted.images * (w @ network[1].weight.detach()).view_as(repainted.images)
    assert (in_parts(maps.sum(1)[None], repainted.masks)[0] - effect[..., 1]).abs().max() < 1e-10


def test_shuffled_parts_get_no_correlation():
    network = linear()
    table = compare(
        network, *scene(network, 300, order=torch.randperm), ["input_x_gradient"], ["original"], smallest=1
    )
    own = values(table, "original", "logit")
    assert (
        abs(own.mean()) < 4 / np.sqrt(300 * (PARTS - 1))
        and abs(values(table, "original", "logit", "top").mean() - 1 / 6) < 0.09
    )


def test_every_number_is_that_of_a_plain_reference():
    torch.manual_seed(3)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(36, CLASSES),
    ).double()
    network.layer = "3"
    repainted, classes = scene(network, 3)
    twice = Repainted(
        repainted.images,
        repainted.masks,
        NAMES,
        torch.cat([repainted.versions, repainted.images[:1] * 0.5]),
        torch.cat([repainted.of, torch.tensor([[0, 2]])]),
        PARTS,
    )
    table = compare(
        network,
        twice,
        classes,
        ["gradcam", "gradient"],
        ["weighted", "among"],
        foils=2,
        measure="mean",
        upsampling="nearest",
        smallest=1,
    )
    for b in range(3):
        t, s = classes[b].tolist()

        def asked(y, t=t, s=s):
            p = y.softmax(0)
            others = torch.cat([y[:t], y[t + 1 :]])
            return torch.stack([y[t], y[t] - y[s], y[t] - others.mean(), (p[t] / (1 - p[t])).log(), p[t]])

        with torch.no_grad():
            before = asked(network(repainted.images[b : b + 1])[0])
            fall = [
                torch.stack(
                    [
                        before - asked(network(v[None])[0])
                        for v, (i, p) in zip(twice.versions, twice.of.tolist())
                        if (i, p) == (b, part)
                    ]
                ).mean(0)
                for part in range(PARTS)
            ]
        x = repainted.images[b : b + 1].clone().requires_grad_()
        a = network[:4](x)
        y = network[4:](a)
        nearest = (y[0] - y[0, t]).abs().argsort()[1:3]
        scores = {
            "weighted": y[0, t] - torch.cat([y[0, :t], y[0, t + 1 :]]).logsumexp(0),
            "among": y[0, t] - (y[0, nearest].detach().softmax(0) * y[0, nearest]).sum(),
        }
        for contrast, score in scores.items():
            g, gx = torch.autograd.grad(score, [a, x], retain_graph=True)
            heat = {
                "gradcam": (g.mean((2, 3), keepdim=True) * a)
                .sum(1)[0]
                .repeat_interleave(2, 0)
                .repeat_interleave(2, 1),
                "gradient": gx.sum(1)[0],
            }
            for method, phi in heat.items():
                part = [phi[repainted.masks[b, k]].mean().item() for k in range(PARTS)]
                rows = table[
                    (table["image"] == b) & (table["contrast"] == contrast) & (table["method"] == method)
                ]
                for number, question in enumerate(QUESTIONS):
                    row = rows[rows["question"] == question].iloc[0]
                    effects = [each[number].item() for each in fall]
                    assert row["correlation"] == pytest.approx(
                        stats.spearmanr(part, effects).statistic, abs=1e-10
                    )
                    assert row["top"] == (np.argmax(part) == np.argmax(effects))
                    assert row["top_part"] == NAMES[np.argmax(effects)] and row["parts"] == PARTS


def test_quantities_are_exact_where_the_softmax_is_not():
    y = torch.tensor([[50.0, 2.0, 1.0]])
    found = dict(zip(QUESTIONS, quantities(y, torch.tensor([0]), torch.tensor([1]))[0].tolist()))
    assert found["log_odds"] == pytest.approx(50 - np.logaddexp(2, 1), abs=1e-12)
    assert (found["logit"], found["pair"], found["mean"], found["probability"]) == (
        50,
        48,
        48.5,
        pytest.approx(1),
    )


def test_parts_that_are_small_hidden_or_not_ranked():
    network = linear()
    repainted, classes = scene(network, 4)
    masks = repainted.masks.clone()
    masks[0, 0, :, 1:] = False  # a part of one pixel
    masks[1, :4] = False  # two parts that can be seen
    keep = (repainted.of[:, 0] != 2) | (repainted.of[:, 1] != 5)  # a part without a version
    whole = Repainted(repainted.images, masks, NAMES, repainted.versions[keep], repainted.of[keep], ranked=5)
    table = compare(network, whole, classes, ["input_x_gradient"], ["original"], smallest=2)
    assert table.groupby("image")["parts"].first().to_dict() == {0: 4, 2: 5, 3: 5}
    assert table[table["image"] == 2]["fall_f"].isna().all()
    effect = falls(network, repainted, *classes.T)
    row = table[(table["image"] == 3) & (table["question"] == "logit")].iloc[0]
    assert row["fall_f"] == pytest.approx(effect[3, 5, 0].item(), abs=1e-12)
    phi = (repainted.images[3] * network[1].weight[classes[3, 0]].detach().view(3, SIDE, SIDE)).sum(0).abs()
    assert row["map_f"] == pytest.approx((phi[5].sum() / phi.sum()).item(), abs=1e-12)
    none = compare(
        network,
        Repainted(repainted.images, torch.zeros_like(masks), NAMES, repainted.versions, repainted.of, 5),
        classes,
        ["input_x_gradient"],
        ["original"],
    )
    assert none.empty and list(none) == ["image"]


def test_a_map_without_differences_ranks_nothing():
    network = linear()
    with torch.no_grad():
        network[1].weight[:, :] = 0
    repainted, _ = scene(network, 2)
    moved = Repainted(repainted.images, repainted.masks, NAMES, repainted.versions, repainted.of, PARTS)
    with torch.no_grad():
        network[1].weight[0] = torch.rand(3 * SIDE * SIDE)
    table = compare(network, moved, torch.tensor([[1, 0], [1, 0]]), ["gradient"], ["original"], smallest=1)
    assert (values(table, "original", "pair") == 0).all()


def test_methods_of_the_other_architecture_are_left_out():
    network = linear()
    network.layer = None
    assert "vit_gradcam" not in maps_of_contrasts.applicable(
        network
    ) and "gradcam" in maps_of_contrasts.applicable(network)
    assert maps_of_contrasts.applicable(network, ["vit_gradcam", "gradient"]) == ["gradient"]
    assert set(maps_of_contrasts.OPTIONS) <= set(EXPLAINERS)


def test_a_transformer_has_the_methods_that_pass_its_attention():
    transformer = torchvision.models.VisionTransformer(32, 8, 2, 2, 8, 8, num_classes=CLASSES)
    methods = ["gradcam", "vit_gradcam", "gradient", "deeplift", "fullgrad", "lrp", "sglrp", "clrp1", "clrp2"]
    assert maps_of_contrasts.applicable(transformer, methods) == ["vit_gradcam", "gradient"]


def test_every_contrast_that_is_registered_can_be_asked_by_name():
    y = torch.tensor([[2.0, 1.5, -1.0, 1.9]])
    for name, record in contrasts.CONTRASTS.items():
        if record.needs_gradients:
            with pytest.raises(ValueError, match="depends on a layer"):
                maps_of_contrasts.weights_of(name, y, torch.tensor([0]), foils=2)
        else:
            assert maps_of_contrasts.weights_of(name, y, torch.tensor([0]), foils=2).shape == y.shape
    for group, single in (("rfxg_group", "original"), ("group", "weighted")):
        pair = [maps_of_contrasts.weights_of(name, y, torch.tensor([3])) for name in (group, single)]
        assert group not in maps_of_contrasts.CONTRASTS and torch.allclose(*pair)
    w = maps_of_contrasts.weights_of("among", y, torch.tensor([1]), foils=2)
    assert (w != 0).tolist() == [[True, True, False, True]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"measure": "median"}, "measure is 'median'.*sum, mean"),
        ({"upsampling": "bicubic"}, "upsampling is 'bicubic'.*centres"),
        ({"methods": ["gradcam", "lime"]}, "unknown method 'lime'"),
        ({"contrasts": ["wighted"]}, "weighted"),
    ],
)
def test_what_it_does_not_know(change, words):
    network = linear()
    repainted, classes = scene(network, 1)
    with pytest.raises(ValueError, match=words):
        compare(network, repainted, classes, **{"methods": ["gradient"], "smallest": 1} | change)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("masks", torch.ones(2, 5, 6, 6, dtype=torch.bool), "masks of 6 parts"),
        ("versions", torch.ones(3, 3, 5, 6), "like the images"),
        ("of", torch.zeros(2, 2, dtype=torch.long), "like the images"),
        ("of", torch.tensor([[0, 6]] * 12), "parts 0 to 5"),
        ("of", torch.tensor([[-1, 0]] * 12), "images 0 to 1"),
    ],
)
def test_what_does_not_fit_together(field, value, words):
    whole, _ = scene(linear(), 2)
    fields = {name: getattr(whole, name) for name in ("images", "masks", "names", "versions", "of", "ranked")}
    with pytest.raises(ValueError, match=words):
        Repainted(**fields | {field: value})


def test_maps_of_all_methods_are_those_of_explain():
    from contrastlib import explain

    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 64, 5)
    )
    network.layer = "1"
    images, target = torch.rand(2, 3, 16, 16), torch.tensor([1, 3])
    found = {}
    for keys, maps in maps_of_contrasts.explanations(
        network, images, target, contrasts=("original", "case", "weighted")
    ):
        for key, phi in zip(keys, maps):
            found[key] = phi
    assert {method for method, _ in found} == {n for n, e in EXPLAINERS.items() if e.space != "tokens"}
    assert {method for method, contrast in found if contrast == "case"} == {
        "gradcam",
        "linear_approximation",
        "xgradcam",
    }
    for (method, contrast), phi in found.items():
        asked = (
            {}
            if contrast == "own"
            else {"contrast": contrast} | ({"foils": "similar"} if contrast == "case" else {})
        )
        options = maps_of_contrasts.OPTIONS.get(method, {})
        expected = explain(network, images, target, method, upsample=False, **asked, **options)
        assert torch.allclose(phi, expected, atol=1e-5 * expected.abs().max().item() + 1e-7), (
            method,
            contrast,
        )
