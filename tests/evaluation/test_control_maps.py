"""Control maps: what each is made of, that batches do not matter, and that nothing scores like chance."""

import numpy as np
import pytest
import torch
from skimage.filters import sobel
from torch import nn

from contrastlib import explain
from contrastlib.evaluation import control_maps
from contrastlib.evaluation.control_maps import CONTROLS, OURS, Material, other_classes, with_controls

CLASSES = 5


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 49, CLASSES)
    ).double()
    made.layer = "1"
    return made


@pytest.fixture
def images():
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def found(network, images, target, **options):
    logits = network(images).detach()
    return {
        row: phi
        for rows, phi in with_controls(network, images, logits, target, ["gradcam"], **options)
        for row in rows
    }


def test_every_map_has_every_control_and_shared_ones_are_shared(network, images):
    target = torch.tensor([0, 1, 2, 3])
    maps = found(network, images, target, contrasts=["original", "weighted"])
    assert set(maps) == {("gradcam", c, k) for c in ("original", "weighted") for k in (OURS, *CONTROLS)}
    assert all(phi.shape == (4, 16, 16) and phi.isfinite().all() for phi in maps.values())
    for name in ("noise", "centre", "edges"):
        assert maps["gradcam", "original", name] is maps["gradcam", "weighted", name]
    for contrast in ("original", "weighted"):
        ours = explain(network, images, target, "gradcam", contrast)
        assert torch.allclose(maps["gradcam", contrast, OURS], ours, atol=1e-12)
        assert torch.allclose(maps["gradcam", contrast, "other_picture"], ours[[1, 2, 3, 0]], atol=1e-12)
        other = other_classes(images, target, CLASSES)
        assert torch.allclose(
            maps["gradcam", contrast, "random_class"],
            explain(network, images, other, "gradcam", contrast),
            atol=1e-12,
        )


def test_the_random_class_is_another_one_and_any_of_them():
    images, target = torch.rand(400, 1, 2, 2), torch.arange(400) % CLASSES
    steps = (other_classes(images, target, CLASSES) - target) % CLASSES
    assert (
        steps.bincount(minlength=CLASSES).tolist()[0] == 0
        and (steps.bincount(minlength=CLASSES)[1:] > 60).all()
    )
    assert not torch.equal(
        other_classes(images, target, CLASSES), other_classes(images, target, CLASSES, seed=7)
    )


def test_noise_and_random_class_do_not_depend_on_the_batch(network, images):
    target = torch.tensor([0, 1, 2, 3])
    whole, half = found(network, images, target), found(network, images[2:], target[2:])
    for name in ("noise", "random_class", "edges", "centre"):
        row = "gradcam", "original", name
        assert torch.allclose(whole[row][2:], half[row], atol=1e-12)
    assert not torch.allclose(
        whole[row[:2] + ("noise",)], found(network, images, target, seed=1)[row[:2] + ("noise",)]
    )


def test_noise_has_the_resolution_of_the_map():
    maps = torch.zeros(2, 300, 7, 5)
    noise = control_maps.noise(Material(torch.rand(300, 1, 2, 2), maps, maps))
    assert (
        noise.shape == (300, 7, 5) and abs(noise.mean()) < 0.05 and noise.std() == pytest.approx(1, abs=0.05)
    )


def test_edges_are_those_of_scikit_image(images):
    grey = images.mean(dim=1).numpy()
    ours = control_maps.edges(Material(images, images[None, :, 0], images[None, :, 0])).numpy()
    for mine, picture in zip(ours, grey):
        assert np.abs(mine - sobel(picture))[1:-1, 1:-1].max() < 1e-10


def test_the_blob_is_highest_at_the_centre_and_symmetric():
    blob = control_maps.centre(
        Material(torch.zeros(2, 3, 9, 5), torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3))
    )
    assert blob.shape == (2, 9, 5) and blob[0].argmax() == 22 and torch.allclose(blob, blob.flip(1).flip(2))
    assert blob[0, 0, 2].item() == pytest.approx(np.exp(-2))


@pytest.mark.parametrize(
    ("count", "options", "words"),
    [
        (2, {"controls": ["nose"]}, "unknown control 'nose'; choose one of noise"),
        (1, {}, "two images or more"),
        (2, {"contrasts": ["meen"]}, "mean"),
    ],
)
def test_what_is_wrong_is_said(network, images, count, options, words):
    with pytest.raises(ValueError, match=words):
        found(network, images[:count], torch.tensor([0, 1])[:count], **options)


def test_every_record_asks_a_question():
    assert (
        all(each.question.endswith("?") and name == each.name for name, each in CONTROLS.items())
        and OURS not in CONTROLS
    )
