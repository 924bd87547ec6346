"""Parameter randomisation: the intact network, layer by layer, measures against other implementations."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from skimage.metrics import structural_similarity as reference
from torch import nn
from torchvision.models import VisionTransformer

from contrastlib.autograd import predict
from contrastlib.evaluation import randomisation
from contrastlib.evaluation.maps_of_contrasts import explanations
from contrastlib.evaluation.randomisation import (
    cascade,
    entropy,
    layers_from_the_top,
    likeness_to_networks,
    loss_of_labels,
    loss_of_labels_between_contrasts,
    randomise,
    rank_correlation,
    structural_similarity,
)


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = (
        nn.Sequential(
            nn.Conv2d(3, 6, 3),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Conv2d(6, 8, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(8 * 144, 5),
        )
        .double()
        .eval()
    )
    made.layer = "4"
    return made


@pytest.fixture
def images():
    return torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def maps(seed, shape=(3, 12, 9)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_intact_network_has_its_own_maps_and_is_not_changed(network, images):
    before = copy.deepcopy(network.state_dict())
    table = cascade(network, images, steps=4)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())
    intact = table[table["step"] == 0]
    assert np.allclose(intact[["spearman", "ssim"]], 1) and (intact["lost"] == 0).all()
    assert (
        table.groupby("step")["lost"].first().tolist() == [0, 0.25, 0.5, 0.75, 1] and len(table) == 5 * 3 * 5
    )
    assert table[table["step"] == 4]["spearman"].mean() < 0.8


def test_a_map_that_does_not_look_at_the_lost_layers_does_not_change(network, images):
    """The first layer's activations alone explain, and top layers are lost: one map up to its weights."""
    with torch.no_grad():
        network[6].weight[:] = 1.0  # permuted, it stays what it is
    table = cascade(network, images, steps=4, contrasts=["original"])
    assert np.allclose(table[table["step"] == 1][["spearman", "ssim"]], 1)


def test_layers_come_from_the_top_and_all_of_them_are_lost(network, images):
    assert layers_from_the_top(network) == ["6", "3", "1", "0"]
    one, generator = copy.deepcopy(network), torch.Generator().manual_seed(0)
    randomise(one[1], generator)
    with torch.no_grad():
        one[1].running_mean += torch.arange(6)
    changed = copy.deepcopy(one[1].running_mean)
    randomise(one[1], generator)
    assert not torch.equal(one[1].running_mean, changed) and torch.equal(
        one[1].running_mean.sort()[0], changed.sort()[0]
    )
    assert one[1].num_batches_tracked == network[1].num_batches_tracked
    table = cascade(network, images, steps=1)
    assert table.groupby("step")["lost"].first().tolist() == [0, 0.25]


def test_rank_correlation_is_that_of_scipy():
    a, b = maps(0).round(decimals=1), maps(1)
    expected = [stats.spearmanr(x.flatten(), y.flatten()).statistic for x, y in zip(a, b)]
    assert np.abs(rank_correlation(a, b) - expected).max() < 1e-10
    assert rank_correlation(torch.zeros(1, 2, 2), maps(0, (1, 2, 2))).tolist() == [0]


def test_ssim_is_that_of_scikit_image():
    a, b = maps(0), maps(1)
    a, b = (each / each.abs().amax(dim=(1, 2), keepdim=True) for each in (a, b))
    expected = [
        reference(x.numpy(), y.numpy(), data_range=2, use_sample_covariance=False) for x, y in zip(a, b)
    ]
    assert np.abs(structural_similarity(a, 5 * b).numpy() - expected).max() < 1e-10
    assert structural_similarity(torch.zeros(2, 9, 9), torch.zeros(2, 9, 9)).tolist() == [1, 1]


def test_entropy_of_even_and_single_values():
    assert entropy(torch.linspace(0, 1, 1000).view(1, 10, 100)).item() == pytest.approx(np.log(100), abs=0.01)
    a = maps(3)
    expected = [stats.entropy(np.histogram(x.numpy(), 100)[0]) for x in a]
    assert np.abs(entropy(a) - expected).max() < 1e-10 and entropy(torch.ones(1, 4, 4)).item() == 0


def test_effects_are_paired_over_images():
    rows = [
        (
            contrast,
            image,
            step,
            1.0 if step == 0 else value - 0.1 * step,
            2.0 + (contrast == "weighted") * step,
        )
        for contrast, value in (("original", 0.9), ("weighted", 0.5))
        for image in range(4)
        for step in range(3)
    ]
    table = pd.DataFrame(rows, columns=["contrast", "image", "step", "spearman", "entropy"]).assign(
        network="n", method="m"
    )
    table["group"] = table["image"]
    found = randomisation.likeness_between_contrasts(table, resamples=50).iloc[0]
    assert [found["mean"], found["low"], found["high"]] == pytest.approx([-0.4] * 3)
    assert randomisation.rise_of_entropy(table).groupby("contrast")["rise"].mean().to_dict() == {
        "original": 0,
        "weighted": 1,
    }


def test_maps_are_like_those_of_the_same_network_and_compared_at_the_class_of_the_first(network, images):
    other = copy.deepcopy(network)
    with torch.no_grad():
        other[6].weight[:] = other[6].weight.flip(0)  # the same features, and the classes in reverse order
        other[6].bias[:] = other[6].bias.flip(0)
    table = likeness_to_networks(
        network, images, compared_with={"itself": network, "reversed": other}, contrasts=["original"]
    )
    assert list(table["other"].unique()) == ["itself", "reversed"] and len(table) == 2 * len(images)
    itself = table[table["other"] == "itself"]
    assert np.allclose(itself[["spearman", "ssim"]], 1)
    target = predict(network, images).argmax(dim=1)
    own, theirs = (
        next(explanations(each, images, target, ["gradcam"], ["original"]))[1] for each in (network, other)
    )
    expected = rank_correlation(theirs, own).ravel()
    assert np.abs(table[table["other"] == "reversed"]["spearman"] - expected).max() < 1e-10
    assert expected.max() < 0.99


def test_networks_that_cannot_be_compared(network, images):
    with pytest.raises(ValueError, match="compared_with is empty"):
        likeness_to_networks(network, images, compared_with={})
    larger = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 256, 5))
    larger.layer = "1"
    with pytest.raises(ValueError, match="maps of 'larger' have 16 x 16 values .* 12 x 12"):
        likeness_to_networks(network, images, compared_with={"larger": larger.double()})
    more_classes = copy.deepcopy(network)
    more_classes[6] = nn.Linear(8 * 144, 6).double()
    with pytest.raises(ValueError, match="'of birds' has 6 classes and the network 5"):
        likeness_to_networks(network, images, compared_with={"of birds": more_classes})


def test_maps_of_different_methods_are_not_compared(network, images):
    transformer = VisionTransformer(16, 4, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8, num_classes=5)
    transformer = transformer.double().eval()
    methods = ["gradcam", "vit_gradcam"]
    with pytest.raises(ValueError, match="vit_gradcam can explain 'of patches', and gradcam the network"):
        likeness_to_networks(network, images, compared_with={"of patches": transformer}, methods=methods)
    with pytest.raises(ValueError, match="no method can explain 'of patches', and gradcam the network"):
        likeness_to_networks(network, images, compared_with={"of patches": transformer}, methods=["gradcam"])


def test_some_method_has_to_apply(network, images):
    said = r"methods = \['vit_gradcam'\]: none of them applies"
    with pytest.raises(ValueError, match=said):
        cascade(network, images, methods=["vit_gradcam"])
    with pytest.raises(ValueError, match=said):
        likeness_to_networks(network, images, compared_with={"itself": network}, methods=["vit_gradcam"])


def test_the_loss_of_labels_is_paired_by_image():
    """Shuffled labels take 0.2 of the likeness of *original* maps and 0.6 of that of *weighted* ones."""
    rows = [
        (contrast, image, other, 0.9 - 0.05 * image - (loss if other == "shuffled labels" else 0))
        for contrast, loss in (("original", 0.2), ("weighted", 0.6))
        for image in range(4)
        for other in ("another seed", "right labels", "shuffled labels")
    ]
    table = pd.DataFrame(rows, columns=["contrast", "image", "other", "spearman"]).assign(
        network="n", method="m"
    )
    table["group"] = table["image"]
    assert loss_of_labels(table).groupby("contrast")["loss"].mean().tolist() == pytest.approx([0.2, 0.6])
    found = loss_of_labels_between_contrasts(table, resamples=50).iloc[0]
    assert [found["mean"], found["low"], found["high"]] == pytest.approx([0.4] * 3)
    with pytest.raises(ValueError, match="no network stands for 'right labels' .* another seed"):
        loss_of_labels(table[table["other"] == "another seed"])
