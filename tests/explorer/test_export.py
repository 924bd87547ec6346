"""Exported networks give the maps of contrastlib.explain, in float32 and with weights of 16 bits."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torchvision

import contrastlib
from contrastlib import assets, contrasts, models
from contrastlib.assets.writing import CannotWrite
from contrastlib.autograd import forward
from contrastlib.explainers import EXPLAINERS
from contrastlib.explainers.vit import is_transformer, vit_forward
from contrastlib.explorer import photograph
from contrastlib.explorer.export import export
from contrastlib.explorer.heads import Chain, ClassToken, PooledLinear, PooledScores, head_of
from contrastlib.explorer.live import offered_contrasts
from contrastlib.models.architectures.cifar_resnet import CifarResNet
from contrastlib.models.architectures.efficientnet_lite import EfficientNetLite
from contrastlib.models.architectures.padding import mobilenet_v2

pytestmark = pytest.mark.slow
TOLERANCE = {32: 1e-5, 16: 1e-3}  # of the range of a map
OF_RANDOM_WEIGHTS = 2  # times that: their maps cancel more than those of trained networks
OWN = {  # builder and layer of networks with random weights
    "lite2": (lambda: EfficientNetLite(2, num_classes=7), "features.22"),
    "mobilenet": (lambda: mobilenet_v2(7), "features.18"),
    "resnet18": (lambda: torchvision.models.resnet18(num_classes=7), "layer4"),
    "cifar_resnet": (lambda: CifarResNet(20, num_classes=7), "layer3"),
    "squeezenet": (lambda: torchvision.models.squeezenet1_1(num_classes=7), "features.12"),
}
SWITCHING = ("birds_vgg", "birds_alexnet", "squeezenet")  # their ReLUs and pools turn with rounded weights
LOADED = ("efficientnet_lite0", "birds_resnet", "birds_vgg", "birds_alexnet", "birds_vit")


def network(name):
    if name in LOADED:
        return models.load(name)
    torch.manual_seed(0)
    build, layer = OWN[name]
    return models.Classifier(
        _statistics(build()),
        name=name,
        class_names=[f"class {i}" for i in range(7)],
        layer=f"network.{layer}",
        input_size=64,
        checksum="none",
    )


def _statistics(built):
    """Give batch norms values that an export cannot leave out."""
    for module in built.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.uniform_(-0.2, 0.2)
    return built.eval()


def image_for(classifier):
    if len(classifier.class_names) == 1000:
        return photograph(assets.path("chelsea.png")).tensor(classifier)[None]
    side = classifier.input_size
    pixels = torch.randint(0, 256, (1, 3, side, side), generator=torch.Generator().manual_seed(1))
    return pixels / 255


@pytest.fixture(
    scope="module",
    params=[
        (name, bits) for name in (*LOADED, *OWN) for bits in (32, 16) if bits == 32 or name not in SWITCHING
    ],
    ids=lambda each: "-".join(map(str, each)),
)
def exported(request, tmp_path_factory):
    """The classifier, its image, and what the file says of the image."""
    name, bits = request.param
    classifier, path = network(name), tmp_path_factory.mktemp("onnx") / "network.onnx"
    about, image = export(classifier, path, bits), image_for(network(name))
    found = onnxruntime.InferenceSession(path).run(None, {"pixels": (image * 255).numpy()})
    return classifier, image, bits, about, path, found


def test_every_method_and_contrast(exported):
    classifier, image, bits, about, _, (logits, *maps) = exported
    first, second, third = logits[0].argsort()[::-1][:3].tolist()
    pass_ = (
        vit_forward(classifier, image)
        if is_transformer(classifier)
        else forward(classifier, image, classifier.layer)
    )
    for group, outputs in zip(about["outputs"], maps, strict=True):
        for method in group:
            for name, record in offered_contrasts().items():
                target = [first, second] if record.takes_group else first
                foils = [second, third] if record.takes_foils else None
                w = contrasts.cotangent(name, torch.tensor(logits), target, foils)[0]
                found = torch.einsum("c,chw->hw", w, torch.tensor(outputs[0]))
                cotangent = contrasts.cotangent(name, pass_.logits, target, foils)
                wanted = EXPLAINERS[method].function(pass_, cotangent)[0]
                error = (found - wanted).abs().max() / (wanted.max() - wanted.min())
                limit = TOLERANCE[bits] * (OF_RANDOM_WEIGHTS if len(logits[0]) == 7 else 1)
                assert error <= limit, f"{method} {name}"
            explained = contrastlib.explain(
                classifier, image, target, method, name, foils=foils, upsample=False
            )
            torch.testing.assert_close(explained[0], wanted)


def test_logits(exported):
    classifier, image, bits, _, _, (logits, *_) = exported
    wanted = contrastlib.autograd.predict(classifier, image).numpy()
    assert np.abs(logits - wanted).max() <= TOLERANCE[bits] * np.ptp(wanted)


def test_the_file_is_valid_and_small(exported):
    classifier, _, bits, about, path, _ = exported
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert about["bytes"] == path.stat().st_size
    assert not [node for node in model.graph.node if node.op_type == "BatchNormalization"]
    if bits == 16:
        weights = sum(parameter.numel() for parameter in classifier.parameters())
        assert about["bytes"] <= 2 * weights + 300_000
        large = [each for each in model.graph.initializer if np.prod(each.dims) > 20_000]
        assert {each.data_type for each in large} == {onnx.TensorProto.INT16}
    if bits == 16 and classifier.name == "efficientnet_lite0":
        assert about["bytes"] <= 9.5e6


def test_the_head_is_read_exactly():
    classifier = models.load("birds_resnet")
    head = head_of(classifier)
    assert isinstance(head, PooledLinear)
    torch.testing.assert_close(head.weight, classifier.network.fc.weight.detach(), rtol=0, atol=1e-5)
    torch.testing.assert_close(head.bias, classifier.network.fc.bias.detach(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["alexnet", "leaky"])
def test_other_heads_are_refused(name):
    if name == "leaky":  # a layer without a rule
        head = torch.nn.Sequential(torch.nn.LeakyReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 5))
        built, layer = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), *head), "0"
    else:  # overlapping pools
        built, layer = torchvision.models.alexnet(num_classes=5), "features.11"
    side = 8 if name == "leaky" else 64
    classifier = models.Classifier(
        built, name="own", class_names="abcde", layer=f"network.{layer}", input_size=side, checksum=""
    )
    with pytest.raises(
        ValueError, match="cannot be exported: it must be global average pooling and a linear layer"
    ):
        head_of(classifier)


@pytest.mark.parametrize(
    "name, kind",
    [
        ("birds_vgg", Chain),
        ("birds_alexnet", Chain),
        ("birds_resnet", PooledLinear),
        ("squeezenet", PooledScores),
    ],
)
def test_the_kind_of_head(name, kind):
    assert type(head_of(network(name))) is kind


def test_no_such_precision(tmp_path):
    assert [head_of(network(name)).bits for name in ("efficientnet_lite0", "birds_vit", *SWITCHING)] == [
        16,
        16,
        32,
        32,
        32,
    ]
    with pytest.raises(ValueError, match="16 or 32"):
        export(models.load("birds_resnet"), tmp_path / "a.onnx", bits=8)


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "a.onnx").mkdir()
    with pytest.raises(CannotWrite, match=r"a\.onnx cannot be written"):
        export(models.load("birds_resnet"), tmp_path / "a.onnx")


def test_a_transformer_of_one_block_and_one_with_another_head():
    build = lambda **options: torchvision.models.VisionTransformer(
        32, 8, 1, 2, 16, 32, num_classes=7, **options
    ).eval()
    torch.manual_seed(0)
    about = {
        "name": "vit",
        "class_names": [f"class {i}" for i in range(7)],
        "layer": None,
        "input_size": 32,
        "checksum": "none",
    }
    one = build()
    torch.nn.init.normal_(one.heads.head.weight)  # torchvision begins with zeros, of which all maps are zero
    classifier = models.Classifier(one, **about)
    head = head_of(classifier)
    assert isinstance(head, ClassToken) and head.reads == "network.encoder.dropout" and head.layer == "norm.0"
    image = torch.rand(1, 3, 32, 32)
    given = []
    with (
        classifier.get_submodule(head.reads).register_forward_hook(
            lambda module, inputs, output: given.append(output)
        ),
        torch.no_grad(),
    ):
        classifier(image)
        (maps,) = head(given[0]).maps
    for target in range(7):
        wanted = contrastlib.explain(classifier, image, target, "vit_gradcam", "original", upsample=False)
        torch.testing.assert_close(maps[:, target], wanted)
    with pytest.raises(ValueError, match="names no layer"):
        head_of(models.Classifier(build(representation_size=8), **about))
