"""The one line ``contrastlib.explain``: what a user's own network has to know, and what bad input is told."""

import inspect
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
import transformers
from PIL import Image
from torch import nn
from torchvision.models import VisionTransformer

import contrastlib
from contrastlib import contrasts, explain, explainers, models
from contrastlib._choices import DEFAULT_CONTRAST, DEFAULT_METHOD
from contrastlib.contrasts import CONTRASTS
from contrastlib.explainers import EXPLAINERS, select
from contrastlib.models import torchvision_hub

BATCH, CLASSES = 3, 6


def test_the_defaults():
    """The signature names them for its readers; everything else reads them from one place."""
    parameters = inspect.signature(explain).parameters
    assert parameters["method"].default == DEFAULT_METHOD and DEFAULT_METHOD in EXPLAINERS
    assert parameters["contrast"].default == DEFAULT_CONTRAST and DEFAULT_CONTRAST in CONTRASTS


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(8 * 36, CLASSES),
    )


@pytest.fixture
def images():
    return torch.rand(BATCH, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_an_added_contrast_is_explained(network, images, added_contrast):
    w = added_contrast.function(contrastlib.autograd.predict(network, images), 2)
    assert torch.equal(
        explain(network, images, 2, contrast=added_contrast.name), explain(network, images, contrast=w)
    )


@pytest.mark.parametrize(
    "method", select(space="layer", contrast=True) | select(space="pixels", contrast=True)
)
@pytest.mark.parametrize("contrast", CONTRASTS)
def test_one_line_for_every_method_and_contrast(network, images, method, contrast):
    if CONTRASTS[contrast].needs_gradients and EXPLAINERS[method].space != "layer":
        with pytest.raises(
            ValueError,
            match="depends on a layer: use it with a method of a layer .B, K, h, w., such as gradcam",
        ):
            explain(network, images, 2, method, contrast)
        return
    maps = explain(network, images, 2, method, contrast, foils=[0, 4] if contrast == "among" else None)
    assert maps.shape == (BATCH, 16, 16) and maps.dtype == images.dtype and not maps.requires_grad
    assert maps.isfinite().all() and maps.flatten(1).any(dim=1).all()


class Halves(nn.Module):
    """Counts what is bright: class 0 on the left, class 1 on the right, class 2 everywhere."""

    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(self.features.weight)

    def forward(self, images):
        left, right = self.features(images).chunk(2, dim=-1)
        sums = torch.stack([left.sum((1, 2, 3)), right.sum((1, 2, 3))], dim=1)
        return torch.cat([sums, sums.sum(1, keepdim=True)], dim=1) / 10


@pytest.mark.parametrize("method", ["linear_approximation", "input_x_gradient"])
def test_the_sign_says_for_which_class_a_place_speaks(method):
    images = torch.ones(1, 1, 4, 8)

    def halves(**options):
        sums = explain(Halves(), images, 0, method, **options).unflatten(2, (2, 4)).sum((0, 1, 3))
        return (sums * 10 / 16).tolist()

    assert halves(contrast="original") == pytest.approx([1, 0])
    assert halves(contrast="among", foils=1) == pytest.approx([1, -1])
    assert halves(contrast="among", foils=2) == pytest.approx([0, -1])
    assert halves(contrast="mean") == pytest.approx([0.5, -1])
    one, two = math.exp(1.6), math.exp(3.2)  # the logits are 1.6, 1.6 and 3.2
    assert halves(contrast="weighted") == pytest.approx([1 - two / (one + two), -1])


def test_targets_of_every_kind(network, images):
    expected = explain(network, images, torch.tensor([1, 5, 1]))
    assert torch.equal(explain(network, images, [1, 5, 1]), expected)
    assert torch.equal(explain(network, images, np.array([1, 5, 1])), expected)
    assert torch.equal(explain(network, images, 1)[[0, 2]], expected[[0, 2]])
    assert not torch.equal(explain(network, images, 1)[1], expected[1])


def test_foils_of_every_kind(network, images):
    expected = explain(network, images, 1, contrast="among", foils=[0, 3])
    mask = torch.zeros(BATCH, CLASSES, dtype=torch.bool)
    mask[:, [0, 3]] = True
    for foils in ((3, 0), torch.tensor([0, 3]), mask):
        torch.testing.assert_close(explain(network, images, 1, contrast="among", foils=foils), expected)
    everything_else = [c for c in range(CLASSES) if c != 1]
    torch.testing.assert_close(
        explain(network, images, 1, contrast="among", foils=everything_else),
        explain(network, images, 1, contrast="weighted"),
    )


@pytest.mark.parametrize("method", ["gradcam", "input_x_gradient", "lrp"])
def test_weights_of_ones_own(network, images, method):
    """A tensor over the logits, or a function of them; the target is in them."""
    network.eval()
    weights = contrasts.weighted(contrastlib.autograd.predict(network, images), 2)
    expected = explain(network, images, 2, method)
    torch.testing.assert_close(explain(network, images, method=method, contrast=weights), expected)
    torch.testing.assert_close(explain(network, images, 5, method, weights.double()), expected)
    given = explain(network, images, method=method, contrast=lambda y: contrasts.weighted(y, 2))
    torch.testing.assert_close(given, expected)
    torch.testing.assert_close(explain(network, images, method=method, contrast=-weights), -expected)


def test_a_classifier_of_this_library_names_its_own_layer(network, images):
    classifier = models.Classifier(
        network, name="tiny", class_names="abcdef", layer="network.1", input_size=16, checksum="none"
    )
    assert explain(classifier, images, upsample=False).shape == (BATCH, 16, 16)
    assert explain(classifier, images, upsample=False, layer="network.3").shape == (BATCH, 6, 6)
    assert torch.equal(explain(classifier, images), explain(classifier, images, layer="network.1"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "alexnet",
        "densenet121",
        "efficientnet_b0",
        "googlenet",
        "mnasnet0_5",
        "mobilenet_v3_small",
        "regnet_y_400mf",
        "resnet18",
        "shufflenet_v2_x0_5",
        "squeezenet1_1",
        "vgg11_bn",
    ],
)
def test_any_network_of_torchvision(name):
    options = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    model = torchvision.models.get_model(name, weights=None, num_classes=5, **options)
    maps = explain(model, torch.rand(2, 3, 96, 96), method="gradcam")
    assert maps.shape == (2, 96, 96) and maps.isfinite().all()


def softmaxed(network):
    return nn.Sequential(network, nn.Softmax(dim=1))


@pytest.mark.parametrize("model, change, options, error, says", [
    (None, None, {"method": "lime"}, ValueError, "unknown method 'lime'; choose one of .*gradcam"),
    (None, None, {"contrast": "best"}, ValueError, "unknown contrast 'best'; choose one of .*weighted"),
    (None, None, {"layer": "5x"}, ValueError, "no layer '5x'"),
    (None, None, {"layer": "6"}, ValueError, "not .B, K, h, w."),
    (None, None, {"target": 6}, IndexError, r"target 6 is not a class: there are 6 \(0 to 5\)"),
    (None, None, {"target": -1}, IndexError, "target -1 is not a class"),
    (None, None, {"target": [0, 1]}, ValueError, "one for each of the 3 images"),
    (None, None, {"target": 1.0}, TypeError, "integer"),
    (None, None, {"contrast": "among"}, ValueError, "needs foils"),
    (None, None, {"foils": 1}, ValueError, "foils belong to the contrast \"among\""),
    (None, None, {"target": 1, "contrast": "among", "foils": [1, 2]}, ValueError,
     "target is among its own foils"),
    (None, None, {"target": 1, "contrast": "among", "foils": []}, ValueError, "foils are empty"),
    (None, None, {"target": 1, "contrast": "among", "foils": 9}, IndexError, "foil 9 is not a class"),
    (None, None, {"contrast": torch.ones(BATCH, 5)}, ValueError,
     r"logits' shape \(B, C\) = \(3, 6\).*got \(3, 5\)"),
    (None, None, {"contrast": torch.ones(CLASSES)}, ValueError, "a row for each image"),
    (None, None, {"contrast": torch.full((BATCH, CLASSES), math.nan)}, ValueError, "weights hold NaN"),
    (None, None, {"contrast": [1, 0, 0, 0, 0, 0]}, TypeError,
     "a contrast is a name, a tensor of weights or a function"),
    (None, None, {"contrast": lambda y: None}, TypeError, "a function that returns one, not None"),
    (None, None, {"contrast": torch.ones(BATCH, CLASSES), "foils": 1}, ValueError, "not to weights"),
    (None, lambda i: (i * 255).byte(), {}, TypeError, r"images.float\(\) / 255"),
    (None, lambda i: i[0], {}, ValueError, r"add the batch dimension with images\[None\]"),
    (None, lambda i: i.numpy(), {}, TypeError, "must be a tensor"),
    (None, lambda i: i / 0, {}, ValueError, "NaN or infinite"),
    (None, lambda i: i.double(), {}, ValueError, "bring the images there"),
    (softmaxed, None, {}, ValueError, "probabilities, not logits. Remove the network's final softmax"),
    (lambda n: n[:4], None, {}, ValueError, r"must return logits \(3, C\)"),
    (lambda n: nn.Sequential(nn.Flatten(), nn.Linear(768, 6)), None, {}, ValueError,
     "has no 2-d convolution"),
])  # fmt: skip
def test_bad_input_is_told_what_is_wrong(network, images, model, change, options, error, says):
    given, learnable = change(images) if change else images, [p.requires_grad for p in network.parameters()]
    with pytest.raises(error, match=says):
        explain(model(network) if model else network, given, **options)
    assert network.training and [p.requires_grad for p in network.parameters()] == learnable


class Segmentation(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 5, 3, padding=1)

    def forward(self, images):
        return {"out": self.convolution(images)}


@pytest.fixture
def small_clip(monkeypatch):
    """A tiny random CLIP, and its inputs, in the place of the large one and its processor."""
    ends = {"bos_token_id": 48, "eos_token_id": 49, "pad_token_id": 0}
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    clip = transformers.CLIPModel(
        transformers.CLIPConfig(
            text_config={"vocab_size": 50, "max_position_embeddings": 8, **ends, **sizes},
            vision_config={"image_size": 32, "patch_size": 8, **sizes},
            projection_dim=8,
        )
    )
    inputs = {
        "input_ids": torch.tensor([[48, 3, 4, 49], [48, 5, 49, 49], [48, 7, 8, 49]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]]),
        "pixel_values": torch.rand(1, 3, 32, 32),
    }
    monkeypatch.setattr(transformers.CLIPModel, "from_pretrained", lambda name: clip)
    monkeypatch.setattr(transformers.CLIPProcessor, "from_pretrained", lambda name: lambda **_: dict(inputs))
    return clip, inputs


def test_the_examples_of_the_page_run(monkeypatch, tmp_path, small_clip):
    """The page's blocks of Python, from top to bottom, with small networks in the place of large ones."""
    network = models.load("birds_resnet")
    monkeypatch.setattr(models, "load", lambda name: network)
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (300, 200), "tan").save("photo.jpg")
    small = torchvision.models.resnet18(weights=None, num_classes=300)
    monkeypatch.setattr(torchvision.models, "resnet50", lambda weights: small)
    page = (Path(__file__).parents[1] / "book" / "library.md").read_text(encoding="utf-8")
    blocks = re.findall("```python\n(.*?)```", page, re.DOTALL)
    space = {
        "contrastlib": contrastlib,
        "model": small,
        "images": torch.rand(2, 3, 64, 64),
        "target": 1,
        "other": 4,
        "photo": Image.new("RGB", (300, 200), "tan"),
        "segmentation": Segmentation(),
    }
    shapes = []
    for block in blocks:
        exec(block, space)
        shapes.append(tuple(space["maps"].shape) if "maps" in space else None)
    of_images = (1, 224, 224)
    assert shapes == [
        (2, 64, 64),
        (2, 64, 64),
        (2, 64, 64),
        *[of_images] * 6,
        (1, 2, 224, 224),
        (1, 2, 224, 224),
        (2, *of_images),
    ]
    clip, inputs = small_clip
    with torch.no_grad():
        logits = clip.eval()(**inputs).logits_per_image
    assert logits.shape == (1, 3) and space["zebra"].shape == (1, 32, 32) and space["zebra"].any()
    torch.testing.assert_close(
        contrastlib.autograd.predict(space["Prompts"](clip, space["inputs"]), space["pixels"]), logits
    )
    assert 'data-explorer="explore"' in Path("page.html").read_text(encoding="utf-8")


def test_the_layers_of_the_page_exist():
    """Each family of the table has the layer that the library itself takes."""
    page = (Path(__file__).parents[1] / "book" / "library.md").read_text(encoding="utf-8")
    table = page.partition("| network | `layer=` |")[2].partition("\n\n")[0]
    named = set(re.findall('`"(.*?)"`', table))
    assert named and named <= set(torchvision_hub.LAYERS.values())


def test_before_global_average_pooling_the_three_methods_agree():
    """As the page says of ResNet's layer4."""
    torch.manual_seed(0)
    model, images = (
        torchvision.models.resnet18(weights=None, num_classes=9).double(),
        torch.rand(2, 3, 64, 64).double(),
    )
    gradcam, *others = [
        explain(model, images, 3, method, layer="layer4")
        for method in ("gradcam", "linear_approximation", "xgradcam")
    ]
    for each in others:
        torch.testing.assert_close(each, gradcam, rtol=1e-10, atol=1e-10)


def test_the_docstring_lists_every_method_and_contrast():
    for name, record in [*EXPLAINERS.items(), *contrasts.CONTRASTS.items()]:
        assert f'``"{name}"``: {record.about}' in explain.__doc__
    assert "{" not in explain.__doc__


# --- explainers that run the network their own way ------------------------------------------------


@pytest.mark.parametrize("method", select(needs="network", contrast=True))
def test_explainers_with_a_pass_of_their_own(network, images, method):
    direct = EXPLAINERS[method].function(network, images, lambda y: contrasts.weighted(y, [1, 2, 3]))
    direct = direct.map if method == "fullgrad" else direct.sum(dim=1)
    torch.testing.assert_close(contrastlib.explain(network, images, [1, 2, 3], method=method), direct)
    with pytest.raises(ValueError, match=f"{method} makes maps of the pixels"):
        contrastlib.explain(network, images, method=method, layer="0")


@pytest.mark.parametrize("method", select(space="tokens"))
def test_explainers_of_transformers(method):
    torch.manual_seed(0)
    network = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8, num_classes=6)
    torch.nn.init.normal_(network.heads.head.weight)
    images = torch.rand(2, 3, 32, 32)
    record = explainers.vit.vit_forward(network, images)
    w = contrasts.weighted(record.logits, 4)
    direct = EXPLAINERS[method].function(record, w)
    assert direct.abs().max() > 0
    torch.testing.assert_close(contrastlib.explain(network, images, 4, method=method, upsample=False), direct)
    assert contrastlib.explain(network, images, 4, method=method).shape == (2, 32, 32)


def test_the_block_of_a_transformer():
    network = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8, num_classes=6)
    images = torch.rand(2, 3, 32, 32)
    record = explainers.vit.vit_forward(network, images)
    expected = explainers.vit_gradcam(record, contrasts.weighted(record.logits, 4), "block.0")
    found = contrastlib.explain(network, images, 4, method="vit_gradcam", layer="block.0", upsample=False)
    torch.testing.assert_close(found, expected)
    with pytest.raises(ValueError, match="no layer 'block.7'; choose one of"):
        contrastlib.explain(network, images, 4, method="vit_gradcam", layer="block.7")
    with pytest.raises(ValueError, match="reads all blocks: leave the layer"):
        contrastlib.explain(network, images, 4, method="attention_x_gradient", layer="block.0")
    with pytest.raises(TypeError, match="Vision"):
        contrastlib.explain(
            torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 6)), images, method="vit_gradcam"
        )


def test_options_of_the_method(network, images):
    """The z+ rule has to know the range of normalised images; other rules do not."""
    normalised = (images - 0.5) / 0.2
    with pytest.raises(ValueError, match=r"outside of the box.*box=\(l, h\)"):
        contrastlib.explain(network, normalised, 1, "lrp")
    assert contrastlib.explain(network, normalised, 1, "lrp", box=(-2.5, 2.5)).shape == images[:, 0].shape
    assert contrastlib.explain(network, normalised, 1, "lrp", rules="epsilon").shape == images[:, 0].shape
    few, many = (
        contrastlib.explain(network, images, 1, "integrated_gradients", steps=steps) for steps in (1, 50)
    )
    assert not torch.allclose(few, many)
    with pytest.raises(TypeError, match="steps"):
        contrastlib.explain(network, images, 1, "gradient", steps=3)


class Turning(nn.Module):
    """Predicts another class for black than for any image."""

    def __init__(self):
        super().__init__()
        self.scores = nn.Linear(3 * 16 * 16, 4)
        self.scores.bias.data = torch.tensor([2.0, 0.0, 0.0, -1.0])
        self.scores.weight.data[3] += 0.01

    def forward(self, images):
        return self.scores(images.flatten(1))


def test_along_a_path_the_target_stays_the_class_predicted_for_the_image(images):
    torch.manual_seed(0)
    network = Turning()
    assert network(torch.zeros(1, 3, 16, 16)).argmax() == 0 and (network(images).argmax(dim=1) == 3).all()
    for contrast in ("weighted", "original"):
        options = {"method": "integrated_gradients", "contrast": contrast, "contrast_at": "path"}
        assert torch.equal(explain(network, images, **options), explain(network, images, 3, **options))


def test_a_contrast_by_its_function(network, images):
    assert torch.equal(
        explain(network, images, 2, contrast=contrasts.maximum),
        explain(network, images, 2, contrast="maximum"),
    )
    among = explain(network, images, 2, contrast=contrasts.among, foils=[0])
    assert torch.equal(among, explain(network, images, 2, contrast="among", foils=[0]))


def test_a_layer_is_one_name(network, images):
    with pytest.raises(TypeError, match="layer must be the name of one layer, got .*'0', '3'"):
        explain(network, images, layer=["0", "3"])


def test_a_vision_transformer_is_explained_by_its_tokens():
    torch.manual_seed(0)
    transformer = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8, num_classes=5)
    images = torch.rand(2, 3, 32, 32)
    transformer.heads.head.weight.data.normal_()
    assert torch.equal(explain(transformer, images), explain(transformer, images, method="vit_gradcam"))


@pytest.mark.slow
def test_modules_are_there_when_they_are_asked_for():
    code = (
        "import contrastlib, sys; assert 'torch' not in sys.modules; "
        "contrastlib.models.load; contrastlib.contrasts.weighted"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert {"explain", "models", "autograd"} <= set(dir(contrastlib)) and not hasattr(contrastlib, "model")


@pytest.mark.parametrize("contrast", [name for name, each in CONTRASTS.items() if each.takes_group])
def test_without_a_target_the_group_of_each_image_is_its_predicted_class(network, images, contrast):
    network[-1].bias.data[:] = 0
    predicted = contrastlib.autograd.predict(network, images).argmax(dim=1)
    images = torch.cat([images, images[:1]])  # two images of the same prediction
    maps = explain(network, images, contrast=contrast)
    for index, target in enumerate([*predicted.tolist(), predicted[0].item()]):
        alone = explain(network, images[index : index + 1], target, contrast=contrast)
        torch.testing.assert_close(maps[index : index + 1], alone)


class ChannelsLast(nn.Module):
    """A network whose layer ``last`` gives (B, h, w, K)."""

    def __init__(self):
        super().__init__()
        self.conv, self.last, self.head = nn.Conv2d(3, 8, 2, stride=2), nn.ReLU(), nn.Linear(8, CLASSES)

    def forward(self, x):
        return self.head(self.last(self.conv(x).permute(0, 2, 3, 1)).mean(dim=(1, 2)))


@pytest.mark.parametrize("method", ["gradient", "input_x_gradient", "gradcam", "linear_approximation"])
def test_a_layer_with_its_channels_last_has_no_map(images, method):
    with pytest.raises(ValueError, match=r"layer 'last' gives \(3, 8, 16, 8\).*looks like \(B, h, w, K\)"):
        explain(ChannelsLast(), torch.cat([images, images], dim=3), method=method, layer="last")


def test_layers_of_a_transformer_that_the_documentation_names():
    torch.manual_seed(0)
    model = VisionTransformer(32, 8, 2, 2, 8, 16, num_classes=CLASSES)
    nn.init.normal_(model.heads.head.weight)
    images = torch.rand(2, 3, 32, 32)
    for layer in ("norm.0", "block.0"):
        expected = explain(model, images, 1, method="vit_gradcam", layer=layer)
        assert expected.any() and torch.equal(explain(model, images, 1, layer=layer), expected)
    with pytest.raises(ValueError, match=r"a method of a layer \(B, K, h, w\)"):
        explain(model, images, 1, contrast="case")


def test_the_default_layer_under_the_detection_of_anomalies(images):
    class Enlarging(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, CLASSES)

        def forward(self, x):
            x = nn.functional.interpolate(self.conv(x), scale_factor=2, mode="bilinear")
            return self.head(x.mean(dim=(2, 3)))

    model = Enlarging()
    expected = explain(model, images, 1, layer="conv")
    with torch.autograd.set_detect_anomaly(True):
        assert torch.equal(explain(model, images, 1), expected)


@pytest.mark.parametrize(
    "given, kind, complaint",
    [
        (
            {"regression": True, "strength": 0.5},
            TypeError,
            "a regression compares no classes: leave strength out",
        ),
        ({"frames": 3.0}, TypeError, "frames must be the number of frames of an image, got 3.0"),
        ({"frames": "2"}, TypeError, "frames must be the number of frames of an image, got '2'"),
        ({"frames": 0}, ValueError, "frames is 0: an image has 1 frame or more"),
        ({"layer": ""}, ValueError, "the name of the layer is empty: name a layer, or leave it out"),
    ],
)
def test_arguments_that_were_ignored_or_not_understood(network, images, given, kind, complaint):
    with pytest.raises(kind, match=complaint):
        explain(network, images, 1, **given)


def test_scores_of_one_position(images):
    model = nn.Sequential(nn.Conv2d(3, CLASSES, 3), nn.AdaptiveAvgPool2d(1))
    with pytest.raises(ValueError, match=r"output=lambda y: y\.flatten\(1\)"):
        explain(model, images, 1)
    assert explain(model, images, 1, output=lambda y: y.flatten(1)).any()
