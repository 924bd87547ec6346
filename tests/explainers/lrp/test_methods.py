"""Relevance propagation: conserved where it should be, linear, identities, and the network left as found."""

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune
from torch.nn.utils.parametrize import remove_parametrizations

from contrastlib import contrasts, models
from contrastlib.explainers.lrp import (
    METHODS,
    Propagation,
    clrp1,
    clrp2,
    contrastive_lrp,
    lrp,
    others,
    propagation,
    relevance_maps,
    score,
    sglrp,
)
from contrastlib.models.architectures.cifar_resnet import CifarResNet
from contrastlib.models.classifier import Classifier

EXACT = {"rtol": 1e-10, "atol": 1e-10}
TARGET = torch.tensor([4, 0])
FOILS = {"among": [1, 3]}


def lived_in(network):
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.weight)  # of either sign
            nn.init.normal_(module.bias, std=0.3)
        elif isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
            nn.init.normal_(module.bias, std=0.02)
    return network.double().eval()


def without_biases(network):
    for module in network.modules():
        for name in ("bias", "running_mean"):
            values = getattr(module, name, None)
            if values is not None:
                values.data.zero_()
    return network


class Blocks(nn.Module):
    """Additions in every way that Python writes them, ReLUs and averages as functions."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Conv2d(i, 16, 3, padding=1) for i in (3, 16, 16, 16))
        self.norm = nn.BatchNorm2d(16)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = F.relu(self.a(x))
        y = self.b(x)
        y += x
        x = F.relu_(y)
        x = torch.add(self.c(x), x).relu()
        y = self.d(x)
        return self.head(F.relu(self.norm(y).add_(x), inplace=True).mean((2, 3)))


NETWORKS = {
    "alexnet": lambda: models.build("birds_alexnet", 5),
    "vgg_bn": lambda: models.build("birds_vgg", 5),
    "resnet": lambda: models.build("birds_resnet", 5),
    "bottleneck": lambda: torchvision.models.ResNet(
        torchvision.models.resnet.Bottleneck, [1, 1, 1, 1], num_classes=5
    ),
    "cifar_resnet": lambda: CifarResNet(8, 5),
    "squeezenet": lambda: torchvision.models.squeezenet1_1(num_classes=5),
    "blocks": Blocks,
}


@pytest.fixture(params=NETWORKS)
def net(request):
    torch.manual_seed(0)
    network = lived_in(NETWORKS[request.param]())
    if request.param == "squeezenet":  # which ends in a ReLU: keep all its classes alive
        network.classifier[1].weight.data[:, 100:].abs_()
    return network


@pytest.fixture
def vgg():
    torch.manual_seed(0)
    return lived_in(models.build("birds_vgg", 5))


@pytest.fixture
def images():
    return torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def total(maps):
    return maps.sum(dim=(-3, -2, -1))


# --- conservation -----------------------------------------------------------------------------------


def test_z_plus_conserves_relevance_when_biases_are_bypassed(net, images):
    for pooling in ("even", "proportional"):
        with propagation(net, images, average_pooling=pooling) as propagate:
            start = torch.rand(3, *propagate.outputs.shape, dtype=torch.float64)
            maps = propagate(start)
        torch.testing.assert_close(total(maps), start.sum(dim=2), **EXACT)
        assert maps.min() >= -1e-15  # only positive contributions count


def test_z_plus_loses_relevance_to_biases_that_take_it(net, images):
    with propagation(net, images, biases=True) as propagate:
        start = torch.ones_like(propagate.outputs)
        kept = total(propagate(start)) / start.sum(dim=1)
    assert (kept > -1e-12).all() and (kept < 0.999).all()


def test_without_biases_it_makes_no_difference_who_takes_them(net, images):
    net = without_biases(net)
    maps = [lrp(net, images, torch.ones_like, biases=biases) for biases in (False, True)]
    torch.testing.assert_close(*maps, **EXACT)


@pytest.mark.parametrize("name", ["mobilenet_v2", "mnasnet1_0"])
def test_bottlenecks_lose_the_relevance_of_units_that_only_their_bias_keeps_alive(name, images):
    """Without a ReLU after them: sums of either sign, and depthwise convolutions of few contributions."""
    torch.manual_seed(0)
    net = lived_in(torchvision.models.get_model(name, weights=None, num_classes=5))
    kept = total(lrp(net, images, torch.ones_like)) / 5
    assert (kept > 0).all() and (kept < 0.1).all()
    kept = total(lrp(without_biases(net), images, torch.ones_like)) / 5
    assert (kept > 0.999).all() and (kept < 1 + 1e-10).all()


# --- identities -------------------------------------------------------------------------------------


@pytest.mark.parametrize("biases", [False, True])
def test_the_z_rule_is_input_times_gradient(net, images, biases):
    """Without biases; with them only where they take their part of the relevance."""
    net = net if biases else without_biases(net)
    leaf = images.clone().requires_grad_()
    logits = net(leaf)
    expected = images * torch.autograd.grad(logits.gather(1, TARGET[:, None]).sum(), leaf)[0]
    maps = contrastive_lrp(net, images, lambda y: contrasts.original(y, TARGET), rules="z", biases=biases)
    scale = expected.abs().max()
    torch.testing.assert_close(maps / scale, expected / scale, rtol=0, atol=1e-9)


def test_bypassed_biases_break_the_identity(vgg, images):
    leaf = images.clone().requires_grad_()
    expected = images * torch.autograd.grad(vgg(leaf)[:, 1].sum(), leaf)[0]
    maps = contrastive_lrp(vgg, images, lambda y: contrasts.original(y, 1), rules="z")
    assert (maps - expected).norm() > 0.1 * expected.norm()


def test_the_z_plus_and_box_rules_by_hand():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 4)).double()
    x = torch.rand(1, 3, 2, 2, dtype=torch.float64)
    hidden, first, last = net[:3](x)[0], net[1].weight, net[3].weight
    z = hidden * last[2].clamp(min=0)
    middle = 3.0 * z / z.sum()
    z = x.flatten() * first - first.clamp(max=0)  # the box is [0, 1]
    expected = (z / z.sum(dim=1, keepdim=True) * middle[:, None]).sum(dim=0).view_as(x)
    maps = lrp(net, x, lambda y: 3 * contrasts.original(y, 2))
    torch.testing.assert_close(maps, expected.detach(), **EXACT)


def test_the_box_is_what_the_first_layer_sees(images):
    """A network that normalises inside, and one that is fed normalised images and their box, have one map."""
    torch.manual_seed(0)
    inner = lived_in(models.build("birds_alexnet", 5))
    outer = Classifier(inner, name="a", class_names="abcde", layer=None, input_size=48, checksum="").double()
    normalise = outer.normalise
    seen, low, high = (normalise(x) for x in (images, torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1)))
    maps = lrp(inner, seen, torch.abs, box=(low.double(), high.double()))
    torch.testing.assert_close(lrp(outer, images, torch.abs), maps, **EXACT)
    torch.testing.assert_close(total(maps), inner(seen).abs().sum(dim=1).detach(), **EXACT)
    with pytest.raises(ValueError, match="outside of the box"):
        lrp(inner, seen, torch.abs)


def test_googlenet_with_its_own_order_of_channels():
    torch.manual_seed(0)
    net = torchvision.models.GoogLeNet(num_classes=5, transform_input=True, init_weights=False)
    net = lived_in(net)
    x = torch.rand(1, 3, 32, 32, dtype=torch.float64)
    maps = relevance_maps(net, x, 1, ["lrp", "clrp2"])
    torch.testing.assert_close(total(maps["lrp"]), net(x)[:, 1].detach(), **EXACT)


def test_even_pooling_gives_every_place_the_same(images):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 2, 1, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(8, 3)
    )
    net = net.double()
    nn.init.ones_(net[0].weight)
    maps = lrp(net, images, torch.ones_like).sum(dim=1)
    quarters = maps.unflatten(2, (2, 24)).unflatten(1, (2, 24))
    torch.testing.assert_close(quarters, quarters[:, :, :1, :, :1].expand_as(quarters), **EXACT)
    maps = lrp(net, images, torch.ones_like, average_pooling="proportional").sum(dim=1)
    assert maps.std() > 1e-3 * maps.mean()


# --- choices of relevance ---------------------------------------------------------------------------


def test_linear_and_several_at_once(net, images):
    with propagation(net, images) as propagate:
        starts = torch.randn(6, *propagate.outputs.shape, dtype=torch.float64)
        maps = propagate(starts)
        torch.testing.assert_close(maps, torch.stack([propagate(start) for start in starts]), **EXACT)
        weights = torch.randn(6, dtype=torch.float64)
        mixed = propagate(torch.einsum("k,kbc->bc", weights, starts))
    torch.testing.assert_close(mixed, torch.einsum("k,k...->...", weights, maps), **EXACT)


def test_the_contrast_of_maps_is_the_map_of_the_contrast(vgg, images):
    units = torch.eye(5, dtype=torch.float64)[:, None].expand(-1, 2, -1)
    logits = vgg(images).detach()
    per_class = lrp(vgg, images, lambda y: units * y)
    for name in (name for name, each in contrasts.CONTRASTS.items() if each.is_of_one_class):

        def contrast(y, name=name):
            return contrasts.cotangent(name, y, TARGET, FOILS.get(name))

        w = contrast(logits)
        assert w.abs().amax(dim=1).min() > 1e-6  # a probability of 0 would show nothing
        maps = contrastive_lrp(vgg, images, contrast)
        torch.testing.assert_close(maps, torch.einsum("bc,cb...->b...", w, per_class), **EXACT)


def test_clrp1_is_two_maps_subtracted(vgg, images):
    y = vgg(images).detach()
    own = lrp(vgg, images, lambda y: score(y, TARGET))
    for dual in ("uniform", "logits"):
        rest = lrp(vgg, images, lambda y, dual=dual: others(y, TARGET, dual))
        parts = [own, rest] if dual == "uniform" else [m / total(m)[:, None, None, None] for m in (own, rest)]
        signed = clrp1(vgg, images, TARGET, dual, signed=True)
        torch.testing.assert_close(signed, parts[0] - parts[1], **EXACT)
        torch.testing.assert_close(clrp1(vgg, images, TARGET, dual), signed.clamp(min=0), **EXACT)
        torch.testing.assert_close(total(signed), torch.zeros(2).double(), **EXACT)
    torch.testing.assert_close(score(y, TARGET).sum(dim=1), others(y, TARGET).sum(dim=1), **EXACT)


def test_clrp2_is_the_map_of_a_network_with_the_row_negated(net, images):
    """The dual by brute force: a class's last weights negated, relevance sent by the same activations."""
    last = [m for m in net.modules() if isinstance(m, (nn.Linear, nn.Conv2d)) and m.weight.shape[0] == 5][-1]
    with propagation(net, images) as propagate:
        start = score(propagate.outputs, TARGET)
        own = propagate(start)
        dual = torch.empty_like(own)
        for i, t in enumerate(TARGET):
            before = last.weight.data.clone()
            last.weight.data[t] *= -1
            dual[i] = propagate(start)[i]
            last.weight.data = before
    torch.testing.assert_close(clrp2(net, images, TARGET, signed=True), own - dual, **EXACT)
    assert (own - dual).abs().max() > 1e-8


def test_the_two_scores_of_lrp_differ_in_the_sign_of_a_negative_logit(vgg, images):
    """LRP starts from y_t by default; the code of Gu et al. starts from abs(y_t), and CLRP always does."""
    lowest = vgg(images).argmin(dim=1)
    assert (vgg(images).gather(1, lowest[:, None]) < 0).all()
    maps = contrastive_lrp(vgg, images, lambda y: contrasts.original(y, lowest))
    absolute = contrastive_lrp(vgg, images, lambda y: contrasts.original(y, lowest), score="absolute")
    torch.testing.assert_close(absolute, -maps, **EXACT)
    torch.testing.assert_close(relevance_maps(vgg, images, lowest, ["lrp"])["lrp"], maps, **EXACT)
    torch.testing.assert_close(
        relevance_maps(vgg, images, lowest, ["lrp"], score="absolute")["lrp"], absolute, **EXACT
    )
    for unknown in (
        lambda: relevance_maps(vgg, images, lowest, score="square"),
        lambda: contrastive_lrp(vgg, images, lambda y: y, score="square"),
    ):
        with pytest.raises(ValueError, match="unknown score 'square'; choose one of logit, absolute"):
            unknown()
    assert absolute.min() >= 0


def test_sglrp_starts_from_the_gradient_of_the_probability(vgg, images):
    logits = vgg(images).detach().requires_grad_()
    start = torch.autograd.grad(logits.softmax(dim=1).gather(1, TARGET[:, None]).sum(), logits)[0]
    torch.testing.assert_close(sglrp(vgg, images, TARGET), lrp(vgg, images, lambda y: start), **EXACT)


def test_all_methods_of_several_targets_in_one_forward_pass(vgg, images):
    runs = []
    vgg.classifier.register_forward_hook(lambda *_: runs.append(1))
    maps = relevance_maps(vgg, images, lambda y: y.topk(3).indices.T)
    assert list(maps) == list(METHODS) and len(runs) == 1
    top = vgg(images).topk(3).indices.T
    for rank in range(3):
        torch.testing.assert_close(maps["clrp1"][rank], clrp1(vgg, images, top[rank]), **EXACT)
        torch.testing.assert_close(maps["clrp2"][rank], clrp2(vgg, images, top[rank]), **EXACT)
        torch.testing.assert_close(maps["sglrp"][rank], sglrp(vgg, images, top[rank]), **EXACT)


def test_what_methods_and_targets_share_propagates_once(images, monkeypatch):
    torch.manual_seed(1)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 11 * 11, 30)
    ).double()
    sent, back = [], Propagation._backward
    monkeypatch.setattr(
        Propagation, "_backward", lambda self, relevance: sent.append(len(relevance)) or back(self, relevance)
    )
    maps = relevance_maps(net, images, TARGET)
    assert (
        sum(sent) == 6
    )  # the target, all others alike, by their logits, by p, by p times logit; the target negated
    sent.clear()
    maps = relevance_maps(net, images, lambda y: y.topk(3).indices.T)
    assert (
        sum(sent) == 4 + 4 + 3
    )  # three targets and the class of largest logit but for one, the others in four ways; negated
    top = net(images).topk(3).indices.T
    with propagation(net, images) as propagate:
        for name, method in METHODS.items():
            for rank in range(3):
                torch.testing.assert_close(maps[name][rank], method(propagate, top[rank]), **EXACT)


def test_clrp_takes_two_backward_passes_at_most(vgg, images, monkeypatch):
    passes, back = [], Propagation._backward
    monkeypatch.setattr(
        Propagation,
        "_backward",
        lambda self, relevance: passes.append(len(relevance)) or back(self, relevance),
    )
    clrp1(vgg, images, TARGET)
    assert passes == [2]
    passes.clear()
    clrp2(vgg, images, TARGET)
    assert passes == [1, 1]


@pytest.mark.parametrize("layer", ["classifier.0", "classifier.1"])
def test_neurons_of_a_layer(vgg, images, layer):
    """The network cut off at the neurons explains the same."""
    cut = nn.Sequential(vgg.features, vgg.avgpool, nn.Flatten(), vgg.classifier[: int(layer[-1]) + 1])
    neurons = cut(images).topk(2).indices.T
    for method in (clrp1, clrp2):
        maps = method(vgg, images, neurons, layer=layer)
        torch.testing.assert_close(maps, method(cut, images, neurons), **EXACT)
        assert maps.shape == (2, 2, 3, 48, 48) and maps.max() > 0
    maps = lrp(vgg, images, lambda a: a * contrasts.original(a, neurons[0]), layer=layer)
    torch.testing.assert_close(total(maps), cut(images).gather(1, neurons[:1].T)[:, 0].detach(), **EXACT)


# --- the network is left as it was found, and errors say what to do -----------------------------------


def state(net):
    hooks = [
        (len(m._forward_hooks), len(m._forward_pre_hooks), m.training, type(m).forward) for m in net.modules()
    ]
    tensors = [(name, id(p), p.data_ptr(), p.requires_grad, p.clone()) for name, p in net.named_parameters()]
    return hooks, tensors, {name: value.clone() for name, value in net.state_dict().items()}


def assert_as_found(net, before):
    hooks, tensors, values = state(net)
    assert hooks == before[0]
    assert [t[:4] for t in tensors] == [t[:4] for t in before[1]]
    assert values.keys() == before[2].keys()
    assert all(torch.equal(values[name], before[2][name]) for name in values)
    assert all(p.grad is None for p in net.parameters())


def test_the_network_is_left_as_found(net, images):
    net.train()
    before = state(net)
    relevance_maps(net, images, TARGET)
    assert_as_found(net, before)
    with pytest.raises(ZeroDivisionError):
        lrp(net, images, lambda y: 1 / 0)
    with pytest.raises(ValueError, match="shape of the outputs"):
        lrp(net, images, lambda y: y[:, :2])
    assert_as_found(net, before)


def test_batch_norms_are_merged_exactly(net, images):
    expected = net(images).detach()
    with propagation(net, images) as propagate:
        torch.testing.assert_close(propagate.outputs, expected, rtol=1e-9, atol=1e-11)


class PreActivation(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.norm, self.conv = nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4, 5)

    def forward(self, x):
        x = self.first(x)
        x = x + self.conv(F.relu(self.norm(F.relu(x))))
        return self.head(x.mean((2, 3)))


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.gate, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3), nn.Linear(4, 5)
        self.squash = nn.Sigmoid()

    def forward(self, x):
        return self.head((self.conv(x.relu()) * self.squash(self.gate(x))).mean((2, 3)))


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 3, 3), nn.Linear(3, 5)

    def forward(self, x):
        return self.head(self.conv(F.relu(self.conv(x))).mean((2, 3)))


class Cumulated(Gate):
    def forward(self, x):
        return self.head(self.conv(x).cumsum(2).mean((2, 3)))


class NormFunction(Gate):
    def forward(self, x):
        x = self.conv(x)
        return self.head(F.batch_norm(x, x.new_ones(4), x.new_full((4,), 3)).relu().mean((2, 3)))


def sharing(what, first, second):
    """A network in which two convolutions, or the two batch norms after them, have one parameter."""
    net = nn.Sequential(
        nn.Conv2d(3, 3, 3),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Conv2d(3, 3, 3),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(12, 5),
    )
    setattr(net[second], what, getattr(net[first], what))
    return net


def upsampling(channels=4, groups=1):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, channels, 2, groups=groups),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * channels, 5),
    )


REFUSED = {
    "batch norm 'norm' does not follow": PreActivation,
    r"no rule for an operation of Gate \(Mul|no rule for an operation of Gate \(Sigmoid": Gate,
    r"squash \(Sigmoid\)": Gate,
    "runs more than once": Twice,
    r"\(Cumsum in": Cumulated,
    r"\(NativeBatchNorm in": NormFunction,
    "modules '0' and '3' share weights.*give each its own": lambda: sharing("weight", 0, 3),
    "modules '0' and '3' share weights": lambda: sharing("bias", 0, 3),
    "modules '1' and '4' share weights": lambda: sharing("weight", 1, 4),
    "batch norm '4' does not follow": lambda: upsampling(8, groups=2),
    r"Hardswish": lambda: torchvision.models.mobilenet_v3_small(num_classes=5),
    r"\(LayerNorm\)": lambda: torchvision.models.VisionTransformer(48, 16, 1, 2, 8, 16, num_classes=5),
    r"batch norm 'features.denseblock1": lambda: torchvision.models.DenseNet(4, (2, 2), 4, num_classes=5),
}


@pytest.mark.parametrize("message", REFUSED)
def test_networks_without_rules_are_refused(message, images):
    torch.manual_seed(0)
    net = lived_in(REFUSED[message]())
    before = state(net)
    with pytest.raises(ValueError, match=message):
        lrp(net, images, torch.abs)
    assert_as_found(net, before)


def test_a_transposed_convolution_is_a_layer_like_any_other(images):
    torch.manual_seed(0)
    net = without_biases(lived_in(upsampling()))
    kept = total(lrp(net, images, torch.ones_like, average_pooling="proportional"))
    torch.testing.assert_close(kept, torch.full_like(kept, 5), **EXACT)


COMPUTED = {
    "prune": (
        lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
        lambda layer: prune.remove(layer, "weight"),
    ),
    "prune the bias": (
        lambda layer: prune.l1_unstructured(layer, "bias", 0.5),
        lambda layer: prune.remove(layer, "bias"),
    ),
    "weight norm": (
        nn.utils.parametrizations.weight_norm,
        lambda layer: remove_parametrizations(layer, "weight"),
    ),
    "spectral norm": (
        nn.utils.parametrizations.spectral_norm,
        lambda layer: remove_parametrizations(layer, "weight"),
    ),
    "old weight norm": (nn.utils.weight_norm, nn.utils.remove_weight_norm),
    "old spectral norm": (nn.utils.spectral_norm, nn.utils.remove_spectral_norm),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
@pytest.mark.parametrize("layer", [0, 3, 8])
@pytest.mark.parametrize("kind", COMPUTED)
def test_layers_whose_weights_are_computed_are_refused(kind, layer, images):
    torch.manual_seed(0)
    net = lived_in(upsampling())
    compute, fix = COMPUTED[kind]
    compute(net[layer])
    net.eval()
    before, expected = state(net), net(images)
    with pytest.raises(ValueError, match=f"layer '{layer}' computes its (weight|bias) at every call.*remove"):
        clrp2(net, images, TARGET)
    torch.testing.assert_close(net(images), expected, **EXACT)
    assert_as_found(net, before)
    fix(net[layer])
    plain = upsampling().double().eval()
    plain.load_state_dict(net.state_dict())
    torch.testing.assert_close(clrp2(net, images, TARGET), clrp2(plain, images, TARGET), **EXACT)


def test_a_pruned_batch_norm_is_refused_and_a_pruned_layer_that_does_not_run_is_not(images):
    torch.manual_seed(0)
    net = lived_in(upsampling())
    maps = lrp(net, images, torch.ones_like)
    net[2].unused = prune.l1_unstructured(nn.Linear(3, 3).double(), "weight", 0.5)
    torch.testing.assert_close(lrp(net, images, torch.ones_like), maps, **EXACT)
    prune.l1_unstructured(net[4], "weight", 0.5)
    with pytest.raises(ValueError, match="layer '4' computes its weight"):
        lrp(net, images, torch.ones_like)


def test_errors(vgg, images):
    with pytest.raises(ValueError, match="unknown rules .gamma.; choose one of z_plus, epsilon, z"):
        lrp(vgg, images, torch.abs, rules="gamma")
    with pytest.raises(ValueError, match="clrp2 needs the z_plus rules"):
        clrp2(vgg, images, 0, rules="epsilon")
    with pytest.raises(ValueError, match="unknown dual"):
        clrp1(vgg, images, 0, dual="text")
    with pytest.raises(ValueError, match="there is none"):
        clrp1(nn.Sequential(nn.Flatten(), nn.Linear(3 * 48 * 48, 1)).double(), images, 0)
    with pytest.raises(IndexError, match="target 7 is not a class"):
        clrp1(vgg, images, 7)
    with pytest.raises(ValueError, match="unknown method 'clrp3'"):
        relevance_maps(vgg, images, 0, ["clrp3"])
    with pytest.raises(ValueError, match="no layer 'clasifier.0'"):
        clrp2(vgg, images, 0, layer="clasifier.0")
    with pytest.raises(ValueError, match=r"outputs \(B, C\)"):
        clrp2(vgg, images, 0, layer="features.20")
    with pytest.raises(ValueError, match="NaN"):
        lrp(vgg, images, lambda y: y * torch.nan)
    with propagation(vgg, images) as propagate:
        pass
    with pytest.raises(RuntimeError, match="its rules are gone"):
        propagate(propagate.outputs)
