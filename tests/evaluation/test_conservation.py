"""Relevance in numbers: similarity of classes, conservation, CLRP1's two duals."""

import pytest
import torch
from torch import nn

from contrastlib import contrasts
from contrastlib.evaluation import conservation
from contrastlib.explainers.lrp import (
    METHODS,
    clrp1,
    clrp2,
    contrastive_lrp,
    propagated,
    propagation,
    relevance_maps,
    sglrp,
)
from contrastlib.models.classifier import Classifier


def make(bias):
    torch.manual_seed(0)
    return (
        nn.Sequential(
            nn.Conv2d(3, 8, 3, bias=bias),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 3, bias=bias),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(200, 12, bias=bias),
        )
        .double()
        .eval()
    )


@pytest.fixture
def pictures():
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_relevance_is_conserved_without_biases(pictures):
    table = conservation.conservation(make(bias=False), pictures).set_index(["rules", "biases"]).sort_index()
    assert len(table) == 4 * 3 * 2
    assert table.loc[("z_plus", False), "arrived"].tolist() == pytest.approx([1] * 4, abs=1e-10)
    assert table.loc[("z", False), "arrived"].tolist() == pytest.approx([1] * 4, abs=1e-8)
    assert table.loc[("z", False), "input_x_gradient"].tolist() == pytest.approx(
        [1] * 4, abs=1e-8
    )  # erratum 25
    assert (table.loc["epsilon", "arrived"] < 1).all()


def test_biases_take_what_is_missing(pictures):
    table = conservation.conservation(make(bias=True), pictures).set_index(["rules", "biases"]).sort_index()
    assert table.loc[("z_plus", False), "arrived"].tolist() == pytest.approx([1] * 4, abs=1e-10)
    assert (table.loc[("z_plus", True), "arrived"] - 1).abs().min() > 1e-3
    # erratum 25: the z rule is input x gradient when biases take their part, and not when they are bypassed
    assert table.loc[("z", True), "input_x_gradient"].tolist() == pytest.approx([1] * 4, abs=1e-10)
    assert (table.loc[("z", False), "input_x_gradient"] < 0.999).all()


def test_the_input_is_what_enters_the_first_layer(pictures):
    network = Classifier(
        make(bias=True).float(),
        name="n",
        class_names=[str(i) for i in range(12)],
        layer=None,
        input_size=16,
        checksum="",
    ).double()
    table = conservation.conservation(network, pictures).set_index(["rules", "biases"]).sort_index()
    assert table.loc[("z", True), "input_x_gradient"].tolist() == pytest.approx([1] * 4, abs=1e-8)
    assert (table.loc[("z", True), "pixels_x_gradient"] < 0.99).all()


def test_similarities_written_plainly(pictures):
    network = make(bias=True)
    table = conservation.class_similarity(network, pictures)
    maps = relevance_maps(network, pictures, lambda y: y.topk(3).indices.T)
    for name, phi in maps.items():
        flat = phi.sum(2).flatten(2)
        for pair, other in (("1, 2", 1), ("1, 3", 2)):
            found = table[(table["method"] == name) & (table["pair"] == pair)]["similarity"].tolist()
            assert found == pytest.approx(torch.cosine_similarity(flat[0], flat[other]).tolist(), abs=1e-10)
    assert set(table["method"]) == {*maps, "gradient", "guided_backpropagation"}
    assert set(table[table["pair"] == "1, random"]["method"]) == set(table["method"])


def test_the_random_classes_together(pictures):
    network = make(bias=True)
    logits = network(pictures).detach()
    drawn = conservation.random_classes(logits, pictures, seed=0).bool()
    assert (drawn.sum(1) < 12).any() and drawn.sum(
        1
    ).unique().numel() > 1  # some have fewer positive logits than ten
    rows = conservation.class_similarity(network, pictures).set_index(["pair", "method", "image"])
    for i, picture in enumerate(pictures.split(1)):
        first, *classes = logits[i].argmax().item(), *drawn[i].nonzero().flatten().tolist()
        for method, signed in (
            ("lrp", lambda t: relevance_maps(network, picture, t, ["lrp"])["lrp"]),  # noqa: B023
            ("sglrp", lambda t: sglrp(network, picture, t)),  # noqa: B023
            ("weighted_lrp", lambda t: contrastive_lrp(network, picture, lambda y: contrasts.weighted(y, t))),  # noqa: B023
            ("clrp1", lambda t: clrp1(network, picture, t, signed=True)),  # noqa: B023
            ("clrp2", lambda t: clrp2(network, picture, t, signed=True)),  # noqa: B023
        ):
            together = sum(signed(t) for t in classes)
            together = together.clamp(min=0) if method.startswith("clrp") else together
            cosine = torch.cosine_similarity(
                *(
                    phi.sum(1).flatten()
                    for phi in (relevance_maps(network, picture, first, [method])[method], together)
                ),
                dim=0,
            )
            assert rows.loc[("1, random", method, i), "similarity"] == pytest.approx(cosine.item(), abs=1e-10)


def test_one_class_together_is_that_class(pictures):
    network = make(bias=True)
    with propagation(network, pictures) as propagate:
        target = torch.tensor([3, 0, 3, 11])
        one = contrasts.original(propagate.outputs, target)
        maps = propagated(propagate, METHODS, lambda y, relevance: conservation.together(y, relevance, one))
        for name, method in METHODS.items():
            torch.testing.assert_close(maps[name], method(propagate, target), rtol=1e-10, atol=1e-10)


def test_random_classes_are_likely_ones_with_positive_logits():
    logits = torch.randn(3, 300, generator=torch.Generator().manual_seed(2))
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    chosen = conservation.random_classes(logits, images, seed=0)
    assert (chosen.sum(1) == conservation.RANDOM).all() and (logits[chosen.bool()] > 0).all()
    hundredth = logits.sort(descending=True).values[:, conservation.AMONG - 1 : conservation.AMONG]
    assert (logits.where(chosen.bool(), torch.inf) >= hundredth).all()
    assert not torch.equal(chosen, conservation.random_classes(logits, images, seed=1))


def test_a_class_whose_draw_is_0_is_drawn(monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda count, generator: torch.zeros(count))
    assert conservation.random_classes(
        torch.tensor([[3.0, -1.0, 2.0]]), torch.zeros(1, 3, 8, 8), seed=0
    ).tolist() == [[1, 0, 1]]


def test_random_classes_belong_to_the_image():
    logits = torch.randn(3, 300, generator=torch.Generator().manual_seed(2))
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    chosen = conservation.random_classes(logits, images, seed=0)
    alone = [conservation.random_classes(y, x, seed=0) for y, x in zip(logits.split(1), images.split(1))]
    assert torch.equal(chosen, torch.cat(alone))
    alike = conservation.random_classes(logits[:1].expand(2, -1), images[:2], seed=0)
    assert not torch.equal(*alike)


def test_both_duals_are_compared(pictures):
    network = make(bias=True)
    table = conservation.duals(network, pictures)
    maps = relevance_maps(network, pictures, lambda y: y.argmax(1), ["clrp1", "clrp1_coded"])
    one, other = (maps[name].sum(1).flatten(1) for name in ("clrp1", "clrp1_coded"))
    found = table[table["methods"] == "clrp1, clrp1_coded"]
    assert found["similarity"].tolist() == pytest.approx(
        torch.cosine_similarity(one, other).tolist(), abs=1e-10
    )
    assert found["zero"].tolist() == (one == 0).double().mean(1).tolist()


def test_the_layout_of_the_images_does_not_matter(make_network):
    """Additions in place on channels-last activations appear as other steps of the graph."""
    network, pictures = make_network(), make_network.images()
    expected = relevance_maps(network, pictures, 2)
    network, pictures = (x.to(memory_format=torch.channels_last) for x in (network, pictures))
    for name, phi in relevance_maps(network, pictures, 2).items():
        torch.testing.assert_close(phi, expected[name], rtol=1e-10, atol=1e-10)


def test_overflow_of_one_image_is_its_own(pictures, monkeypatch):
    """Images are computed together: one whose relevance overflows must not take the others' numbers."""
    expected = conservation.conservation(make(bias=True), pictures)
    propagated = conservation.contrastive_lrp

    def overflowing(model, images, *args, **options):
        if options["rules"] == "z" and (images == pictures[2]).flatten(1).all(dim=1).any():
            raise FloatingPointError
        return propagated(model, images, *args, **options)

    monkeypatch.setattr(conservation, "contrastive_lrp", overflowing)
    table = conservation.conservation(make(bias=True), pictures)
    lost = (table["image"] == 2) & (table["rules"] == "z")
    numbers = ["arrived", "input_x_gradient", "pixels_x_gradient"]
    assert table[lost][numbers].isna().all(axis=None) and lost.sum() == 2
    assert table[~lost][numbers].to_numpy() == pytest.approx(expected[~lost][numbers].to_numpy(), rel=1e-8)


def test_similarity_of_small_relevance_is_that_of_any_scale(pictures):
    """Little relevance arrives at the pixels of some networks; torch's cosine would be 0 below 1e-8."""
    model = make(bias=False)
    expected = conservation.class_similarity(model, pictures, methods=["lrp", "clrp1", "sglrp"])
    assert (expected["similarity"] != 0).any()
    with torch.no_grad():
        model[-1].weight *= 1e-14
    found = conservation.class_similarity(model, pictures, methods=["lrp", "clrp1"])
    expected = expected[expected["method"].isin(found["method"])]
    at_pairs = expected["pair"] != "1, random"  # which classes are drawn depends on their probabilities
    torch.testing.assert_close(
        torch.tensor(found["similarity"].to_numpy()[at_pairs.to_numpy()]),
        torch.tensor(expected["similarity"].to_numpy()[at_pairs.to_numpy()]),
        rtol=1e-6,
        atol=1e-6,
    )
