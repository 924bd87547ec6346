"""Networks in other wrappings: the map of the plain network, or one sentence that says what to do."""

import pytest
import timm
import torch
import torchvision
from torch import nn

import contrastlib
from contrastlib.autograd import find_layer, forward

OF_PIXELS = ["gradient", "input_x_gradient", "integrated_gradients"]
OF_FUNCTIONS = [*OF_PIXELS, "guided_backpropagation", "deeplift"]
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*torch.jit.* is deprecated", "ignore:.*torch.ao.quantization", "ignore:.*LeafSpec"
)


def plain():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)
    ).eval()


@pytest.fixture
def pixels():
    return torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


class Checkpointed(nn.Module):
    def __init__(self, reentrant):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 5)
        self.middle = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU(True), nn.Conv2d(4, 4, 3))
        self.reentrant = reentrant
        self.eval()

    def forward(self, x):
        x = self.first(x)
        if self.reentrant is None:
            x = self.middle(x)
        else:
            x = torch.utils.checkpoint.checkpoint(self.middle, x, use_reentrant=self.reentrant)
        return self.head(x.relu().mean(dim=(2, 3)))


@pytest.mark.parametrize(
    "method, layer",
    [
        ("gradcam", None),
        ("gradcam", "first"),
        ("xgradcam", "middle.0"),
        ("linear_approximation", "middle.2"),
        ("gradient", "middle.1"),
        *((method, None) for method in (*OF_PIXELS, "guided_backpropagation", "fullgrad", "lrp")),
    ],
)
def test_checkpointed_layers(pixels, method, layer):
    expected = contrastlib.explain(Checkpointed(None), pixels, 1, method, layer=layer)
    maps = contrastlib.explain(Checkpointed(False), pixels, 1, method, layer=layer)
    torch.testing.assert_close(maps, expected, rtol=1e-5, atol=1e-7)


def test_deeplift_of_checkpointed_layers_is_refused(pixels):
    with pytest.raises(
        ValueError, match="torch.utils.checkpoint: this method needs it off: turn checkpointing off"
    ):
        contrastlib.explain(Checkpointed(False), pixels, 1, "deeplift")


@pytest.mark.parametrize("layers", ["first", "middle.0", "middle.3", ["first", "middle.0", "middle.3"], None])
def test_several_cotangents_of_checkpointed_layers(pixels, layers):
    w = torch.randn(9, 2, 5, generator=torch.Generator().manual_seed(0))
    expected, record = (
        forward(Checkpointed(None), pixels, layers),
        forward(Checkpointed(False), pixels, layers),
    )
    for cotangent in (w, w[0], w[1:3]):
        gradients = record.pull_back(cotangent)
        for name, gradient in expected.pull_back(cotangent).items():
            torch.testing.assert_close(gradients[name], gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "method, layer, says",
    [
        ("gradcam", None, "the last convolutions of Checkpointed run without gradients"),
        ("gradcam", "middle.0", "layer 'middle.0' runs without gradients"),
        ("gradcam", "first", "runs layers in torch.utils.checkpoint"),
        *((method, None, "runs layers in torch.utils.checkpoint") for method in OF_FUNCTIONS),
        ("fullgrad", None, "layer 'middle.0' runs without gradients"),
    ],
)
def test_reentrant_checkpoints_are_refused(pixels, method, layer, says):
    with pytest.raises(ValueError, match=f"{says}.*checkpoint with use_reentrant=False"):
        contrastlib.explain(Checkpointed(True), pixels, 1, method, layer=layer)


@pytest.mark.parametrize(
    "method, layer", [("gradcam", None), ("gradcam", "layer3.0.conv1"), ("gradient", None)]
)
def test_grad_checkpointing_of_timm(method, layer):
    torch.manual_seed(0)
    network, images = timm.create_model("resnet10t", num_classes=4).eval(), torch.rand(1, 3, 64, 64)
    expected = contrastlib.explain(network, images, 1, method, layer=layer)
    network.set_grad_checkpointing()
    torch.testing.assert_close(contrastlib.explain(network, images, 1, method, layer=layer), expected)


@pytest.mark.parametrize(
    "method, layer",
    [("gradcam", None), ("gradcam", "features.denseblock1.denselayer2.conv1"), ("gradient", None)],
)
def test_a_densenet_that_saves_memory(method, layer):
    def densenet(efficient):
        torch.manual_seed(0)
        return torchvision.models.DenseNet(4, (2, 2), 8, num_classes=4, memory_efficient=efficient).eval()

    images = torch.rand(1, 3, 64, 64)
    expected = contrastlib.explain(densenet(False), images, 1, method, layer=layer)
    torch.testing.assert_close(contrastlib.explain(densenet(True), images, 1, method, layer=layer), expected)


def script(network, pixels):
    return torch.jit.script(network)


@pytest.mark.parametrize("make", [torch.jit.trace, script])
@pytest.mark.parametrize(
    "method", ["gradient", "input_x_gradient", "integrated_gradients", "guided_backpropagation"]
)
def test_torchscript(pixels, make, method):
    expected = contrastlib.explain(plain(), pixels, 1, method)
    torch.testing.assert_close(
        contrastlib.explain(make(plain(), pixels), pixels, 1, method), expected, rtol=1e-5, atol=1e-7
    )


@pytest.mark.parametrize("make", [torch.jit.trace, script])
@pytest.mark.parametrize(
    "method, layer",
    [
        ("gradcam", "0"),
        ("gradcam", None),
        ("gradient", "0"),
        ("deeplift", None),
        ("fullgrad", None),
        ("lrp", None),
    ],
)
def test_torchscript_hides_its_layers(pixels, make, method, layer):
    with pytest.raises(ValueError, match="TorchScript.*explain the module that it was made from"):
        contrastlib.explain(make(plain(), pixels), pixels, 1, method, layer=layer)


def test_a_part_that_is_torchscript(pixels):
    network, expected = plain(), contrastlib.explain(plain(), pixels, 1, layer="2")
    mixed = nn.Sequential(*network[:3], torch.jit.script(nn.Sequential(*network[3:])))
    torch.testing.assert_close(contrastlib.explain(mixed, pixels, 1, layer="2"), expected)
    with pytest.raises(ValueError, match="layer '3.1' is part of a TorchScript module"):
        contrastlib.explain(mixed, pixels, 1, layer="3.1")


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", ["gradient", "input_x_gradient", "integrated_gradients", "guided_backpropagation"]
)
def test_exported_programs(pixels, method):
    fixed = torch.export.export(plain(), (pixels,)).module()
    exported = torch.export.export(plain(), (pixels,), dynamic_shapes=({0: torch.export.Dim.AUTO},)).module()
    expected = contrastlib.explain(plain(), pixels, 1, method)
    with pytest.raises(ValueError, match="takes no such batch.*dynamic_shapes"):
        contrastlib.explain(fixed, pixels[:1], 1, method)
    torch.testing.assert_close(contrastlib.explain(exported, pixels, 1, method), expected)


@pytest.mark.slow
def test_exported_programs_hide_their_layers(pixels):
    exported = torch.export.export(plain(), (pixels,)).module()
    for method in ("gradcam", "deeplift", "fullgrad", "lrp"):
        with pytest.raises(ValueError, match="exported program.*explain the module that it was made from"):
            contrastlib.explain(exported, pixels, 1, method)
    with pytest.raises(ValueError, match="exported program.*explain the module that it was made from"):
        contrastlib.explain(exported, pixels, 1, layer="0")
    training = torch.export.export(nn.Sequential(nn.Dropout(0.5), plain()).train(), (pixels,)).module()
    with pytest.raises(ValueError, match="exported in training mode.*before the export"):
        contrastlib.explain(training, pixels, 1, "gradient")


@pytest.mark.parametrize(
    "method", ["gradcam", "gradient", "guided_backpropagation", "deeplift", "lrp", "fullgrad"]
)
def test_float_functional_is_not_quantised(method):
    def resnet(package):
        torch.manual_seed(0)
        return package.resnet18(weights=None, num_classes=5).eval()

    network, images = resnet(torchvision.models.quantization), torch.rand(1, 3, 64, 64)
    plain = torchvision.models.resnet18(num_classes=5).eval()
    plain.load_state_dict(network.state_dict())
    options = {"layer": "layer4"} if method == "gradcam" else {}
    expected = contrastlib.explain(plain, images, 1, method, **options)
    torch.testing.assert_close(
        contrastlib.explain(network, images, 1, method, **options), expected, rtol=1e-4, atol=1e-6
    )


def test_quantised_modules_are_refused(pixels):
    network = torch.ao.quantization.quantize_dynamic(plain(), {nn.Linear})
    with pytest.raises(ValueError, match="layer '5' is quantised.*explain the model that was quantised"):
        contrastlib.explain(network, pixels, 1)


@pytest.mark.parametrize(
    "wrap, full",
    [
        (lambda net: torch.compile(net, backend="eager"), "_orig_mod.2"),
        (nn.DataParallel, "module.2"),
        (lambda net: torch.compile(nn.DataParallel(net), backend="eager"), "_orig_mod.module.2"),
    ],
)
def test_the_plain_names_of_wrapped_networks(pixels, wrap, full):
    network, wrapped = plain(), wrap(plain())
    expected = contrastlib.explain(network, pixels, 1, layer="2")
    for layer in ("2", full, None):
        torch.testing.assert_close(contrastlib.explain(wrapped, pixels, 1, layer=layer), expected)
    with pytest.raises(ValueError, match="no layer '7'"):
        find_layer(wrapped, "7")


def test_a_part_that_is_compiled(pixels):
    network = nn.ModuleDict({"module": nn.Conv2d(3, 4, 3)})
    assert find_layer(network, "module") is network["module"]
    part = plain()
    part[2] = torch.compile(part[2], backend="eager")
    torch.testing.assert_close(
        contrastlib.explain(part, pixels, 1, layer="2"), contrastlib.explain(plain(), pixels, 1, layer="2")
    )


@pytest.mark.parametrize("dtype, error", [(torch.float16, 0.01), (torch.bfloat16, 0.05)])
@pytest.mark.parametrize("method", ["gradcam", *OF_FUNCTIONS, "fullgrad"])
def test_16_bits(pixels, dtype, error, method):
    expected = contrastlib.explain(plain(), pixels, 1, method)
    maps = contrastlib.explain(plain().to(dtype), pixels.to(dtype), 1, method).float()
    torch.testing.assert_close(maps, expected, rtol=0.05, atol=3 * error * expected.abs().max().item())


class NoFloat64(torch.utils._python_dispatch.TorchDispatchMode):
    """Refuses to bring a tensor of 32 bits to 64 bits, as a device without float64 does."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        given = [each.dtype for each in args if isinstance(each, torch.Tensor)]
        if torch.float32 in given and isinstance(output, torch.Tensor) and output.dtype == torch.float64:
            raise TypeError(f"this device has no float64: {func}")
        return output


@pytest.mark.parametrize(
    "method",
    list(contrastlib.explainers.select(space="layer", contrast=True))
    + list(contrastlib.explainers.select(space="pixels")),
)
def test_no_method_needs_float64_on_the_device(pixels, method):
    expected = contrastlib.explain(plain(), pixels, 1, method)
    with NoFloat64():
        maps = contrastlib.explain(plain(), pixels, 1, method)
    assert torch.equal(maps, expected)


@pytest.mark.parametrize("contrast", list(contrastlib.contrasts.CONTRASTS))
def test_no_contrast_needs_float64_on_the_device(pixels, contrast):
    options = {"foils": [0, 2]} if contrast == "among" else {}  # the others choose similar ones
    with NoFloat64():
        contrastlib.explain(plain(), pixels, 1, contrast=contrast, **options)
