"""Explainers of Vision Transformers: one pass, written-out attention, and each map against plain loops."""

import itertools
import math

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer

import contrastlib
from contrastlib import contrasts
from contrastlib.autograd import predict
from contrastlib.explainers import select
from contrastlib.explainers.vit import (
    PUBLISHED,
    REVIEW,
    attention_rollout,
    attention_x_gradient,
    gradient_attention_rollout,
    vit_forward,
    vit_gradcam,
)

EXACT = {"rtol": 1e-10, "atol": 1e-10}
CLASSES, BLOCKS, HEADS, SIDE, TARGET = 6, 3, 2, 4, torch.tensor([1, 2, 3])


@pytest.fixture
def transformer():
    torch.manual_seed(0)
    network = VisionTransformer(
        image_size=32, patch_size=8, num_layers=BLOCKS, num_heads=HEADS, hidden_dim=8, mlp_dim=16,
        dropout=0.1, attention_dropout=0.1, num_classes=CLASSES,
    )  # fmt: skip
    for weights in network.parameters():  # torchvision's head begins at 0, its attention nearly uniform
        nn.init.normal_(weights, std=0.5)
    return network.double().eval()


@pytest.fixture
def record(transformer, images):
    return vit_forward(transformer, images)


@pytest.fixture
def weights(record):
    return contrasts.weighted(record.logits, TARGET)


def by_hand(network, images):
    """The network written out for autograd: logits, and what every block does."""
    tokens = network.conv_proj(images).flatten(2).transpose(1, 2)
    tokens = torch.cat([network.class_token.expand(len(images), -1, -1), tokens], dim=1)
    tokens = tokens + network.encoder.pos_embedding
    kept = {}
    for number, block in enumerate(network.encoder.layers):
        normed = kept[f"norm.{number}"] = block.ln_1(tokens)
        module, heads, matrices = block.self_attention, [], []
        width = module.embed_dim // HEADS
        parts = zip(module.in_proj_weight.chunk(3), module.in_proj_bias.chunk(3))
        query, key, value = (normed @ weight.T + bias for weight, bias in parts)
        for head in range(HEADS):
            cut = slice(head * width, (head + 1) * width)
            scores = query[..., cut] @ key[..., cut].transpose(1, 2) / math.sqrt(width)
            matrices.append(torch.softmax(scores, dim=2))
        kept[f"attention.{number}"] = torch.stack(matrices, dim=1)
        for head in range(HEADS):
            cut = slice(head * width, (head + 1) * width)
            heads.append(kept[f"attention.{number}"][:, head] @ value[..., cut])
        tokens = tokens + module.out_proj(torch.cat(heads, dim=2))
        tokens = kept[f"block.{number}"] = tokens + block.mlp(block.ln_2(tokens))
    return network.heads(network.encoder.ln(tokens)[:, 0]), kept


def edges_by_hand(record, weights, image, partner=lambda block: block):
    """E_i of one image, in the order of the blocks, one entry after the other."""
    gradients = record.pull_back(weights)
    edges = []
    for block in range(BLOCKS):
        attention = record.activations[f"attention.{block}"][image]
        gradient = gradients[f"attention.{partner(block)}"][image]
        edges.append(sum(a * g for a, g in zip(attention, gradient)) / HEADS)
    return edges


def product_by_hand(matrices):
    """The class token's row of the product, block 0 nearest to the image."""
    result = torch.eye(len(matrices[0]), dtype=torch.float64)
    for matrix in matrices:
        result = matrix @ result
    return result[0, 1:].reshape(SIDE, SIDE)


def test_the_logits_are_the_networks_own(transformer, images, record):
    torch.testing.assert_close(record.logits, predict(transformer, images), **EXACT)


def test_activations_and_gradients_are_those_of_autograd(transformer, images, record, weights):
    logits, kept = by_hand(transformer, images)
    torch.testing.assert_close(record.logits, logits, **EXACT)
    gradients = torch.autograd.grad((weights * logits).sum(), list(kept.values()))
    assert set(kept) == set(record.activations)
    for (name, expected), gradient in zip(kept.items(), gradients):
        torch.testing.assert_close(record.activations[name], expected, **EXACT)
        torch.testing.assert_close(record.pull_back(weights)[name], gradient, **EXACT)


def test_rows_of_attention_add_up_to_one_and_are_not_uniform(record):
    for block in range(BLOCKS):
        attention = record.activations[f"attention.{block}"]
        assert attention.shape == (3, HEADS, 17, 17)
        ones = torch.ones(3, HEADS, 17, dtype=torch.float64)
        torch.testing.assert_close(attention.sum(dim=3), ones, **EXACT)
        assert attention.std(dim=3).min() > 1e-3


def test_all_explainers_together_take_one_forward_and_one_backward_pass(transformer, images, monkeypatch):
    forwards, backwards, grad = [], [], torch.autograd.grad
    transformer.conv_proj.register_forward_hook(lambda *_: forwards.append(1))
    record = vit_forward(transformer, images, once=True)  # asks the head which tokens it reads
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: backwards.append(1) or grad(*a, **k))
    weights = torch.stack([f(record.logits, TARGET) for f in (contrasts.original, contrasts.weighted)])
    attention_rollout(record)
    assert not backwards
    for block in range(BLOCKS):
        vit_gradcam(record, weights, f"norm.{block}")
    gradient_attention_rollout(record, weights, **PUBLISHED)
    gradient_attention_rollout(record, weights)
    assert (len(forwards), len(backwards)) == (1, 1)


def test_contrasts_at_once_are_contrasts_one_by_one(record):
    each = [contrasts.original(record.logits, 0), contrasts.weighted(record.logits, TARGET)]
    explainers = [
        lambda w: vit_gradcam(record, w, "block.1"),
        lambda w: gradient_attention_rollout(record, w),
        lambda w: gradient_attention_rollout(record, w, **PUBLISHED),
        lambda w: attention_x_gradient(record, w),
    ]
    for explain in explainers:
        together = explain(torch.stack(each))
        assert together.shape == (2, 3, SIDE, SIDE)
        for one, maps in zip(each, together):
            torch.testing.assert_close(explain(one), maps, **EXACT)


def test_the_network_is_left_as_found(transformer, images):
    transformer.train()
    attention = transformer.encoder.layers[1].self_attention
    attention.forward = own = type(attention).forward.__get__(attention)
    vit_forward(transformer, images)
    assert transformer.training and all(p.requires_grad for p in transformer.parameters())
    assert attention.forward is own
    assert not any(module._forward_hooks for module in transformer.modules())

    transformer.heads.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        vit_forward(transformer, images)
    assert "forward" not in vars(transformer.encoder.layers[0].self_attention)
    assert attention.forward is own and transformer.training


def test_dropout_does_not_act(transformer, images):
    transformer.train()
    torch.testing.assert_close(vit_forward(transformer, images).logits, predict(transformer, images), **EXACT)


@pytest.mark.parametrize(
    "name", [f"{layer}.{block}" for block in range(BLOCKS) for layer in ("norm", "block")][:-1]
)
def test_gradcam_weighs_features_by_their_mean_slope_over_patches(record, weights, name):
    expected = torch.zeros(3, SIDE, SIDE, dtype=torch.float64)
    for image in range(3):
        tokens, slopes = record.activations[name][image, 1:], record.pull_back(weights)[name][image, 1:]
        for feature in range(8):
            expected[image] += slopes[:, feature].mean() * tokens[:, feature].reshape(SIDE, SIDE)
    maps = vit_gradcam(record, weights, name)
    torch.testing.assert_close(maps, expected, **EXACT)
    clipped = vit_gradcam(record, weights, name, relu=True)
    torch.testing.assert_close(clipped, expected.clamp(min=0), **EXACT)
    assert maps.any()


@pytest.mark.parametrize("name", [name for name, each in contrasts.CONTRASTS.items() if each.is_of_one_class])
def test_gradcam_and_attention_x_gradient_are_linear_in_the_contrast(record, name):
    weights = contrasts.cotangent(name, record.logits, TARGET, [0, 5] if name == "among" else None)
    units = torch.eye(CLASSES, dtype=torch.float64)[:, None].expand(-1, 3, -1)
    for explain in (lambda w: vit_gradcam(record, w, "block.1"), lambda w: attention_x_gradient(record, w)):
        expected = torch.einsum("bc,cb...->b...", weights, explain(units))
        torch.testing.assert_close(explain(weights), expected, **EXACT)
        assert expected.abs().max() > 1e-6


def test_rollout_is_the_product_of_the_mean_attentions(record):
    maps = attention_rollout(record)
    for image in range(3):
        mixed = []
        for block in range(BLOCKS):
            matrix = sum(record.activations[f"attention.{block}"][image]) / HEADS
            matrix = 0.5 * matrix + 0.5 * torch.eye(17, dtype=torch.float64)
            mixed.append(matrix / matrix.sum(dim=1, keepdim=True))
        torch.testing.assert_close(maps[image], product_by_hand(mixed), **EXACT)
    assert maps.min() >= 0 and (maps.sum(dim=(1, 2)) < 1).all()


# what divides the entry (j, k) of one matrix
DIVISORS = {
    "absolute": lambda matrix, j, k: sum(abs(entry) for entry in matrix[j]),
    "rows": lambda matrix, j, k: sum(matrix[j]),
    "transposed": lambda matrix, j, k: sum(matrix[k]),
    "none": lambda matrix, j, k: 1,
}


@pytest.mark.parametrize("normalise", DIVISORS)
def test_gradient_rollout_normalises(record, weights, normalise):
    maps = gradient_attention_rollout(record, weights, normalise=normalise)
    for image in range(3):
        matrices = []
        for edges in edges_by_hand(record, weights, image):
            matrix = (edges + torch.eye(17)).tolist()
            divided = torch.empty(17, 17, dtype=torch.float64)
            for j, k in itertools.product(range(17), repeat=2):
                divided[j, k] = matrix[j][k] / DIVISORS[normalise](matrix, j, k)
            matrices.append(divided)
        torch.testing.assert_close(maps[image], product_by_hand(matrices), **EXACT)


@pytest.mark.parametrize("variant", [PUBLISHED, REVIEW], ids=["published", "review"])
def test_gradient_rollout_as_the_public_codes_do_it(record, weights, variant):
    """Image by image: gradients in backward order, half of E + I, columns divided by the sums of rows."""
    maps = gradient_attention_rollout(record, weights, **variant)
    for image in range(3):
        matrices = []
        for edges in edges_by_hand(record, weights, image, partner=lambda block: BLOCKS - 1 - block):
            if variant["negatives"] == "clip":
                edges = edges.clamp(min=0)
            threshold = edges.flatten().sort().values[int(17 * 17 * variant["discard_ratio"])]
            if variant["discard_ratio"]:
                edges = torch.where(edges < threshold, 0, edges)
            half = (edges + torch.eye(17)) / 2
            matrices.append(half / half.sum(dim=-1))
        torch.testing.assert_close(maps[image], product_by_hand(matrices), **EXACT)


REPAIRS = [{"gradients": "aligned"}, {"normalise": "rows"}, {"discard_ratio": 0.0}]


@pytest.mark.parametrize("repair", REPAIRS, ids=str)
def test_each_repair_alone_changes_the_published_map(record, weights, repair):
    maps = gradient_attention_rollout(record, weights, **PUBLISHED)
    repaired = gradient_attention_rollout(record, weights, **PUBLISHED | repair)
    largest, of_repaired = maps.amax((1, 2), True), repaired.amax((1, 2), True)
    assert not torch.allclose(maps / largest, repaired / of_repaired, rtol=1e-6)


def test_clipping_is_without_effect_where_more_is_discarded(record, weights):
    edges = torch.stack([torch.stack(edges_by_hand(record, weights, image)) for image in range(3)])
    share = (edges < 0).double().mean(dim=(2, 3)).max().item()
    assert 0.5 < share < 0.99
    for ratio, same in ((share + 0.01, True), (share / 2, False)):
        maps = [
            gradient_attention_rollout(record, weights, negatives=negatives, discard_ratio=ratio)
            for negatives in ("keep", "clip")
        ]
        assert torch.allclose(*maps, **EXACT) == same


def test_without_negatives_both_row_normalisations_are_the_same(record, weights):
    options = {"negatives": "clip", "discard_ratio": 0.5}
    rows = gradient_attention_rollout(record, weights, normalise="rows", **options)
    torch.testing.assert_close(rows, gradient_attention_rollout(record, weights, **options), **EXACT)


def test_gradient_rollout_is_not_linear_but_its_first_order_is_attention_x_gradient(record, weights):
    def rolled_out(w):
        return gradient_attention_rollout(record, w, normalise="none")

    assert not torch.allclose(rolled_out(2 * weights), 2 * rolled_out(weights))
    small = 1e-6
    slope = (rolled_out(small * weights) - rolled_out(-small * weights)) / (2 * small)
    torch.testing.assert_close(slope, attention_x_gradient(record, weights), rtol=1e-6, atol=1e-8)


def test_attention_x_gradient_is_what_the_class_token_reads(record, weights):
    maps = attention_x_gradient(record, weights)
    for image in range(3):
        expected = sum(edges[0, 1:] for edges in edges_by_hand(record, weights, image)).reshape(SIDE, SIDE)
        torch.testing.assert_close(maps[image], expected, **EXACT)


def test_a_transformer_within_a_model(transformer, images):
    wrapped = nn.Sequential(nn.Identity(), transformer)
    torch.testing.assert_close(vit_forward(wrapped, images).logits, predict(transformer, images), **EXACT)


def test_what_cannot_be_explained_is_named(transformer, images, record, weights, make_network):
    with pytest.raises(TypeError, match="Sequential is no Vision Transformer.*Use gradcam"):
        vit_forward(make_network(), images)
    with pytest.raises(
        ValueError, match="cannot run on images of shape .1, 3, 48, 32. .*Expected 32 but got 48"
    ):
        vit_forward(transformer, torch.rand(1, 3, 48, 32, dtype=torch.float64))
    for layer in ("block.3", "block.-1", "mlp.1", "attention.1"):
        with pytest.raises(ValueError, match=f"no layer '{layer}'; choose one of norm.0, block.0, .*block.2"):
            vit_gradcam(record, weights, layer)
    for option in ("gradients", "normalise", "negatives"):
        with pytest.raises(ValueError, match=f"unknown {option} 'backwards'; choose one of"):
            gradient_attention_rollout(record, weights, **{option: "backwards"})
    with pytest.raises(ValueError, match="discard_ratio is 1"):
        gradient_attention_rollout(record, weights, discard_ratio=1)


def test_a_pass_without_attention_is_named(make_network):
    from contrastlib.autograd import forward

    record = forward(make_network(), make_network.images(), "0")
    with pytest.raises(ValueError, match="make it with vit_forward"):
        attention_rollout(record)


def test_vit_b_16_at_224_pixels_has_maps_of_14_by_14():
    torch.manual_seed(0)
    # two of its twelve blocks
    network = VisionTransformer(224, 16, num_layers=2, num_heads=12, hidden_dim=768, mlp_dim=3072)
    record = vit_forward(network, torch.rand(1, 3, 224, 224), once=True)
    weights = contrasts.original(record.logits, 0)
    assert gradient_attention_rollout(record, weights).shape == (1, 14, 14)
    assert vit_gradcam(record, weights, "block.0").shape == attention_rollout(record).shape == (1, 14, 14)


@pytest.mark.parametrize("method", select(space="tokens"))
def test_nothing_of_an_explanation_stays(transformer, images, method, tensors_alive):
    contrastlib.explain(transformer, images, 1, method)
    before = tensors_alive()
    for _ in range(2):
        contrastlib.explain(transformer, images, 1, method)
    assert tensors_alive() == before
