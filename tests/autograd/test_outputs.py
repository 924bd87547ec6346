"""The logits are found in what a network returns, or the message says what to write."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

import contrastlib
from contrastlib import contrasts, explainers
from contrastlib.autograd import forward, predict, read_logits, reading
from contrastlib.explainers import EXPLAINERS, select

BATCH, CLASSES = 3, 5
Named = namedtuple("Named", ["logits", "features"])
Pair = namedtuple("Pair", ["scores", "features"])


@dataclass
class Result:
    logits: Tensor
    loss: Tensor | None = None


@dataclass
class Scores:
    scores: Tensor


class Returning(nn.Module):
    """A small network whose output is made of its logits and its features."""

    def __init__(self, make):
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.classes, self.make = nn.Linear(128, CLASSES), make

    def forward(self, x):
        features = self.features(x)
        return self.make(self.classes(features), features)


@pytest.fixture
def images():
    return torch.rand(BATCH, 3, 12, 12, generator=torch.Generator().manual_seed(1))


FOUND = {
    "a tensor": lambda y, f: y,
    "a dictionary": lambda y, f: {"features": f, "logits": y},
    "an ordered dictionary": lambda y, f: OrderedDict(logits=y, loss=None),
    "a dataclass": lambda y, f: Result(y),
    "a named tuple": Named,
    "an object": lambda y, f: SimpleNamespace(logits=y, features=f),
    "a tuple": lambda y, f: (y, f.view(BATCH, 8, 16)),
    "a tuple with a loss": lambda y, f: (y.sum(), y),
    "a tuple with the predicted classes": lambda y, f: (y, y.argmax(1)[:, None]),
    "a list of one": lambda y, f: [y],
    "a tuple around a dictionary": lambda y, f: (f, {"logits": y}),
}


@pytest.mark.parametrize("kind", FOUND)
def test_logits_that_are_found(images, kind):
    network, plain = Returning(FOUND[kind]), Returning(FOUND["a tensor"])
    assert torch.equal(predict(network, images), predict(plain, images))
    assert torch.equal(contrastlib.explain(network, images), contrastlib.explain(plain, images))


CHOSEN = [
    (lambda y, f: {"class": y, "features": f}, "class"),
    (lambda y, f: (f, y), 1),
    (lambda y, f: (f, y), -1),
    (Pair, "scores"),
    (Pair, 0),
    (lambda y, f: Scores(y), "scores"),
    (lambda y, f: {7: y}, 7),
    (lambda y, f: SimpleNamespace(scores=y), "scores"),
    (lambda y, f: y.T, lambda y: y.T),
    (lambda y, f: {"heads": [f, y]}, lambda y: y["heads"][1]),
    (lambda y, f: y[..., None], lambda y: y[..., 0]),
    (lambda y, f: {"logits": f, "class": y}, "class"),
]


@pytest.mark.parametrize("make, output", CHOSEN)
def test_logits_that_are_named(images, make, output):
    network, plain = Returning(make), Returning(FOUND["a tensor"])
    expected = predict(plain, images)
    assert torch.equal(predict(network, images, output=output), expected)
    assert torch.equal(forward(network, images, output=output).logits, expected)
    assert torch.equal(
        contrastlib.explain(network, images, output=output), contrastlib.explain(plain, images)
    )


@pytest.mark.parametrize("method", select(space="layer", contrast=True) | select(space="pixels"))
@pytest.mark.parametrize("around", [torch.enable_grad, torch.no_grad])
def test_every_method_reads_the_output(images, method, around):
    network, plain = Returning(lambda y, f: {"class": y, "features": f}), Returning(FOUND["a tensor"])
    expected = contrastlib.explain(plain, images, 1, method)
    with around():
        for output in ("class", lambda y: y["class"]):
            assert torch.equal(contrastlib.explain(network, images, 1, method, output=output), expected)


@pytest.mark.parametrize("method", select(space="tokens"))
def test_explainers_of_transformers_read_the_output(method):
    from torchvision.models import VisionTransformer

    torch.manual_seed(0)
    transformer = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8, num_classes=5)
    nn.init.normal_(transformer.heads.head.weight)

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.transformer = transformer

        def forward(self, x):
            return {"class": self.transformer(x)}

    pixels = torch.rand(2, 3, 32, 32)
    given = contrastlib.explain(Wrapped(), pixels, 1, method, output=lambda y: 2 * y["class"])
    if EXPLAINERS[method].linear:
        torch.testing.assert_close(
            given,
            2
            * contrastlib.explain(
                transformer, pixels, 1, method, contrast=(lambda y: contrasts.weighted(2 * y, 1))
            ),
        )
    assert given.shape == (2, 32, 32) and given.any()


def test_an_evaluation_reads_the_output_inside_the_context(images):
    network = Returning(lambda y, f: {"class": y, "features": f})
    with reading("class"):
        record = forward(network, images, "features.0")
        assert explainers.gradcam(record, contrasts.weighted(predict(network, images), 1)).shape == (
            BATCH,
            10,
            10,
        )
    with pytest.raises(ValueError, match="got dict"):
        predict(network, images)


@pytest.mark.parametrize("make, output, error, says", [
    (lambda y, f: {"class": y, "features": f}, None, ValueError,
     (r"got dict with \['class'\] \(3, 5\), \['features'\] \(3, 128\): "
      r"say which.*output=lambda y: y\['class'\]")),
    (lambda y, f: (y, f), None, ValueError, r"got tuple with \[0\] \(3, 5\), \[1\] \(3, 128\): say which"),
    (lambda y, f: ({"logits": y}, {"logits": y}), None, ValueError,
     r"\[0\]\['logits'\] \(3, 5\), \[1\]\['logits'\]"),
    (lambda y, f: None, None, ValueError, "got NoneType: wrap it in a module that returns the logits alone"),
    (lambda y, f: "owl", None, ValueError, "got str: wrap it"),
    (lambda y, f: {"logits": y.view(BATCH, CLASSES, 1, 1)}, None, ValueError,
     r"got \(3, 5, 1, 1\).*score of each image.*output=lambda y: y\['logits'\]\.flatten\(1\)"),
    (lambda y, f: {"logits": y.view(BATCH, CLASSES, 1, 1).expand(-1, -1, 2, 1)}, None, ValueError,
     r"got \(3, 5, 2, 1\).*mask.*output=lambda y: y\['logits'\]\[:, :, mask\]\.mean\(dim=-1\)"),
    (lambda y, f: y[:, None], None, ValueError, r"got \(3, 1, 5\).*output=lambda y: y\[:, 0\]"),
    (lambda y, f: y[:, 0], None, ValueError, r"got \(3,\).*output=lambda y: y\[:, None\]"),
    (lambda y, f: y[:2], None, ValueError,
     r"must return logits \(3, C\), one row for each image, got \(2, 5\)$"),
    (lambda y, f: (y, f), "logits", ValueError,
     r"output='logits' is no tensor in the tuple .* \[0\] \(3, 5\)"),
    (lambda y, f: (y, f), 2, ValueError, "output=2 is no tensor in the tuple"),
    (lambda y, f: {"class": y}, "classes", ValueError,
     r"output='classes' is no tensor in the dict .*\['class'\]"),
    (lambda y, f: y, 0, ValueError, "output=0 is no tensor in the Tensor"),
    (lambda y, f: y, lambda y: y.tolist(), TypeError,
     "function output must return a tensor .B, C., got list"),
    (lambda y, f: y, lambda y: y.long(), TypeError, "floating-point tensor, got torch.int64"),
    (lambda y, f: y, lambda y: y[0], ValueError, r"must return logits \(3, C\).*got \(5,\)"),
    (lambda y, f: y, 1.5, TypeError, "output must be a name, an index or a function of the output, got 1.5"),
    (lambda y, f: y, True, TypeError,
     "output must be a name, an index or a function of the output, got True"),
])  # fmt: skip
def test_what_cannot_be_read_says_what_to_write(images, make, output, error, says):
    for attempt in (contrastlib.explain, forward, predict):
        with pytest.raises(error, match=says):
            attempt(Returning(make), images, output=output)


def test_the_code_of_the_messages_works(images):
    """The recipe that a message gives reads scores (B, C)."""
    mask = torch.ones(2, 2, dtype=torch.bool)
    for make in (
        lambda y, f: {"class": y, "features": f},
        lambda y, f: (y, f),
        lambda y, f: y[:, 0],
        lambda y, f: {"out": f.view(BATCH, 32, 2, 2)},
        lambda y, f: (f, f.view(BATCH, 8, 4, 4), y),
        lambda y, f: f.view(BATCH, 4, 32),
    ):
        output = Returning(make)(images)
        with pytest.raises(
            ValueError, match="the model must return logits.*such as output=lambda y: y"
        ) as caught:
            read_logits(output, BATCH)
        function = eval(str(caught.value).partition("such as output=")[2], {"mask": mask})
        with reading(function):
            assert read_logits(output, BATCH).ndim == 2


def test_the_hugging_face_output():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    settings = transformers.ResNetConfig(
        num_channels=3,
        embedding_size=8,
        hidden_sizes=[8, 16],
        depths=[1, 1],
        layer_type="basic",
        num_labels=CLASSES,
    )
    network = transformers.ResNetForImageClassification(settings).eval()
    pixels = torch.rand(2, 3, 32, 32)
    layer = "resnet.encoder.stages.1"
    with torch.no_grad():
        assert torch.equal(predict(network, pixels), network(pixels).logits)
    for method, options in (
        ("gradcam", {"layer": layer}),
        ("gradient", {}),
        ("integrated_gradients", {"steps": 4}),
    ):
        maps = contrastlib.explain(network, pixels, 1, method, **options)
        assert maps.shape == (2, 32, 32) and maps.any()
        assert torch.equal(maps, contrastlib.explain(network, pixels, 1, method, output="logits", **options))
        assert torch.equal(
            maps, contrastlib.explain(network, pixels, 1, method, output=lambda y: y[0], **options)
        )
