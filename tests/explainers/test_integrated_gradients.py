"""Integrated gradients in both readings: fixed contrasts are linear, those along the path are complete."""

import pytest
import torch
from torch import nn

from contrastlib import contrasts
from contrastlib.autograd import forward
from contrastlib.explainers._arguments import as_baseline
from contrastlib.explainers.gradients import input_x_gradient
from contrastlib.explainers.integrated_gradients import integrated_gradients

EXACT = {"rtol": 1e-10, "atol": 1e-10}
TARGET = torch.tensor([4, 0, 2])
SCHEMES = tuple(name for name, each in contrasts.CONTRASTS.items() if each.is_of_one_class)
FOILS = {"among": [1, 3]}
READINGS = pytest.mark.parametrize("contrast_at", ["image", "path"])


def of(name):
    return lambda y: contrasts.cotangent(name, y, TARGET[: len(y)], FOILS.get(name))


def every_scheme(y):
    return torch.stack([of(name)(y) for name in SCHEMES])


def smooth():
    """A network whose path integrals midpoints find to many digits, with logits that are far apart."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8 * 36, 6)).double()
    with torch.no_grad():
        network[3].weight *= 8
    return network


@pytest.fixture
def few(images):
    return images[..., :8, :8]


def test_by_hand(network, images):
    """Every point of the path alone, for one image after the other."""
    steps, start = 3, torch.full_like(images, 0.2)
    maps = integrated_gradients(network.eval(), images, every_scheme, 0.2, steps, "path")
    for index, (image, there, target) in enumerate(zip(images, start, TARGET)):
        for name, found in zip(SCHEMES, maps[:, index]):
            total = torch.zeros_like(image)
            for k in range(steps):
                record = forward(network, (there + (k + 0.5) / steps * (image - there))[None])
                weights = contrasts.cotangent(name, record.logits, target, FOILS.get(name))
                total += record.pull_back(weights)["input"][0] / steps
            torch.testing.assert_close(found, (image - there) * total, **EXACT)


def test_a_fixed_contrast_is_the_contrast_of_the_maps_of_all_classes(network, images):
    units = torch.eye(6, dtype=torch.float64)[:, None].expand(-1, 3, -1)
    per_class = integrated_gradients(network, images, lambda y: units, steps=5)
    for name in SCHEMES:
        weights = of(name)(network(images).detach())
        expected = torch.einsum("bc,cb...->b...", weights, per_class)
        torch.testing.assert_close(
            integrated_gradients(network, images, of(name), steps=5), expected, **EXACT
        )


SCORES = {
    "original": lambda y: y[range(3), TARGET],
    "mean": lambda y: (of("mean")(y) * y).sum(dim=1),
    "weighted": lambda y: contrasts.log_odds(y, TARGET),
    "probability": lambda y: y.softmax(dim=1)[range(3), TARGET],
}


@pytest.mark.parametrize("name", SCORES)
def test_along_the_path_maps_sum_to_the_difference_of_the_score(few, name):
    network = smooth()
    here, there = (SCORES[name](network(x).detach()) for x in (few, 0 * few))
    gaps = [
        (
            integrated_gradients(network, few, of(name), steps=steps, contrast_at="path").sum(dim=(1, 2, 3))
            - (here - there)
        )
        .abs()
        .max()
        for steps in (64, 512)
    ]
    assert (here - there).abs().min() > 1e-4
    assert gaps[0] / 32 > gaps[1] and gaps[1] < 1e-4 * (here - there).abs().max()  # of second order


@pytest.mark.parametrize("name", SCHEMES)
def test_at_the_image_maps_sum_to_the_contrast_of_the_logits_differences(few, name):
    network = smooth()
    here, there = (network(x).detach() for x in (few, 0 * few))
    expected = (of(name)(here) * (here - there)).sum(dim=1)
    maps = integrated_gradients(network, few, of(name), steps=512)
    assert (maps.sum(dim=(1, 2, 3)) - expected).abs().max() < 1e-4 * expected.abs().max()


def test_the_readings_differ_where_the_contrast_depends_on_the_logits(few):
    """At the image p_t and the log-odds have one map up to a factor; along the path they do not."""
    network = smooth()
    with torch.no_grad():
        network[3].weight *= 5
    at_image, along = (
        integrated_gradients(network, few, every_scheme, steps=32, contrast_at=where)
        for where in ("image", "path")
    )
    torch.testing.assert_close(along[:2], at_image[:2], **EXACT)  # original and mean
    assert not torch.allclose(along[3], at_image[3], rtol=1e-2)
    cosines = [torch.cosine_similarity(m[3].flatten(1), m[4].flatten(1)) for m in (at_image, along)]
    torch.testing.assert_close(cosines[0], torch.ones(3, dtype=torch.float64), **EXACT)
    assert cosines[1].min() < 0.995


@READINGS
def test_a_homogeneous_network_has_the_map_of_input_x_gradient(few, contrast_at):
    """Where logits scale with the image, the gradient is constant along the path; not so with biases."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 9, 6, bias=False),
    ).double()
    record = forward(network, few)
    maps = integrated_gradients(network, few, of("mean"), steps=3, contrast_at=contrast_at)
    torch.testing.assert_close(maps, input_x_gradient(record, of("mean")(record.logits)), **EXACT)


def test_a_network_with_biases_has_another_map(network, images):
    record = forward(network, images)
    weights = of("weighted")(record.logits)
    maps = integrated_gradients(network, images, of("weighted"), steps=16)
    cosine = torch.cosine_similarity(maps.flatten(1), input_x_gradient(record, weights).flatten(1))
    assert cosine.max() < 0.98


@READINGS
@pytest.mark.parametrize("batch", [1, 4, 6, 7, 1000])
def test_the_batch_sets_the_memory_only(network, images, contrast_at, batch):
    sizes = []
    network.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    maps = integrated_gradients(network, images, every_scheme, steps=7, contrast_at=contrast_at, batch=batch)
    assert max(sizes) == min(max(batch // 3, 1), 7) * 3
    assert sum(sizes) == 7 * 3 + (3 if contrast_at == "image" else 0)
    expected = integrated_gradients(network, images, every_scheme, steps=7, contrast_at=contrast_at, batch=3)
    torch.testing.assert_close(maps, expected, **EXACT)


@READINGS
def test_a_target_for_each_image_stays_with_its_image(network, images, contrast_at):
    alone = [
        integrated_gradients(
            network, one[None], lambda y, t=t: contrasts.weighted(y, t), None, 5, contrast_at
        )
        for one, t in zip(images, TARGET)
    ]
    maps = integrated_gradients(network, images, of("weighted"), None, 5, contrast_at)
    torch.testing.assert_close(maps, torch.cat(alone), **EXACT)


@READINGS
def test_many_contrasts_are_one_by_one(network, images, contrast_at):
    maps = integrated_gradients(network, images, every_scheme, None, 5, contrast_at)
    assert maps.shape == (len(SCHEMES), *images.shape)
    for name, one in zip(SCHEMES, maps):
        torch.testing.assert_close(
            one, integrated_gradients(network, images, of(name), None, 5, contrast_at), **EXACT
        )


def test_baselines(images):
    ones = torch.ones_like(images)
    assert not as_baseline(None, images).any()
    assert torch.equal(as_baseline(0.25, images), 0.25 * ones)
    colour = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    for given in (colour, colour.tolist(), colour.view(1, 3, 1, 1), colour.view(3, 1, 1)):
        assert torch.equal(as_baseline(given, images), ones * colour.view(3, 1, 1))
    assert torch.equal(as_baseline(images[0], images), images[:1].expand(3, -1, -1, -1))
    square = images[..., :3]
    assert torch.equal(as_baseline(colour, square)[0, :, 0, 0], colour)  # never one value for each column


def test_the_path_starts_at_the_baseline(few):
    assert not integrated_gradients(smooth(), few, of("weighted"), baseline=few, steps=3).any()
    one, other = (
        integrated_gradients(smooth(), few, of("weighted"), baseline=b, steps=3) for b in (0.0, [0, 0, 0.9])
    )
    assert not torch.allclose(one, other)


@pytest.mark.parametrize(
    "baseline, error, message",
    [
        (
            torch.zeros(2, 3, 32, 32),
            ValueError,
            r"shape \(2, 3, 32, 32\) does not broadcast to images of shape \(3, 3",
        ),
        (torch.zeros(1, 3, 3, 32, 32), ValueError, "does not broadcast"),
        ([0.1, 0.2], ValueError, "colour of 2 values, and the images have 3 channels"),
        (float("nan"), ValueError, "baseline holds NaN"),
        ([0.0, float("inf"), 0.0], ValueError, "baseline holds NaN or infinite"),
        ("black", TypeError, "a baseline is a number, a colour or a tensor, got 'black'"),
    ],
)
def test_baselines_that_do_not_fit(network, images, baseline, error, message):
    with pytest.raises(error, match=message):
        integrated_gradients(network, images, of("weighted"), baseline)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"steps": 0}, "steps is 0: it must be at least 1"),
        ({"batch": 0}, "batch is 0: it must be at least 1"),
        ({"contrast_at": "end"}, "unknown contrast_at 'end'; choose one of image, path"),
    ],
)
def test_options_that_do_not_fit(network, images, options, message):
    with pytest.raises(ValueError, match=message):
        integrated_gradients(network, images, of("weighted"), **options)


@pytest.mark.parametrize("steps", [None, 2.5, True, "8", torch.zeros(2)])
def test_steps_that_are_no_whole_number(network, images, steps):
    with pytest.raises(TypeError, match="steps must be a whole number, got"):
        integrated_gradients(network, images, of("weighted"), steps=steps)


@READINGS
def test_contrasts_that_do_not_fit(network, images, contrast_at):
    with pytest.raises(ValueError, match="cotangent must be"):
        integrated_gradients(network, images, lambda y: y[:, 0], contrast_at=contrast_at)
    with pytest.raises(IndexError, match="target 6 is not a class"):
        integrated_gradients(network, images, lambda y: contrasts.weighted(y, 6), contrast_at=contrast_at)


@READINGS
def test_left_as_found(network, images, contrast_at):
    network.train()
    network[0].eval()
    modes = [module.training for module in network.modules()]
    pixels = images.clone()
    integrated_gradients(network, images, of("weighted"), steps=2, contrast_at=contrast_at)
    assert [module.training for module in network.modules()] == modes
    assert all(p.requires_grad and p.grad is None for p in network.parameters())
    assert torch.equal(images, pixels) and not images.requires_grad


@pytest.mark.parametrize("dtype, steps", [(torch.bfloat16, 512), (torch.float16, 4096)])
def test_many_steps_in_16_bits(dtype, steps):
    """Without biases the map is that of input x gradient, however many equal terms the sum has."""
    torch.manual_seed(0)
    network, images = (
        nn.Sequential(nn.Flatten(), nn.Linear(12, 3, bias=False)).to(dtype),
        torch.rand(1, 3, 2, 2).to(dtype),
    )
    maps = integrated_gradients(network, images, lambda y: contrasts.original(y, 1), steps=steps, batch=1)
    expected = images * network[1].weight[1].detach().view_as(images)
    assert maps.dtype == dtype
    torch.testing.assert_close(maps, expected, rtol=torch.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("size, bad", [([1e38, 1.0], "0"), ([1.0, 1e38], "1"), ([1e38, 1e38], "0, 1")])
def test_maps_that_overflow_are_told_with_their_images(size, bad):
    """Logits are finite, and the map is not; float64, the remedy, has room for it."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(3, 4, bias=False))
    nn.init.constant_(network[1].weight, 1.0)
    with torch.no_grad():
        network[1].weight[:, 1:] *= -0.5  # the logits of a grey image are 0
    images = torch.tensor(size).view(2, 1, 1, 1).expand(2, 3, 1, 1)
    with pytest.raises(
        FloatingPointError,
        match=f"integrated gradients of image {bad} overflow torch.float32: scale the images",
    ):
        integrated_gradients(network, images, lambda y: contrasts.original(y, 0))
    maps = integrated_gradients(network.double(), images.double(), lambda y: contrasts.original(y, 0))
    assert torch.allclose(maps, images.double() * network[1].weight[0].view(3, 1, 1))
