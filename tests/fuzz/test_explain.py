"""``contrastlib.explain`` over small random networks and all kinds of arguments."""

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from outcomes import fuzzed, outcome
from random_networks import ENDS, recipes
from strategies import foils, images, mostly, targets, wrong_foils, wrong_targets
from torch import nn

import contrastlib
from contrastlib import contrasts
from contrastlib.contrasts import CONTRASTS
from contrastlib.explainers import EXPLAINERS

LINEAR = ("gradient", "input_x_gradient", "gradcam", "linear_approximation", "xgradcam")


def state_of(model):
    """All that ``explain`` has to leave as it found it."""
    hooks = [name for name in vars(nn.Module()) if "hooks" in name]
    return {
        "tensors": {name: value.clone() for name, value in model.state_dict().items() if not value.is_meta},
        "modules": {name: (type(m), m.training, sorted(vars(m)), [len(getattr(m, each)) for each in hooks])
                    for name, m in model.named_modules()},
        "parameters": {name: (p.requires_grad, p.grad is None, id(p))
                       for name, p in model.named_parameters()},
        "grad": torch.is_grad_enabled(), "random": torch.get_rng_state(), "dtype": torch.get_default_dtype(),
    }  # fmt: skip


def assert_same(before, after):
    for what in ("modules", "parameters", "grad", "dtype"):
        assert before[what] == after[what], what
    assert torch.equal(before["random"], after["random"]), "random numbers were drawn"
    for name, value in before["tensors"].items():
        assert torch.equal(value, after["tensors"][name]), name


def explained(model, x, **arguments):
    """What comes of ``explain``; the model and the images are what they were."""
    before = state_of(model) if isinstance(model, nn.Module) else None
    copy = x.detach().clone() if isinstance(x, torch.Tensor) and not (x.is_meta or x.is_sparse) else None
    found = outcome("explain", lambda: contrastlib.explain(model, x, **arguments))
    if before:
        assert_same(before, state_of(model))
    if copy is not None:
        assert torch.equal(x.detach().nan_to_num(), copy.nan_to_num()), "the images changed"
    return found


def assert_maps(maps, x, upsample):
    assert isinstance(maps, torch.Tensor) and not maps.requires_grad and maps.dtype == x.dtype
    assert maps.ndim == 3 and len(maps) == len(x)
    if upsample:
        assert maps.shape[1:] == x.shape[-2:]
    assert maps.isfinite().all(), "the map is not finite"


def activations_of(model, x, layer):
    """Activations with their graph, and logits, by plain autograd; later work in place changes a copy."""
    kept = []

    def keep(module, inputs, output):
        kept.append(output.detach().requires_grad_())
        return kept[-1].clone()

    model.eval()
    if layer == "input":
        kept.append(x.detach().clone().requires_grad_())
        return kept[0], model(kept[0].clone())
    handle = model.get_submodule(layer).register_forward_hook(keep)
    y = model(x.detach().clone())
    handle.remove()
    return kept[0], y


def plain(method, a, g):
    """The maps of the linear methods, from activations and gradients (B, K, h, w)."""
    if method == "gradient":
        return g.sum(1)
    if method in ("input_x_gradient", "linear_approximation"):
        return (a * g).sum(1)
    norm = a.abs().sum((2, 3))  # 0 for a channel that is 0 everywhere, which adds nothing
    weights = g.mean((2, 3)) if method == "gradcam" else (a * g).sum((2, 3)) / torch.where(norm == 0, 1, norm)
    return (weights[:, :, None, None] * a).sum(1)


@st.composite
def questions(draw, batch, classes):
    """Target, contrast and foils that fit together."""
    count = max(2, classes)
    target, chosen = draw(targets(batch, count))
    name = draw(st.sampled_from([name for name, each in CONTRASTS.items() if each.is_of_one_class]))
    given_foils = draw(foils(chosen, count))[0] if CONTRASTS[name].takes_foils else None
    return {"target": target, "contrast": name, "foils": given_foils}


@fuzzed(0.1)
@given(st.data())
def test_linear_methods_are_plain_autograd(data):
    recipe = data.draw(recipes(dtypes=(torch.float64, torch.float32), transformers=False))
    network, batch = recipe.build(), data.draw(st.integers(1, 3))
    x = data.draw(images(batch, recipe.channels, recipe.size, recipe.dtype))
    question = data.draw(questions(batch, recipe.classes))
    method = data.draw(st.sampled_from(LINEAR))
    names = [
        name
        for name, _ in network.named_modules()
        if name.count(".") == 0 and name and not name.startswith("head")
    ]
    layer = "input" if EXPLAINERS[method].space == "pixels" else data.draw(st.sampled_from(names))
    upsample = data.draw(st.booleans())
    found = explained(network, x, method=method, layer=layer, upsample=upsample, **question)
    if found.error:  # the layer has no spatial positions, or only one
        assert layer != "input" and "layer" in str(found.error), found.error
        return
    a, y = activations_of(network, x, layer)
    w = contrasts.cotangent(question["contrast"], y, question["target"], question["foils"])
    g = torch.autograd.grad((w * y).sum(), a, allow_unused=True, materialize_grads=True)[0]
    wanted = plain(method, a.detach(), g)
    if upsample and wanted.shape[1:] != x.shape[-2:]:
        wanted = F.interpolate(wanted[:, None], x.shape[-2:], mode="bilinear")[:, 0]
    assert_maps(found.value, x, upsample)
    eps = torch.finfo(recipe.dtype).eps
    torch.testing.assert_close(
        found.value, wanted, rtol=0, atol=float(1e4 * eps * (wanted.abs().max() + eps))
    )


WRONG_OPTIONS = st.one_of(
    st.none(),
    st.integers(-3, 3),
    st.floats(width=16),
    st.text(max_size=3),
    st.booleans(),
    st.sampled_from(
        [
            [],
            [0.5],
            {},
            (0, 1),
            torch.zeros(2),
            torch.ones(1, 3, 1, 1),
            np.zeros(3),
            object(),
            len,
            10**30,
            [None],
        ]
    ),
)


@st.composite
def options_of(draw, method):
    """Options of a method: right ones, wrong values of right ones, and unknown ones."""
    values = {
        "baseline": st.sampled_from([
            None, 0, 0.5, 1, [0.1, 0.2, 0.3], [0.5], torch.tensor(0.5), torch.zeros(1, 3, 1, 1),
            torch.full((3,), 0.5), np.zeros(3), "black", torch.nan, [[0.0]], torch.zeros(5),
        ]),
        "steps": st.integers(1, 5), "batch": st.integers(1, 5),
        "contrast_at": st.sampled_from(["image", "path"]),
        "normaliser": st.sampled_from(["absolute", "sum"]), "score": st.sampled_from(["logit", "absolute"]),
        "postprocess": st.sampled_from(["identity", "positive", "absolute", "rescaled"]),
        "rules": st.sampled_from(["z_plus", "epsilon", "z"]), "biases": st.booleans(),
        "average_pooling": st.sampled_from([None, "even", "proportional"]),
        "box": st.sampled_from([
            (0, 1), (-1, 1), (-1e3, 1e3), (0.0, 255.0), (0, torch.ones(3, 1, 1)), (1, 0), (0,), (0, 1, 2),
        ]),
        "gradients": st.sampled_from(["aligned", "reversed"]),
        "discard_ratio": st.sampled_from([0, 0.5, 0.9]),
        "normalise": st.sampled_from(["absolute", "rows", "transposed", "none"]),
        "negatives": st.sampled_from(["keep", "clip"]),
    }  # fmt: skip
    known = list(EXPLAINERS[method].options) if method in EXPLAINERS else []
    found = {}
    for name in draw(st.lists(st.sampled_from(known), max_size=2, unique=True)) if known else []:
        found[name] = draw(mostly(values.get(name, st.booleans()), WRONG_OPTIONS, one_in=6))
    if draw(st.integers(0, 30)) == 30:
        found[draw(st.sampled_from(["stepz", "rules", "relu", "n_samples"]))] = 1
    return found


def wrong_images(x):
    other = {torch.float32: torch.float64}.get(x.dtype, torch.float32)
    return st.sampled_from([
        x[0], x[None], x[:0], x[..., :0], (255 * x).to(torch.uint8),
        x.detach().numpy() if x.dtype != torch.bfloat16 else None, None,
        x.to(other), x * torch.nan, x.to("meta"), x[:, :1].repeat(1, 7, 1, 1),
        x[..., :1], x[..., :1, :1], x.to(torch.complex64), x.repeat(1, 1, 2, 2),
        x.double() * 1e38 if x.dtype == torch.float64 else x + 1e38, [x], "image.png", x.detach().to_sparse(),
        x.float().bool(), x.transpose(1, 3),
    ])  # fmt: skip


@st.composite
def calls(draw):
    """A recipe of a network, and arguments of ``explain``: most are right, each is wrong now and then."""
    method = draw(
        mostly(
            st.sampled_from(list(EXPLAINERS)), st.sampled_from(["", "lime", None, 3, ["gradcam"]]), one_in=40
        )
    )
    plain_layers = draw(st.booleans())
    ends = ("logits",) * 40 + tuple(ENDS)
    recipe = draw(recipes(piecewise_linear=plain_layers, ends=ends))
    batch, classes = draw(st.integers(1, 3)), recipe.classes
    x = draw(images(batch, recipe.channels, recipe.size, recipe.dtype))
    x = draw(mostly(st.just(x), wrong_images(x), one_in=15))
    question = draw(questions(batch, classes))
    count = max(2, classes)
    weights = st.sampled_from([
        torch.ones(batch, classes), torch.ones(batch, classes + 1), torch.ones_like,
        lambda y: None, lambda y: y * torch.nan, lambda y: y.detach().softmax(1),
        np.ones((batch, classes)), "best", None, 3, len,
    ])  # fmt: skip
    if not getattr(EXPLAINERS.get(method) if isinstance(method, str) else None, "contrast", True) and draw(
        st.integers(0, 5)
    ):
        question = {"target": question["target"]}
    else:
        question["contrast"] = draw(mostly(st.just(question["contrast"]), weights, one_in=15))
        question["foils"] = draw(mostly(st.just(question["foils"]), wrong_foils(batch, count), one_in=25))
    question["target"] = draw(
        mostly(st.just(question["target"]) | st.none(), wrong_targets(batch, count), one_in=25)
    )
    names = [
        "0", "1", "2", "input", "", "nowhere", "encoder.ln", "conv_proj", "block.0", "norm.0", "norm.1",
        "attention.0", "encoder.layers.encoder_layer_0.mlp",
    ]  # fmt: skip
    takes = getattr(EXPLAINERS.get(method) if isinstance(method, str) else None, "takes_layer", True)
    layer = draw(
        mostly(
            st.sampled_from([None, "0", "1"]) if takes else st.none(),
            st.sampled_from([*names, 3, ["0"], b"0"]),
            one_in=15,
        )
    )
    return recipe, x, {
        "method": method, **question, "layer": layer,
        "upsample": draw(mostly(st.booleans(), st.sampled_from([0, "no", None]), one_in=30)),
        "channels": draw(
            mostly(st.just("sum"), st.sampled_from(["abs_max", "mean", None, ["sum"], 1]), one_in=10)
        ),
        **draw(options_of(method if isinstance(method, str) else "")),
    }  # fmt: skip


@fuzzed(0.25)
@given(calls())
def test_any_call_gives_maps_or_a_named_error(call):
    recipe, x, arguments = call
    found = explained(recipe.build(), x, **arguments)
    if not found.error:
        assert_maps(found.value, x, arguments["upsample"])


@fuzzed(0.02)
@given(st.sampled_from([
    None, "network", len, nn.Conv2d, 3, [nn.Identity()], nn.Identity(), nn.Module(), nn.Flatten(),
    nn.Conv2d(3, 2, 3), nn.Linear(4, 2), nn.Sequential(), nn.ModuleList([nn.Conv2d(3, 4, 3)]),
    nn.LSTM(4, 4), nn.Softmax(1), nn.Sequential(nn.Flatten(), nn.Linear(48, 3, device="meta")),
]), st.sampled_from(list(EXPLAINERS)))  # fmt: skip
def test_what_is_no_classifier(model, method):
    explained(model, torch.rand(2, 3, 4, 4), method=method)
