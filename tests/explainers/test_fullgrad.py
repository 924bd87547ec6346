"""FullGrad adds up to the contrast's score, on every piecewise linear network, and refuses the others."""

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional

from contrastlib import contrasts, datasets, models
from contrastlib.explainers.fullgrad import POSTPROCESS, combine, fullgrad, terms
from contrastlib.models.classifier import Classifier

EXACT = {"rtol": 1e-10, "atol": 1e-10}
SCHEMES = tuple(name for name, each in contrasts.CONTRASTS.items() if each.is_of_one_class)
FOILS = {"among": [2, 4]}
CLASSES = 6


def of(name):
    return lambda logits: contrasts.cotangent(name, logits, 1, FOILS.get(name))


def all_schemes(logits):
    return torch.stack([of(name)(logits) for name in SCHEMES])


def small():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(36, CLASSES)
    )


def weighted(logits):
    return contrasts.weighted(logits, 1)


def lived_in(network):
    """Random batch norms and biases, so that no term is zero."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5)
        if getattr(module, "bias", None) is not None:
            nn.init.normal_(module.bias, std=0.3)
    return network.double().eval()


def assert_complete(network, images):
    """Map and constants add up to <w, y> within 1e-10 of <w, y> itself, for each contrast and image."""
    explained = fullgrad(network, images, all_schemes)
    with torch.no_grad():
        logits = network(images)
    score = (all_schemes(logits) * logits).sum(dim=-1)
    assert explained.map.shape == (len(SCHEMES), len(images), *images.shape[-2:])
    total = explained.map.sum(dim=(-2, -1)) + explained.constants
    torch.testing.assert_close(total, score, rtol=1e-10, atol=0)
    for name, each in zip(SCHEMES, score):  # zero would show nothing; p_t (1 - p_t) may be of any size
        assert each.abs().min() > (0 if name == "probability" else 1e-4)


def test_small_networks_are_complete(network, images):
    assert_complete(lived_in(network), images)


@pytest.mark.slow
@pytest.mark.parametrize("name", [
    "alexnet", "vgg11", "vgg11_bn", "resnet18", "squeezenet1_1", "mobilenet_v2", "googlenet", "densenet121",
])  # fmt: skip
def test_torchvision_networks_are_complete(name, images):
    options = {"init_weights": False} if name in ("vgg11", "vgg11_bn", "googlenet") else {}
    network = torchvision.models.get_model(name, weights=None, num_classes=CLASSES, **options)
    if name.startswith("vgg"):  # the first of its linear layers alone has a hundred million weights
        network.avgpool = nn.AdaptiveAvgPool2d(1)
        network.classifier = nn.Sequential(nn.Linear(512, 16), nn.ReLU(True), nn.Linear(16, CLASSES))
    images = functional.interpolate(images[:2], 64, mode="bilinear")
    assert_complete(lived_in(network), images)


class Functional(nn.Module):
    """Functions outside of its modules, before the first one and after the last one."""

    def __init__(self, before, after=torch.clone):
        super().__init__()
        self.body, self.before, self.after = small(), before, after

    def forward(self, images):
        return self.after(self.body(self.before(images)))


def mixed(images):
    return 1 - 2 * images.flip(1)


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("transform", [lambda x: x + 0.1, mixed, lambda x: 3 * x, lambda x: x.sub_(0.5)])
def test_an_affine_function_in_front_of_the_first_layer(transform, normalised, images):
    """Its constant is the input's: terms of a function of each channel are those of the network after it."""
    network = lived_in(Functional(transform))
    if normalised:
        network = nn.Sequential(torchvision.transforms.Normalize(0.4, 0.2), network)
    assert_complete(network, images)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    if transform is not mixed:
        body = (network[1] if normalised else network).body
        after = network[0](images) if normalised else images
        after = terms(body, transform(after.clone()), all_schemes)
        for ours, expected in zip(terms(network, images, all_schemes).values(), after.values(), strict=True):
            torch.testing.assert_close(ours, expected, **EXACT)


def test_transform_input_of_torchvision(images):
    options = {"transform_input": True, "aux_logits": False, "init_weights": False}
    network = lived_in(torchvision.models.googlenet(num_classes=CLASSES, **options))
    images = functional.interpolate(images[:2], 64, mode="bilinear")
    assert_complete(network, images)
    assert_complete(nn.Sequential(torchvision.transforms.Normalize(0.4, 0.2), network), images)
    ours = terms(network, images, all_schemes)
    network.transform_input, seen = False, network._transform_input(images)
    for name, expected in terms(network, seen, all_schemes).items():
        torch.testing.assert_close(ours[name], expected, **EXACT)
    assert not torch.allclose(ours["input"], terms(network, images, all_schemes)["input"])


@pytest.mark.parametrize("name", ["birds_vgg", "birds_alexnet", "birds_resnet"])
def test_trained_networks_are_complete(name):
    birds = datasets.load("birds", split="test")
    images = torch.stack([birds[number].image for number in (0, 1)]).double()
    assert_complete(models.load(name).double(), images)


@pytest.mark.parametrize("postprocess", POSTPROCESS)
def test_a_network_that_normalises_is_the_network_after_it(postprocess, images):
    torch.manual_seed(0)
    network = small()
    whole = Classifier(network, name="tiny", class_names=[], layer="network.0", input_size=32, checksum="")
    whole = whole.double()
    ours = fullgrad(whole, images, weighted, postprocess)
    after = fullgrad(network, whole.normalise(images), weighted, postprocess)
    torch.testing.assert_close(ours, after, **EXACT)
    torchvision_s = nn.Sequential(torchvision.transforms.Normalize(0.4, 0.2), network)
    assert_complete(torchvision_s, images)


def test_terms_by_hand(images):
    """One convolution and one linear layer: x * gradient, b * gradient, and the last bias alone."""
    torch.manual_seed(0)
    convolution, linear = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4 * 32 * 32, 6)
    network = nn.Sequential(convolution, nn.ReLU(), nn.Flatten(), linear).double()
    leaf = images.clone().requires_grad_()
    hidden = convolution(leaf)
    logits = linear(hidden.relu().flatten(1))
    by_input, by_hidden = torch.autograd.grad((contrasts.mean(logits, 1) * logits).sum(), [leaf, hidden])
    explained = fullgrad(network, images, lambda y: contrasts.mean(y, 1))
    expected = (images * by_input).sum(dim=1)
    expected += sum(bias * by_hidden[:, channel] for channel, bias in enumerate(convolution.bias.detach()))
    torch.testing.assert_close(explained.map, expected, **EXACT)
    last = (contrasts.mean(logits, 1) * linear.bias).sum(dim=1).detach()
    torch.testing.assert_close(explained.constants, last, **EXACT)


def test_a_saturated_relu6_adds_its_six(images):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU6(), nn.Flatten(), nn.Linear(4 * 30 * 30, 6)).double()
    with torch.no_grad():
        network[0].weight *= 50
    hidden = network[:2](images)
    assert ((hidden == 6).double().mean() > 0.1) and ((hidden > 0) & (hidden < 6)).any()
    assert_complete(network, images)


def test_coarser_maps_keep_their_sums_and_their_places():
    whole, interpolated = POSTPROCESS["identity"][1], POSTPROCESS["absolute"][1]
    for cells, pixels in [(1, 8), (4, 16), (5, 16), (7, 32), (16, 16), (18, 16), (40, 16)]:
        weights = whole(cells, pixels)
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(cells, dtype=torch.float64), **EXACT)
        assert (weights >= 0).all()
    torch.testing.assert_close(whole(4, 16) * 4, functional.interpolate(
        torch.eye(4, dtype=torch.float64)[None], 16, mode="linear")[0], **EXACT)  # fmt: skip
    assert torch.equal(whole(16, 16), torch.eye(16, dtype=torch.float64))
    corners = interpolated(3, 5)
    assert corners[0].tolist() == [1, 0.5, 0, 0, 0] and corners.sum(dim=0).tolist() == [1] * 5


# --- contrasts -------------------------------------------------------------------------------------


def test_the_contrast_of_maps_is_the_map_of_the_contrast(network, images):
    units = fullgrad(network, images, lambda y: torch.eye(CLASSES).to(y)[:, None].expand(-1, len(y), -1))
    logits = network(images).detach()
    many = fullgrad(network, images, all_schemes)
    for number, name in enumerate(SCHEMES):
        weights = of(name)(logits)
        expected = torch.einsum("bc,cbhw->bhw", weights, units.map)
        torch.testing.assert_close(many.map[number], expected, **EXACT)
        expected = torch.einsum("bc,cb->b", weights, units.constants)
        torch.testing.assert_close(many.constants[number], expected, **EXACT)
        alone = fullgrad(network, images, of(name))
        torch.testing.assert_close(alone.map, many.map[number], **EXACT)


# --- post-processing -------------------------------------------------------------------------------


def test_rescaling_without_the_absolute_value_leaves_one_sign(network, images):
    """Since psi(-t) = 1 - psi(t), the maps of a contrast and of its negative add up to the channels."""
    network = lived_in(network)
    parts = terms(network, images, weighted)
    channels = sum(term.shape[1] for term in parts.values() if term.ndim == 4)
    one = fullgrad(network, images, weighted, "rescaled").map
    other = fullgrad(network, images, lambda y: -weighted(y), "rescaled").map
    assert one.min() >= 0 and other.min() >= 0
    torch.testing.assert_close(one + other, torch.full_like(one, channels), **EXACT)
    complete = fullgrad(network, images, weighted).map
    assert complete.min() < 0 < complete.max()


def test_terms_are_found_by_name_and_some_can_be_left_out(network, images):
    parts = terms(network, images, all_schemes)
    whole = combine(parts, images.shape[-2:])
    torch.testing.assert_close(whole, fullgrad(network, images, all_schemes), **EXACT)
    left_out = next(iter(parts))
    assert left_out == "input" and {"0", "3"} & set(parts)
    rest = combine({name: term for name, term in parts.items() if name != left_out}, images.shape[-2:])
    torch.testing.assert_close(whole.map - rest.map, parts[left_out].sum(dim=-3), **EXACT)
    only_input = combine({left_out: parts[left_out]}, images.shape[-2:])
    assert only_input.constants.shape == whole.constants.shape and not only_input.constants.any()
    with pytest.raises(ValueError, match="none of the terms .* has spatial positions"):
        combine({name: term for name, term in parts.items() if term.ndim == 2}, images.shape[-2:])


def test_postprocessing_by_hand(images):
    network = nn.Sequential(nn.Conv2d(3, 1, 1, bias=False), nn.Flatten(), nn.Linear(32 * 32, 6, bias=False))
    network = network.double()
    parts = torch.stack([network[0].weight[0, :, 0, 0].detach()[:, None, None] * image for image in images])
    parts = parts * weighted(network(images).detach()).matmul(network[2].weight.detach()).view(-1, 1, 32, 32)

    def scaled(term):
        return (term - term.min()) / (term.max() - term.min())

    expected = {
        "identity": parts, "positive": parts.relu(),
        "absolute": torch.stack([scaled(term.abs()) for term in parts]),
        "rescaled": torch.stack([scaled(term) for term in parts]),
    }  # fmt: skip
    assert set(expected) == set(POSTPROCESS)
    for name, processed in expected.items():
        explained = fullgrad(network, images, weighted, name)
        torch.testing.assert_close(explained.map, processed.sum(dim=1), **EXACT)


def test_a_layer_without_terms_stays_finite(images):
    network = small().double()
    with torch.no_grad():
        network[0].bias.zero_()
    for postprocess in POSTPROCESS:
        assert fullgrad(network, images, weighted, postprocess).map.isfinite().all()


def test_leaving_bias_terms_out_does_not_make_maps_one_signed():
    """Of a trained network: with what is left the sums are wrong, and both signs stay."""
    network, birds = models.load("birds_vgg").double(), datasets.load("birds", split="test")
    images = torch.stack([birds[number].image for number in (0, 31)]).double()
    parts = terms(network, images, lambda y: contrasts.weighted(y, y.argmax(dim=1)))
    for kind in (nn.Conv2d, nn.BatchNorm2d, (nn.Conv2d, nn.BatchNorm2d)):
        rest = {n: part for n, part in parts.items() if not isinstance(network.get_submodule(n), kind)}
        left = combine(rest, images.shape[-2:]).map
        assert not torch.allclose(left.sum(dim=(1, 2)), combine(parts, images.shape[-2:]).map.sum(dim=(1, 2)))
        negative = (left < 0).double().mean(dim=(1, 2))
        assert ((negative > 0.3) & (negative < 0.7)).all()
    assert (combine(parts, images.shape[-2:], "rescaled").map > 0).all()


# --- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make, kind", [
    (torchvision.models.mobilenet_v3_small, "Hardswish"), (torchvision.models.efficientnet_b0, "SiLU"),
    (lambda: torchvision.models.VisionTransformer(32, 16, 1, 2, 8, 16), "LayerNorm"),
])  # fmt: skip
def test_networks_that_are_not_piecewise_linear(make, kind, images):
    network = make().double()
    with pytest.raises(ValueError, match=f"piecewise linear.* is a {kind}"):
        fullgrad(network, images, weighted)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_modules_that_do_not_run_do_not_count(network, images):
    expected = fullgrad(network, images, weighted)
    network[0].pretext = nn.Linear(3, 3)
    network[0].probabilities = nn.Softmax(dim=1)
    network[0].normalise = torchvision.transforms.Normalize(0.4, 0.2)
    network[0].norm = nn.BatchNorm2d(3, track_running_stats=False)
    torch.testing.assert_close(fullgrad(network.double(), images, weighted), expected, rtol=0, atol=0)


def test_squeeze_and_excitation(images):
    network = nn.Sequential(torchvision.ops.SqueezeExcitation(3, 2), nn.Flatten(), nn.Linear(3 * 32 * 32, 6))
    with pytest.raises(ValueError, match="'0.scale_activation' is a Sigmoid"):
        fullgrad(network.double(), images, weighted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("before, after", [
    (torch.sigmoid, torch.clone), (torch.square, torch.clone), (lambda x: (x + 0.1) ** 2, torch.clone),
    (torch.clone, lambda y: y + 0.1 * torch.arange(CLASSES)), (lambda x: x + 0.1, torch.square),
])  # fmt: skip
def test_what_is_outside_of_modules_is_noticed(before, after, dtype, images):
    torch.manual_seed(0)
    with pytest.raises(ValueError, match="terms of Functional sum to .*outside its modules"):
        fullgrad(Functional(before, after).to(dtype), images.to(dtype), weighted)


def test_modules_that_run_twice(images):
    shared = nn.Conv2d(3, 3, 3, padding=1)
    network = nn.Sequential(shared, nn.ReLU(), shared, nn.Flatten(), nn.Linear(3 * 32 * 32, 6)).double()
    with pytest.raises(ValueError, match="runs more than once"):
        fullgrad(network, images, weighted)


def test_batch_norm_without_statistics(images):
    network = nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), nn.Flatten(), nn.Linear(3072, 6))
    with pytest.raises(ValueError, match="running statistics"):
        fullgrad(network.double(), images, weighted)


def test_linear_layers_over_channels_are_constants(images):
    layers = [nn.Flatten(2), nn.Linear(1024, 7), nn.ReLU(), nn.Flatten(), nn.Linear(21, CLASSES)]
    assert_complete(lived_in(nn.Sequential(*layers)), images)


def test_batch_norm_without_weights(images):
    network = nn.Sequential(
        nn.BatchNorm2d(3, affine=False), nn.Flatten(), nn.Linear(3072, CLASSES), nn.BatchNorm1d(CLASSES)
    )
    assert_complete(lived_in(network), images)


def frozen(channels):
    norm = torchvision.ops.FrozenBatchNorm2d(channels)
    nn.init.normal_(norm.weight)
    return norm


@pytest.mark.parametrize(
    "layer", [frozen, nn.SyncBatchNorm, lambda channels: nn.ConvTranspose2d(channels, channels, 2)]
)
def test_less_common_layers_with_biases(layer, images):
    network = lived_in(
        nn.Sequential(
            nn.Conv2d(3, 4, 3),
            layer(4),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(3),
            nn.Flatten(),
            nn.Linear(36, CLASSES),
        )
    )
    nn.init.normal_(getattr(network[1], "running_mean", torch.empty(1)))
    assert_complete(network, images)
    assert terms(network, images, weighted)["1"].any()


def test_an_incomplete_sum_names_the_modules_that_it_does_not_know(images):
    network = lived_in(small())
    network[1] = nn.SELU()
    with pytest.raises(ValueError, match=r"unknown here: 1 \(SELU\)"):
        fullgrad(network, images, weighted)


def in_place(network):
    network.compile(backend="eager")
    return network


@pytest.mark.parametrize("compiled", [lambda network: torch.compile(network, backend="eager"), in_place])
def test_a_compiled_network_has_the_same_map(compiled, images):
    network = lived_in(small())
    expected = fullgrad(network, images, weighted)
    network = compiled(network.requires_grad_(False))
    network(images.clone().requires_grad_().clone())  # compiled code that needs no other for an explanation
    torch.testing.assert_close(fullgrad(network, images, weighted), expected, **EXACT)


def test_autocast_changes_nothing(images):
    network = lived_in(small()).float()
    expected = fullgrad(network, images.float(), weighted)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(fullgrad(network, images.float(), weighted), expected, rtol=0, atol=0)


def test_weights_that_are_computed(images):
    network = lived_in(small())
    expected = fullgrad(network, images, weighted)
    for place in (0, 4):
        nn.utils.parametrizations.weight_norm(network[place])
    torch.testing.assert_close(fullgrad(network, images, weighted), expected, **EXACT)


def test_an_unknown_postprocess(network, images):
    with pytest.raises(ValueError, match="unknown postprocess 'abs'; choose one of identity, positive"):
        fullgrad(network, images, weighted, "abs")


def test_the_network_is_left_as_found(network, images):
    network.train()
    fullgrad(network, images, weighted)
    assert all(module.training and not module._forward_hooks for module in network.modules())
    assert all(p.requires_grad and p.grad is None for p in network.parameters())


def test_a_linear_layer_over_channels_last_is_a_convolution(images):
    """Its term is (B, K, h, w), as that of the 1 x 1 convolution with the same weights."""

    class ChannelsLast(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    torch.manual_seed(0)
    first, linear, head = nn.Conv2d(3, 6, 3), nn.Linear(6, 10), nn.Linear(10, 5)
    convolution = nn.Conv2d(6, 10, 1)
    convolution.weight.data, convolution.bias.data = linear.weight.data[:, :, None, None], linear.bias.data
    found = []
    for middle in (ChannelsLast(linear), convolution):
        layers = first, nn.ReLU(), middle, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head
        model = nn.Sequential(*layers).to(images)
        found.append(fullgrad(model, images, lambda y: contrasts.original(y, 1)).map)
    assert found[0].any()
    torch.testing.assert_close(*found)
