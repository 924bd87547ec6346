"""The default layer by what a network does: its last convolution, if no positions are mixed after it."""

import re

import pytest
import timm
import torch
import torchvision
from torch import nn

import contrastlib
from contrastlib import models
from contrastlib.autograd import forward, last_convolution, spatial_layers

# family -> options of timm, size of the images, the default layer
SERVED = {
    "resnet18": ({}, 64, "layer4.1.conv2"),
    "seresnet18": ({}, 64, "layer4.1.conv2"),  # its gates are defined last
    "resnet14t": ({}, 64, "layer4"),  # one block, whose last convolution is that of the shortcut
    "skresnet18": ({}, 64, "layer4.1.conv2.conv"),
    "nf_regnet_b0": ({}, 64, "final_conv"),
    "mobilenetv3_small_050": ({}, 64, "blocks.5.0.conv"),  # conv_head works on the pooled vector
    "mobilenetv4_conv_small_035": ({}, 64, "blocks.4.0.conv"),
    "ghostnet_050": ({}, 64, "blocks.9.0.conv"),
    "efficientnet_lite0": ({}, 64, "conv_head"),
    "regnety_002": ({}, 64, "s4.b7.conv3.conv"),
    "convnext_atto": ({}, 64, "stages.3.blocks.1.mlp.fc2"),
    "convnext_tiny": (
        {"depths": (1, 1, 1, 1), "dims": (8, 16, 24, 32)},
        64,
        "stages",
    ),  # a norm of channels follows the convolution
    "convnextv2_atto": ({"depths": (1, 1, 1, 1), "dims": (8, 16, 24, 32)}, 64, "stages.3.blocks.0.mlp.fc2"),
    "poolformer_s12": ({}, 64, "stages.3.blocks.1.mlp.fc2"),
    "convformer_s18": ({}, 64, "stages.3.blocks.2.mlp.fc2"),
    "mobilevit_xxs": ({}, 64, "final_conv.conv"),
    "mobilevitv2_050": ({}, 64, "stages.4.1.conv_proj.conv"),
    "coatnet_nano_rw_224": ({"img_size": 64}, 64, "stages.3.blocks.2.mlp.fc2"),
    "pvt_v2_b0": ({}, 64, "stages.3.blocks.1.mlp.dwconv"),
    "densenet121": ({"block_config": (2, 2, 2, 2)}, 64, "features.denseblock4.denselayer2.conv2"),
    "repvgg_a0": ({}, 64, "stages"),  # a sum of two convolutions
    "resnetv2_50x1_bit": ({}, 64, "stages.3.blocks.2.conv3"),  # group norm
}
# family -> options of timm, size of the images, the layer to name instead, or None
REFUSED = {
    "mixer_s32_224": ({"img_size": 64}, 64, None),
    "resmlp_12_224": ({"img_size": 64}, 64, None),  # of random weights the mixing counts for 1e-5
    "gmlp_ti16_224": ({"img_size": 64}, 64, None),
    "vit_tiny_patch16_224": ({"depth": 2, "img_size": 64}, 64, None),
    "cait_xxs24_224": ({"depth": 2, "img_size": 64}, 64, None),
    "levit_128s": ({"img_size": 128}, 128, None),
    "sequencer2d_s": ({"layers": (1, 1, 1, 1), "img_size": 64}, 64, None),
    "swin_tiny_patch4_window7_224": ({"depths": (1, 1, 1, 1), "img_size": 64, "window_size": 2}, 64, None),
    "swinv2_cr_tiny_ns_224": ({"depths": (1, 1, 1, 1), "img_size": 64, "window_size": 2}, 64, "stages"),
    "caformer_s18": ({}, 64, "stages"),
    "maxvit_pico_rw_256": ({"img_size": 256}, 256, "norm"),
    "efficientformer_l1": ({"depths": (1, 1, 1, 2), "num_vit": 1}, 224, None),
    "twins_svt_small": ({"depths": (1, 1, 1, 2)}, 64, None),
    "edgenext_xx_small": ({}, 64, "stages"),
}
SLOW = {
    "maxvit_pico_rw_256",
    "efficientformer_l1",
    "coatnet_nano_rw_224",
    "resnetv2_50x1_bit",
    "caformer_s18",
    "convformer_s18",
    "gmlp_ti16_224",
}


def table(families):
    return [
        pytest.param(name, *case, id=name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name, case in families.items()
    ]


def build(name, options, size):
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=5, **options).eval(), torch.rand(2, 3, size, size)


@pytest.mark.parametrize("name, options, size, layer", table(SERVED))
def test_families_with_a_default_layer(name, options, size, layer):
    network, images = build(name, options, size)
    record = forward(network, images, None)
    assert record.layer() == layer
    named = forward(network, images, layer)
    torch.testing.assert_close(record.activations[layer], named.activations[layer])
    w = torch.eye(5)[[1, 2]]
    torch.testing.assert_close(record.pull_back(w)[layer], named.pull_back(w)[layer])


@pytest.mark.parametrize("name, options, size, layer", table(REFUSED))
def test_families_whose_last_convolution_lies_before_the_mixing(name, options, size, layer):
    network, images = build(name, options, size)
    with pytest.raises(
        ValueError,
        match=r"mixes spatial positions after its last convolution.*\(gradient, input_x_gradient\)",
    ) as error:
        forward(network, images, None)
    named = re.search(r'best layer="(.*?)"', str(error.value))
    assert (named and named[1]) == layer
    if layer is None:
        assert "no layer after the mixing has spatial positions" in str(error.value)
    if "vit_gradcam" in str(error.value):
        assert contrastlib.explain(network, images, 1, "vit_gradcam").shape == (2, size, size)
    for recommended in re.findall(r"([\w.]+) \(\d+, \d+, \d+\)", str(error.value)):
        maps = contrastlib.explain(network, images, 1, layer=recommended, upsample=False)
        assert re.search(
            rf"(?<![\w.]){re.escape(recommended)} \(\d+, {maps.shape[1]}, {maps.shape[2]}\)", str(error.value)
        )
        assert maps.flatten(1).std(dim=1).min() > 1e-6 * maps.abs().max()


@pytest.mark.parametrize(
    "name",
    [
        "alexnet",
        "vgg11",
        "squeezenet1_1",
        "resnet18",
        "googlenet",
        "mobilenet_v2",
        "mobilenet_v3_small",
        "shufflenet_v2_x0_5",
        "mnasnet0_5",
        "regnet_y_400mf",
        "efficientnet_b0",
        "densenet121",
    ],
)
@pytest.mark.slow
def test_the_default_layer_of_torchvision_networks_is_the_last_that_is_defined(name):
    torch.manual_seed(0)
    network = torchvision.models.get_model(name, weights=None).eval()
    assert forward(network, torch.rand(1, 3, 96, 96), None).layer() == last_convolution(network)


def test_the_end_of_the_block_stands_for_the_convolution_of_its_shortcut():
    """The layer explains the sum, which the last convolution in the order of running is a part of."""
    network, images = build("resnet10t", {}, 64)
    block = network.layer4[0]
    torch.nn.init.ones_(block.bn2.weight)
    kept = []
    handle = network.layer4.register_forward_hook(
        lambda module, inputs, output: kept.append(output.detach().clone())
    )
    record = forward(network, images, None)
    handle.remove()
    assert record.layer() == "layer4" and torch.equal(record.activations["layer4"], kept[0])
    with torch.no_grad():
        block.conv2.weight.zero_()  # of the main branch, which a map of the shortcut alone would not see
    assert not torch.allclose(forward(network, images, None).activations["layer4"], kept[0])


@pytest.mark.parametrize("in_place", [False, True])
def test_a_block_whose_end_is_changed_in_place_is_not_recorded(in_place):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 1)

        def forward(self, x):
            return self.a(x) + self.b(x)

    network = nn.Sequential(Block(), nn.ReLU(inplace=in_place), nn.Flatten(), nn.Linear(256, 5))
    images, w = torch.rand(2, 3, 8, 8), torch.eye(5)[[1, 2]]
    record = forward(network, images, None)
    assert record.layer() == "1"
    named = forward(network, images, "1")
    torch.testing.assert_close(record.pull_back(w)["1"], named.pull_back(w)["1"])
    torch.testing.assert_close(record.activations["1"], named.activations["1"])


def test_convmixer():
    network = timm.models.convmixer.ConvMixer(8, 2, kernel_size=3, num_classes=5).eval()
    assert forward(network, torch.rand(1, 3, 28, 28), None).layer() == "blocks.1.1"


class Ordered(nn.Module):
    """Runs its convolutions in another order than it defines them."""

    def __init__(self, order):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.c = nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 1)
        self.gate, self.head, self.order = nn.Conv2d(3, 1, 1), nn.Linear(3, 5), order

    def forward(self, x):
        for name in self.order:
            if name == "gate":
                x = x * self.gate(x).sigmoid()
            elif name == "pool":
                x = x.mean(dim=(2, 3), keepdim=True)
            elif name == "unused":
                self.b(x)
            else:
                x = getattr(self, name)(x).relu_()
        return self.head(x.mean(dim=(2, 3)))


@pytest.mark.parametrize(
    "order, layer",
    [
        ("abc", "c"),
        ("cba", "a"),
        ("bca", "a"),
        ("cab", "b"),
        (["a", "b", "pool", "c"], "b"),
        (["a", "b", "c", "gate"], "c"),
        (["a", "c", "unused"], "c"),
        (["c", "a", "unused"], "a"),
        (["a", "c", "unused", "gate"], "c"),
        (["gate", "b", "a"], "a"),
    ],
)
def test_the_convolution_that_runs_last(order, layer):
    network, images = Ordered(order), torch.rand(2, 3, 12, 12)
    record, w = forward(network, images, None), torch.eye(5)[[1, 2]]
    assert record.layer() == layer
    named = forward(network, images, layer)
    torch.testing.assert_close(record.pull_back(w)[layer], named.pull_back(w)[layer], rtol=1e-6, atol=0)
    torch.testing.assert_close(record.activations[layer], named.activations[layer], rtol=0, atol=0)


def test_a_convolution_that_runs_twice_at_the_end():
    with pytest.raises(ValueError, match="last convolution 'a' runs more than once.*layer="):
        forward(Ordered("baa"), torch.rand(2, 3, 12, 12), None)
    assert forward(Ordered("aab"), torch.rand(2, 3, 12, 12), None).layer() == "b"


def test_no_convolution_with_more_than_one_position():
    with pytest.raises(
        ValueError, match=r'none of the last 2-d convolutions.*best layer="a"; .*: a \(3, 10, 10\)'
    ):
        forward(Pooled(), torch.rand(2, 3, 12, 12), None)


class Pooled(nn.Module):
    """Pools before a convolution of 3 x 3, so that the one before is not recorded."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 3, 3), nn.Conv2d(3, 5, 3, padding=1)

    def forward(self, x):
        return self.b(self.a(x).mean(dim=(2, 3), keepdim=True)).flatten(1)


def test_one_forward_pass_and_no_hooks_left():
    network, images = Ordered("abc"), torch.rand(2, 3, 12, 12)
    calls = []
    handle = network.register_forward_hook(lambda *_: calls.append(1))
    contrastlib.explain(network, images, 1)
    with pytest.raises(IndexError):
        contrastlib.explain(network, images, 9)
    handle.remove()
    assert len(calls) == 2
    assert not any(module._forward_hooks for module in network.modules())
    assert not nn.modules.module._global_forward_hooks


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_choice_under_modes_without_gradients(mode):
    network, images = (
        timm.create_model("resmlp_12_224", num_classes=5, img_size=32).eval(),
        torch.rand(1, 3, 32, 32),
    )
    ordered = Ordered("abc")
    with mode():
        assert forward(ordered, torch.rand(2, 3, 12, 12), None).layer() == "c"
        with pytest.raises(ValueError, match="no layer after the mixing"):
            forward(network, images + 0, None)


def test_a_network_that_names_its_layer_keeps_it():
    network = Ordered("abc")
    network.layer = "a"
    assert forward(network, torch.rand(2, 3, 12, 12), None).layer() == "a"


@pytest.mark.parametrize("name", [name for name, network in models.MODELS.items() if network.layer])
@pytest.mark.slow
def test_networks_of_the_registry_keep_their_layer(name):
    """Their own layer counts, and the last convolution is where it was without one."""
    torch.manual_seed(0)
    record = models.MODELS[name]
    network = models.build(name, 4)
    found = forward(network.eval(), torch.rand(1, 3, record.input_size, record.input_size), None).layer()
    assert found == last_convolution(network)
    classifier = models.Classifier(
        network, name=name, class_names="abcd", layer=f"network.{record.layer}", input_size=32, checksum=""
    )
    assert forward(classifier, torch.rand(1, 3, 64, 64), None).layer() == f"network.{record.layer}"


@pytest.mark.parametrize(
    "shape, size, grid",
    [
        ((1, 8, 7, 7), (224, 224), True),
        ((1, 8, 1, 2), (32, 33), True),
        ((1, 8, 15, 20), (480, 640), True),
        ((1, 8, 1, 1), (32, 32), False),
        ((1, 7, 7, 768), (224, 224), False),
        ((1, 56, 56, 96), (224, 224), False),
        ((1, 8, 7, 1), (224, 224), False),
        ((1, 8, 49), (224, 224), False),
        ((1, 8, 20, 15), (480, 640), False),
    ],
)
def test_what_has_spatial_positions(shape, size, grid):
    assert spatial_layers.is_grid(torch.zeros(shape), torch.Size(size)) is grid


def test_a_layer_that_does_not_depend_on_the_images_is_not_recommended():
    """Swin of transformers computes a table of positions in a module, whose output has the form of a map."""

    class Positions(nn.Module):
        def forward(self, x):
            return torch.ones(1, 4, 8, 8)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.positions, self.mixing, self.head = (
                nn.Conv2d(3, 4, 1),
                Positions(),
                nn.Linear(64, 64),
                nn.Linear(256, 5),
            )

        def forward(self, x):
            return self.head(self.mixing((self.stem(x) + self.positions(x)).flatten(2)).flatten(1))

    with pytest.raises(ValueError, match="no layer after the mixing has spatial positions") as raised:
        forward(Network(), torch.rand(1, 3, 8, 8), None)
    assert "positions (" not in str(raised.value) and "vit_gradcam" not in str(raised.value)
