"""Guided back-propagation and DeepLIFT against formulas by hand, on networks written in every way."""

import operator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from contrastlib import contrasts
from contrastlib.autograd import forward
from contrastlib.explainers.deeplift import deeplift
from contrastlib.explainers.gradients import gradient, input_x_gradient
from contrastlib.explainers.guided_backpropagation import guided_backpropagation

EXACT = {"rtol": 1e-10, "atol": 1e-10}
TARGET = torch.tensor([4, 0, 2])
SCHEMES = tuple(name for name, each in contrasts.CONTRASTS.items() if each.is_of_one_class)
FOILS = {"among": [1, 3]}


def weighted(y):
    return contrasts.weighted(y, TARGET[: len(y)])


def of(name):
    return lambda y: contrasts.cotangent(name, y, TARGET[: len(y)], FOILS.get(name))


def every_scheme(y):
    return torch.stack([of(name)(y) for name in SCHEMES])


class Written(nn.Module):
    """Two convolutions with a ReLU after each, written as ``activate`` has it."""

    def __init__(self, activate):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.last = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Linear(8 * 12 * 12, 6)
        self.activate = activate
        self.double()

    def forward(self, x):
        return self.last(self.activate(self.second(self.activate(self.first(x)))).flatten(1))


def set_item(x, mask):
    x[mask] = 0
    return x


# the same function of values below 6, written in as many ways
RELUS = {
    "module": nn.ReLU(),
    "module in place": nn.ReLU(inplace=True),
    "function": F.relu,
    "function in place": lambda x: F.relu(x, inplace=True),
    "torch": torch.relu,
    "torch in place": torch.relu_,
    "method": lambda x: x.relu(),
    "method in place": lambda x: x.relu_(),
    "clamp": lambda x: x.clamp(min=0),
    "clamp by position": lambda x: torch.clamp(x, 0.0),
    "clamp_min in place": lambda x: x.clamp_min_(0),
    "ReLU6": nn.ReLU6(),
    "ReLU6 in place": nn.ReLU6(inplace=True),
    "relu6": F.relu6,
    "hardtanh": lambda x: F.hardtanh(x, 0, 6),
    "clip": lambda x: x.clip(min=0),
    "clip in place": lambda x: x.clip_(0),
    "clamp with a tensor": lambda x: x.clamp(min=torch.tensor(0.0)),
    "clamp with tensors": lambda x: torch.clamp(
        x, torch.zeros(8, 1, 1).to(x), torch.full((8, 1, 1), 6.0).to(x)
    ),
    "clamp with a number of numpy": lambda x: x.clamp(np.float32(0), 6),
    "clamp_min with a tensor": lambda x: x.clamp_min(torch.zeros_like(x)),
    "maximum": lambda x: torch.maximum(x, torch.zeros((), dtype=x.dtype)),
    "maximum of zeros": lambda x: torch.maximum(torch.zeros_like(x), x),
    "max": lambda x: torch.max(x, torch.zeros_like(x)),
    "fmax": lambda x: x.fmax(torch.zeros_like(x)),
    "threshold": nn.Threshold(0.0, 0.0),
    "threshold in place": lambda x: F.threshold(x, 0, 0, inplace=True),
    "leaky without a leak": nn.LeakyReLU(0.0),
    "product": lambda x: x * (x > 0),
    "product of a mask": lambda x: (x > 0) * x,
    "product of numbers": lambda x: (x > 0).to(x) * x,
    "product in place": lambda x: x.mul_(x > 0),
    "operator in place": lambda x: operator.imul(x, x > 0),
    "torch.mul": lambda x: torch.mul(x, other=x >= 0),
    "where": lambda x: torch.where(x > 0, x, 0),
    "where of zeros": lambda x: torch.where(x <= 0, torch.zeros_like(x), x),
    "where as a method": lambda x: x.where(x > 0, torch.zeros((), dtype=x.dtype)),
    "masked_fill": lambda x: x.masked_fill(x < 0, 0),
    "masked_fill in place": lambda x: x.masked_fill_(x < 0, 0.0),
    "item": lambda x: set_item(x, x < 0),
    "FloatFunctional": lambda x: torch.ao.nn.quantized.FloatFunctional().add_relu(x / 2, x / 2),
}


@pytest.fixture(params=RELUS)
def written(request):
    return Written(RELUS[request.param])


@pytest.fixture
def small(images):
    return images[..., :16, :16]


def guided_by_hand(network, images, cotangent):
    """The backward pass of Written, one step after the other."""
    z1 = network.first(images)
    z2 = network.second(z1.relu())
    g = (cotangent @ network.last.weight).view_as(z2)
    g = g.clamp(min=0) * (z2 > 0)
    g = F.conv_transpose2d(g, network.second.weight)
    g = g.clamp(min=0) * (z1 > 0)
    return F.conv_transpose2d(g, network.first.weight).detach()


# --- guided back-propagation ---------------------------------------------------------------------------


def test_guided_backpropagation_by_hand_however_a_relu_is_written(written, small):
    maps = guided_backpropagation(written, small, weighted)
    expected = guided_by_hand(Written(torch.relu), small, weighted(written(small).detach()))
    torch.testing.assert_close(maps, expected, **EXACT)
    assert not torch.allclose(maps, gradient(forward(written, small), weighted(written(small).detach())))


def indices_of_a_mask(x):
    (rows,) = torch.where(x.flatten(1).sum(dim=1) > -torch.inf)
    return x[rows].relu()


def second_of_three(x):
    return torch.arange(len(x)) % 3 == 1


@pytest.mark.parametrize(
    "activate, plain",
    [
        (indices_of_a_mask, torch.relu),
        (
            lambda x: set_item(x, second_of_three(x)).relu(),
            lambda x: x.masked_fill(second_of_three(x)[:, None, None, None], 0).relu(),
        ),
    ],
    ids=["indices", "rows"],
)
def test_masks_of_rows_are_no_relus(activate, plain, small):
    for explainer in (guided_backpropagation, deeplift):
        maps = explainer(Written(activate), small, weighted)
        torch.testing.assert_close(maps, explainer(Written(plain), small, weighted), **EXACT)


def test_many_cotangents_of_guided_backpropagation_are_one_by_one(network, images):
    """Also where they are linearly dependent, which the gradients of other explainers make use of."""
    maps = guided_backpropagation(network, images, lambda y: torch.cat([every_scheme(y), -every_scheme(y)]))
    for name, one, negative in zip(SCHEMES, maps, maps[len(SCHEMES) :]):
        assert torch.equal(guided_backpropagation(network, images, of(name)), one)
        assert torch.equal(
            guided_backpropagation(network, images, lambda y, name=name: -of(name)(y)), negative
        )


def test_guided_backpropagation_is_not_linear(network, images):
    weights = weighted(network(images).detach())
    per_class = guided_backpropagation(
        network, images, lambda y: torch.eye(6).to(y)[:, None].expand(-1, 3, -1)
    )
    contrast_of_maps = torch.einsum("bc,cb...->b...", weights, per_class)
    map_of_contrast = guided_backpropagation(network, images, weighted)
    cosine = torch.cosine_similarity(contrast_of_maps.flatten(1), map_of_contrast.flatten(1))
    assert cosine.max() < 0.9
    assert not torch.allclose(
        guided_backpropagation(network, images, lambda y: -weighted(y)), -map_of_contrast
    )
    doubled = guided_backpropagation(network, images, lambda y: 2 * weighted(y))
    torch.testing.assert_close(doubled, 2 * map_of_contrast, **EXACT)  # of degree 1 all the same


def test_the_gradient_is_back_after_guided_backpropagation(network, images):
    before = gradient(forward(network, images), weighted(network(images).detach()))
    guided_backpropagation(network, images, weighted)
    assert torch.equal(gradient(forward(network, images), weighted(network(images).detach())), before)


def test_guided_backpropagation_needs_a_relu(small):
    with pytest.raises(ValueError, match="no ReLU ran in Written.*use gradient"):
        guided_backpropagation(Written(torch.tanh), small, weighted)
    with pytest.raises(ValueError, match="no ReLU"):
        guided_backpropagation(Written(F.hardtanh), small, weighted)  # from -1 to 1


@pytest.mark.parametrize(
    "function",
    [
        nn.LeakyReLU(0.1),
        nn.PReLU(dtype=torch.float64),
        nn.ELU(),
        nn.Softplus(),
        lambda x: x * (x > 1),
        lambda x: x * torch.ones_like(x),
        lambda x: torch.where(x > 0, x, 1),
        nn.Threshold(0.5, 0.0),
        lambda x: torch.maximum(x, x / 2),
        lambda x: x.masked_fill(x < -1, 0),
        lambda x: x.clamp(min=-0.1),
    ],
)
def test_what_is_no_relu_passes_its_gradient(function, small):
    network = nn.Sequential(
        Written(nn.Identity()).first, nn.ReLU(), Call(function), nn.Flatten(), nn.Linear(8 * 14 * 14, 6)
    ).double()
    z = network[0](small)
    after = z.relu().detach().requires_grad_()
    logits = network[4](function(after).flatten(1))
    g = torch.autograd.grad(logits, after, weighted(logits.detach()))[0].clamp(min=0) * (z > 0)
    expected = F.conv_transpose2d(g, network[0].weight)
    torch.testing.assert_close(guided_backpropagation(network, small, weighted), expected, **EXACT)


class Call(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class ReluFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def test_a_relu_that_the_network_defines_itself_is_refused_by_name(small):
    with pytest.raises(
        ValueError, match="an operation of Written .ReluFunction. may be a ReLU.*write it as torch.relu"
    ):
        guided_backpropagation(Written(ReluFunction.apply), small, weighted)


@pytest.mark.filterwarnings("ignore:.*torch.jit.* is deprecated")
def test_guided_backpropagation_of_torchscript(small):
    """Its functions are hidden, and its graph is not."""
    for function in (torch.relu, lambda x: x.clamp(min=0)):
        traced = torch.jit.trace(Written(function), small)
        expected = guided_backpropagation(Written(torch.relu), small, weighted)
        torch.testing.assert_close(guided_backpropagation(traced, small, weighted), expected, **EXACT)
    for function, kind in ((lambda x: torch.where(x > 0, x, 0), "Where"), (lambda x: x * (x > 0), "Mul")):
        with pytest.raises(ValueError, match=f"({kind}).*may be a ReLU.*write it as torch.relu"):
            guided_backpropagation(torch.jit.trace(Written(function), small), small, weighted)


# --- DeepLIFT ------------------------------------------------------------------------------------------


def deeplift_by_hand(network, images, start, cotangent, function=torch.relu):
    """The multipliers of Written, one step after the other."""
    z1, z1_there = network.first(images), network.first(start)
    z2, z2_there = network.second(function(z1)), network.second(function(z1_there))
    m = (cotangent @ network.last.weight).view_as(z2)
    m = m * (function(z2) - function(z2_there)) / (z2 - z2_there)
    m = F.conv_transpose2d(m, network.second.weight)
    m = m * (function(z1) - function(z1_there)) / (z1 - z1_there)
    return ((images - start) * F.conv_transpose2d(m, network.first.weight)).detach()


def test_deeplift_by_hand_however_a_relu_is_written(written, small):
    start = 0.5 * small.flip(3)
    expected = deeplift_by_hand(Written(torch.relu), small, start, weighted(written(small).detach()))
    torch.testing.assert_close(deeplift(written, small, weighted, start), expected, **EXACT)


@pytest.mark.parametrize(
    "function", [torch.tanh, F.silu, F.gelu, F.hardswish, F.softplus, nn.ELU(), nn.LeakyReLU(0.1)]
)
def test_deeplift_by_hand_of_other_activations(function, small):
    network = Written(function)
    expected = deeplift_by_hand(network, small, 0 * small, weighted(network(small).detach()), function)
    torch.testing.assert_close(deeplift(network, small, weighted), expected, **EXACT)


def assert_complete(network, images, baseline=None):
    maps = deeplift(network, images, every_scheme, baseline)
    start = torch.zeros_like(images) if baseline is None else torch.full_like(images, baseline)
    change = network(images).detach() - network(start).detach()
    expected = (every_scheme(network(images).detach()) * change).sum(dim=-1)
    assert change.abs().max() > 1e-8
    torch.testing.assert_close(maps.sum(dim=(-3, -2, -1)), expected, **EXACT)
    torch.testing.assert_close(maps[3], deeplift(network, images, weighted, baseline), **EXACT)


@pytest.mark.parametrize("baseline", [None, 0.5])
def test_deeplift_is_complete_for_every_contrast(network, images, baseline):
    assert_complete(network, images, baseline)


@pytest.mark.slow
def test_deeplift_is_complete_in_torchvision_networks(torchvision_network, images):
    """With overlapping windows (SqueezeNet) and modules that run twice (ResNet)."""
    assert_complete(torchvision_network, F.interpolate(images[:2], 64, mode="bilinear"))


def test_deeplift_is_linear(network, images):
    logits = network(images).detach()
    per_class = deeplift(network, images, lambda y: torch.eye(6).to(y)[:, None].expand(-1, 3, -1))
    expected = torch.einsum("kbc,cb...->kb...", every_scheme(logits), per_class)
    torch.testing.assert_close(deeplift(network, images, every_scheme), expected, **EXACT)


@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(2),
        nn.MaxPool2d(3, 2, 1, ceil_mode=True),
        nn.AdaptiveMaxPool2d(3),
        lambda x: torch.max_pool2d(x, 3, 1),
    ],
)
def test_maximum_pooling_passes_all_to_the_larger_side(pool):
    """Windows of random numbers, where each one's place of the maximum is known."""
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    start = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    class Pooled(nn.Module):
        def forward(self, x):
            return pool(x).flatten(1)

    for k in range(Pooled()(images).shape[1]):
        maps = deeplift(
            Pooled(), images, lambda y, k=k: F.one_hot(torch.tensor(k), y.shape[1]).expand_as(y).to(y), start
        )
        for one, image, there in zip(maps, images, start):
            high, low = Pooled()(image[None])[0, k], Pooled()(there[None])[0, k]
            expected = torch.zeros_like(image)
            expected[image == high if high > low else there == low] = high - low
            torch.testing.assert_close(one, expected, **EXACT)


def test_deeplift_of_a_homogeneous_network_is_input_x_gradient(small):
    network = Written(nn.ReLU())
    for layer in (network.first, network.second, network.last):
        nn.init.zeros_(layer.bias)
    weights = weighted(network(small).detach())
    expected = input_x_gradient(forward(network, small), weights)
    torch.testing.assert_close(deeplift(network, small, weighted), expected, **EXACT)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_deeplift_in_16_bits(dtype, images):
    """Inputs that do not differ from those of the baseline have the slope, not 0 / 0."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 6))
    small = images[..., :8, :8].float().where(images[..., :8, :8] > 0.5, 0)
    small[:, :, :5] = 0
    expected = deeplift(network, small, weighted)
    maps = deeplift(network.to(dtype), small.to(dtype), weighted)
    torch.testing.assert_close(maps.float(), expected, rtol=0.05, atol=0.05 * expected.abs().max().item())


def test_deeplift_from_the_image_itself_is_nothing(network, images):
    assert not deeplift(network, images, weighted, images).any()


class Gated(Written):
    """Activations that are multiplied with each other, as in squeeze-and-excitation."""

    def forward(self, x):
        z = self.second(self.first(x).relu())
        return self.last((z * z.sigmoid().mean(dim=(2, 3), keepdim=True)).flatten(1))


@pytest.mark.parametrize(
    "make",
    [
        Gated,
        lambda a: nn.Sequential(
            Written(a).first, nn.LayerNorm(14), nn.Flatten(), nn.Linear(8 * 14 * 14, 6)
        ).double(),
    ],
)
def test_deeplift_refuses_what_is_not_complete(make, small):
    network = make(torch.relu)
    with pytest.raises(ValueError, match="not complete.*use integrated_gradients"):
        deeplift(network, small, weighted)


# --- both ----------------------------------------------------------------------------------------------

METHODS = pytest.mark.parametrize("method", [guided_backpropagation, deeplift])


@METHODS
def test_mobilenet(method, images):
    torch.manual_seed(0)
    network = torchvision.models.mobilenet_v2(num_classes=6).eval()
    maps = method(network, F.interpolate(images[:2].float(), 64), weighted)
    assert maps.shape == (2, 3, 64, 64) and maps.isfinite().all()


@METHODS
def test_shapes_of_many_contrasts(network, images, method):
    assert method(network, images, weighted).shape == images.shape
    assert method(network, images, every_scheme).shape == (len(SCHEMES), *images.shape)


@METHODS
def test_images_do_not_touch_each_other(network, images, method):
    alone = [
        method(network, one[None], lambda y, t=t: contrasts.weighted(y, t)) for one, t in zip(images, TARGET)
    ]
    torch.testing.assert_close(method(network, images, weighted), torch.cat(alone), **EXACT)


@METHODS
def test_left_as_found(network, images, method):
    network.train()
    network[0].eval()
    next(network.parameters()).requires_grad_(False)
    found = [(m.training, len(m._forward_hooks), set(vars(m))) for m in network.modules()]
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    learnable, pixels = [p.requires_grad for p in network.parameters()], images.clone()
    method(network, images, weighted)
    with pytest.raises(RuntimeError, match="its own"):
        method(network, images, failing)
    assert [(m.training, len(m._forward_hooks), set(vars(m))) for m in network.modules()] == found
    assert [p.requires_grad for p in network.parameters()] == learnable
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    assert torch.equal(images, pixels) and not images.requires_grad
    assert all(p.grad is None for p in network.parameters())


@METHODS
def test_autocast_changes_nothing(method, small):
    network, small = Written(torch.relu).float(), small.float()
    expected = method(network, small, weighted)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(method(network, small, weighted), expected)


@METHODS
def test_weights_that_are_computed(method, small):
    network = Written(torch.relu)
    expected = method(network, small, weighted)
    nn.utils.parametrizations.weight_norm(network.first)
    nn.utils.parametrizations.weight_norm(network.last)
    torch.testing.assert_close(method(network, small, weighted), expected, **EXACT)


def failing(y):
    raise RuntimeError("its own")


@METHODS
def test_bad_input(network, images, method):
    with pytest.raises(ValueError, match="images must have shape"):
        method(network, images[0], weighted)
    with pytest.raises(ValueError, match="cotangent must be"):
        method(network, images, lambda y: y[:, 0])
    with pytest.raises(TypeError, match="a cotangent must be a tensor, got float"):
        method(network, images, lambda y: 1.0)


def test_deeplift_of_a_function_with_a_gradient_of_its_own(small):
    """The function runs; whether its gradient is a multiplier is judged by the sum of the map."""

    class Clipped(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            return z.clamp(min=0)

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    with pytest.raises(ValueError, match="DeepLIFT's maps of Written are not complete"):
        deeplift(Written(Clipped.apply), small, weighted)
