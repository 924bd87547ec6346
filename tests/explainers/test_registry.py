"""The records of the explainers: complete, true, and all that is needed to add a method."""

import dataclasses
import inspect
import re
import sys
from pathlib import Path

import offered
import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer

import contrastlib
from contrastlib import explainers
from contrastlib.autograd import INPUT, forward
from contrastlib.explainers import CHANNELS, EXPLAINERS, lrp, registry, select
from contrastlib.explainers.explainer import RECORDS, Explainer, register
from contrastlib.explainers.vit import vit_forward

CLASSES, LAYER = 6, "2"
EXACT = {"rtol": 1e-10, "atol": 1e-10}
HELPERS = {"Explainer", "class_maps", "select", "upsample"}


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def convolutional():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 49, CLASSES),
    ).double()


@pytest.fixture
def transformer():
    torch.manual_seed(0)
    network = VisionTransformer(
        32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8, num_classes=CLASSES
    ).double()
    nn.init.normal_(network.heads.head.weight)
    return network


def network_of(explainer, convolutional, transformer):
    return transformer if explainer.space == "tokens" else convolutional


def found(explainer, network, images, w):
    """What the function returns, called as its explainer says; w is a cotangent, or a target."""
    if explainer.needs == "network":
        return explainer.map(explainer.function(network, images, lambda y: w))
    layer = INPUT if explainer.space == "pixels" else LAYER
    record = (
        vit_forward(network, images) if explainer.needs == "tokens pass" else forward(network, images, layer)
    )
    return explainer.map(explainer.function(record, w))


# --- the records are complete ------------------------------------------------------------------------


def test_every_public_explainer_has_a_record():
    named = {name for name in explainers.__all__ if callable(getattr(explainers, name))}
    assert named - HELPERS <= {explainer.function.__name__ for explainer in EXPLAINERS.values()}
    assert {"lrp", "clrp1", "clrp2", "sglrp"} <= EXPLAINERS.keys()


def test_records_are_frozen_and_say_all():
    keys = set(
        re.findall(
            r"@\w+{(\w+),",
            (Path(__file__).parents[2] / "book" / "references.bib").read_text(encoding="utf-8"),
        )
    )
    for name, explainer in EXPLAINERS.items():
        assert explainer.name == name and explainer.title and explainer.formula and explainer.cost
        assert re.fullmatch(r"[A-Z].*\.", explainer.about), name
        assert explainer.paper in keys, name
        assert explainer.for_transformers in {"", *EXPLAINERS}
        with pytest.raises(dataclasses.FrozenInstanceError):
            explainer.title = ""
    assert len({explainer.title for explainer in EXPLAINERS.values()}) == len(EXPLAINERS)


def test_options_are_those_of_the_signature():
    assert EXPLAINERS["integrated_gradients"].options == {
        "baseline": None,
        "steps": 128,
        "contrast_at": "image",
        "batch": 16,
    }
    assert EXPLAINERS["gradcam"].options == {}
    assert EXPLAINERS["clrp1"].options.keys() == {
        "dual",
        "signed",
        "rules",
        "biases",
        "average_pooling",
        "box",
    }
    assert EXPLAINERS["lrp"].options["box"] == (0.0, 1.0)
    for explainer in EXPLAINERS.values():  # none is hidden in **options
        several = any(
            each.kind is each.VAR_KEYWORD
            for each in inspect.signature(explainer.function).parameters.values()
        )
        assert several == (explainer.passes_options_to is not None)


def test_unknown_options_are_told_the_known_ones(convolutional, images):
    with pytest.raises(TypeError, match="gradcam has no option 'steps'; it has none"):
        contrastlib.explain(convolutional, images, 1, steps=3)
    with pytest.raises(TypeError, match="lrp has no option 'step'; it has score, rules, biases"):
        contrastlib.explain(convolutional, images, 1, "lrp", step=3)


# --- the records are true ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", [name for name, each in EXPLAINERS.items() if each.contrast])
def test_a_linear_explainer_adds_and_no_other_does(method, convolutional, transformer, images):
    explainer, generator = EXPLAINERS[method], torch.Generator().manual_seed(2)
    network = network_of(explainer, convolutional, transformer)
    v, w = torch.randn(2, len(images), CLASSES, dtype=torch.float64, generator=generator)
    one, other, both = (found(explainer, network, images, each) for each in (v, w, v + w))
    assert both.abs().max() > 1e-6  # zero would show nothing
    gap = ((one + other - both).abs().max() / both.abs().max()).item()
    assert gap <= 1e-10 if explainer.linear else gap > 1e-3


@pytest.mark.parametrize("method", EXPLAINERS)
def test_space_and_needs_are_what_explain_gives(method, convolutional, transformer, images):
    explainer = EXPLAINERS[method]
    network = network_of(explainer, convolutional, transformer)
    maps = contrastlib.explain(network, images, 1, method, upsample=False)
    w = contrastlib.contrasts.weighted(network.eval()(images).detach(), 1) if explainer.contrast else 1
    torch.testing.assert_close(maps, found(explainer, network, images, w), **EXACT)
    sizes = {"pixels": (32, 32), "layer": (7, 7), "tokens": (4, 4)}
    assert maps.shape == (2, *sizes[explainer.space]) and maps.any()
    if not explainer.takes_layer:
        with pytest.raises(ValueError, match=f"{method} .*leave the layer '2' out"):
            contrastlib.explain(network, images, 1, method, layer="2")


def test_an_explainer_of_a_layer_has_its_form_for_transformers(transformer, images):
    maps = contrastlib.explain(transformer, images, 1, "gradcam")
    assert torch.equal(
        maps, contrastlib.explain(transformer, images, 1, EXPLAINERS["gradcam"].for_transformers)
    )


# --- the relevance family, and the channels -----------------------------------------------------------


@pytest.mark.parametrize("method", ["clrp1", "clrp2", "sglrp"])
@pytest.mark.parametrize("target", [2, [2, 5], None])
def test_explain_gives_the_maps_of_the_relevance_methods(method, target, convolutional, images):
    expected = getattr(lrp, method)(
        convolutional, images, convolutional(images).argmax(1) if target is None else target
    )
    torch.testing.assert_close(
        contrastlib.explain(convolutional, images, target, method), expected.sum(1), **EXACT
    )


def test_lrp_of_a_class_starts_from_its_logit_everywhere(convolutional, images):
    logits = convolutional(images)
    target = logits.argmin(dim=1)
    assert (logits.gather(1, target[:, None]) < 0).all()
    maps = contrastlib.explain(convolutional, images, target, "lrp", "original")
    expected = lrp.lrp(convolutional, images, lambda y: lrp.logit(y, target)).sum(1)
    torch.testing.assert_close(maps, expected, **EXACT)
    torch.testing.assert_close(
        lrp.relevance_maps(convolutional, images, target, ["lrp"])["lrp"].sum(1), maps, **EXACT
    )
    torch.testing.assert_close(
        contrastlib.explain(convolutional, images, target, "lrp", "original", score="absolute"), -maps
    )


def test_options_of_the_relevance_methods(convolutional, images):
    for options in ({"dual": "logits"}, {"signed": True}, {"signed": True, "rules": "epsilon"}):
        expected = lrp.clrp1(convolutional, images, 1, **options).sum(1)
        torch.testing.assert_close(
            contrastlib.explain(convolutional, images, 1, "clrp1", **options), expected, **EXACT
        )


@pytest.mark.parametrize("method", select(contrast=False, space="pixels"))
@pytest.mark.parametrize(
    "asked",
    [
        {"contrast": "mean"},
        {"contrast": "original"},
        {"contrast": torch.ones(2, CLASSES)},
        {"contrast": "among", "foils": [0]},
        {"foils": [0]},
    ],
)
def test_a_method_with_its_own_initial_relevance_takes_no_contrast(method, asked, convolutional, images):
    says = f'{method} defines its initial relevance itself: leave contrast and foils out, or use method="lrp"'
    with pytest.raises(ValueError, match=says):
        contrastlib.explain(convolutional, images, 1, method, **asked)


@pytest.mark.parametrize("method", [name for name, each in EXPLAINERS.items() if each.has_channels])
def test_channels_are_added_up_unless_another_reading_is_named(method, convolutional, images):
    explainer = EXPLAINERS[method]
    w = contrastlib.contrasts.weighted(convolutional(images).detach(), 1) if explainer.contrast else 1
    each = (
        explainer.function(convolutional, images, lambda y: w)
        if explainer.needs == "network"
        else explainer.function(forward(convolutional, images), w)
    )
    torch.testing.assert_close(
        contrastlib.explain(convolutional, images, 1, method), each.sum(dim=1), **EXACT
    )
    greatest = contrastlib.explain(convolutional, images, 1, method, channels="abs_max")
    torch.testing.assert_close(greatest, each.abs().amax(dim=1), **EXACT)


def test_channels_that_do_not_exist(convolutional, images):
    with pytest.raises(ValueError, match=f"unknown channels 'mean'; choose one of {', '.join(CHANNELS)}"):
        contrastlib.explain(convolutional, images, 1, "gradient", channels="mean")
    for method in ("gradcam", "fullgrad"):
        with pytest.raises(ValueError, match=f"{method} gives one map and not one for each channel"):
            contrastlib.explain(convolutional, images, 1, method, channels="abs_max")


# --- a new method -------------------------------------------------------------------------------------


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """One more module in the package of the explainers, and nothing else."""
    (tmp_path / "toy_explainer.py").write_text(offered.EXPLAINER)
    monkeypatch.setattr(explainers, "__path__", [*explainers.__path__, str(tmp_path)])
    before = dict(RECORDS)
    registry.load_modules()
    yield
    RECORDS.clear()
    RECORDS.update(before)
    del sys.modules["contrastlib.explainers.toy_explainer"], explainers.toy_explainer
    monkeypatch.undo()
    registry.load_modules()
    assert "toy" not in EXPLAINERS


def test_a_new_method_is_one_file(toy, capsys):
    offered.check_explainer("contrastlib.explainers.toy_explainer", capsys)


def test_two_explainers_of_one_name():
    with pytest.raises(ValueError, match="two explainers are called 'gradcam'"):
        register(
            **{
                field.name: getattr(EXPLAINERS["gradcam"], field.name)
                for field in dataclasses.fields(Explainer)
                if field.name != "function"
            }
        )(lambda record, w: w)
