"""Explainers of Vision Transformers against plain autograd, on the networks that people bring."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import pytest
import timm
import torch
import transformers
from torch import nn

from contrastlib import contrasts
from contrastlib.explainers.vit import (
    PUBLISHED,
    attention_rollout,
    attention_x_gradient,
    gradient_attention_rollout,
    is_transformer,
    vit_forward,
    vit_gradcam,
)

EXACT = {"rtol": 1e-10, "atol": 1e-10}
CLASSES, TARGET = 6, torch.tensor([1, 4])


@dataclass
class Family:
    """A kind of network: how it is made, the names of its blocks, and what its tokens are."""

    make: Callable  # make(fused=True)
    block: str
    norm: str
    start: int = 1
    reads: str = "class"
    size: tuple = (32, 48)
    depth: int = 2

    @property
    def grid(self):
        return self.size[0] // 8, self.size[1] // 8

    @property
    def rows(self):
        """The tokens that the head reads."""
        patches = list(range(self.start, self.start + self.grid[0] * self.grid[1]))
        return {"class": [0], "two": [0, 1], "patches": patches, "all": [0, *patches]}[self.reads]

    def on_grid(self, values):
        rows, columns = self.grid
        return values[..., self.start : self.start + rows * columns].unflatten(-1, self.grid)


def of_timm(name, fused=True, **options):
    options = {"depth": 2, "embed_dim": 16, "num_heads": 2, "patch_size": 8, "img_size": (32, 48)} | options
    network = timm.create_model(name, num_classes=CLASSES, **options)
    for module in network.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = fused
    return network


class Logits(nn.Module):
    """A network of transformers that returns its logits alone."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(images).logits


VISION = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "patch_size": 8,
}


def of_transformers(kind, fused=True, suffix="", **options):
    config = getattr(transformers, f"{kind}Config")(
        **options, num_labels=CLASSES, attn_implementation="sdpa" if fused else "eager"
    )
    return Logits(getattr(transformers, f"{kind}ForImageClassification{suffix}")(config))


def timm_family(name, start=1, reads="class", norm="norm1", **options):
    return Family(partial(of_timm, name, **options), "blocks.{}", f"blocks.{{}}.{norm}", start, reads)


def hugging_face(kind, layers, norm="layernorm_before", start=1, reads="class", size=(32, 48), **options):
    layers = f"network.{layers}.{{}}"
    make = partial(of_transformers, kind, **options)
    return Family(make, layers, f"{layers}.{norm}", start, reads, size)


def two_towers(vision):  # the image's alone is used
    text = {"num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 2, "vocab_size": 9}
    return {"vision_config": VISION | vision, "text_config": text | {"bos_token_id": 1, "eos_token_id": 2}}


FAMILIES = {
    "ViT": timm_family("vit_tiny_patch16_224"),
    "ViT-mean": timm_family("vit_tiny_patch16_224", reads="patches", global_pool="avg"),
    "ViT-registers": timm_family("vit_tiny_patch16_224", start=4, reg_tokens=3),
    "SigLIP-pooled-by-attention": timm_family("vit_base_patch16_siglip_224", start=0, reads="patches"),
    "DeiT-distilled": timm_family("deit_tiny_distilled_patch16_224", start=2, reads="two"),
    "BEiT": timm_family("beit_base_patch16_224", reads="patches"),
    "EVA-02": timm_family("eva02_tiny_patch14_224", reads="patches"),
    "DINOv2-registers": timm_family("vit_small_patch14_reg4_dinov2", start=5),
    "DINOv3": timm_family("vit_small_patch16_dinov3", start=5, reads="patches"),
    "relative-positions": timm_family("vit_relpos_small_patch16_224", start=0, reads="patches"),
    "HF-ViT": hugging_face("ViT", "vit.layers", image_size=(32, 48), **VISION),
    "HF-DeiT": hugging_face(
        "DeiT", "deit.layers", start=2, reads="two", image_size=(32, 48), suffix="WithTeacher", **VISION),
    "HF-BEiT": hugging_face("Beit", "beit.layers", reads="patches", image_size=(32, 48), **VISION),
    "HF-DINOv2-registers": hugging_face(  # made for 32 x 32, given images of another size
        "Dinov2WithRegisters", "dinov2_with_registers.encoder.layer", "norm1", 4, "all", image_size=32,
        num_register_tokens=3, **VISION),
    "HF-CLIP": hugging_face(
        "CLIP", "vision_model.encoder.layers", "layer_norm1", 1, "patches", (32, 32),
        **two_towers({"image_size": 32})),
    "HF-SigLIP": hugging_face(
        "Siglip", "vision_model.encoder.layers", "layer_norm1", 0, "patches", (32, 32),
        **two_towers({"image_size": 32, "vision_use_head": False})),
}  # fmt: skip


def lived_in(network):
    """The network with weights at which attention is far from uniform and nothing is 0."""
    generator = torch.Generator().manual_seed(0)
    for weights in network.parameters():
        nn.init.normal_(weights, std=0.4, generator=generator)
    return network.double().eval()


def pixels(size, batch=2):
    return torch.rand(batch, 3, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def plain(network, images, names):
    """What plain autograd has of a network that is not fused: logits, softmaxes, and outputs of modules."""
    softmaxes, outputs, softmax = [], {}, torch.Tensor.softmax
    modules = dict(network.named_modules())

    def kept(scores, dim, dtype=None):  # transformers would round them to float32
        softmaxes.append(softmax(scores, dim))
        return softmaxes[-1]

    def keep(name):
        return lambda module, inputs, output: outputs.update({name: output})

    handles = [modules[name].register_forward_hook(keep(name)) for name in names]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "softmax", kept)
        logits = network(images)
    for handle in handles:
        handle.remove()
    return logits, softmaxes, outputs


@pytest.fixture(scope="module", params=FAMILIES)
def case(request):
    """A family, the record of its fused network, and what plain autograd has of the same one, not fused."""
    family = FAMILIES[request.param]
    fused, unfused = (lived_in(family.make(fused=fused)) for fused in (True, False))
    images = pixels(family.size)
    record = vit_forward(fused, images)
    blocks, norms = ([name.format(i) for i in range(family.depth)] for name in (family.block, family.norm))
    logits, softmaxes, outputs = plain(unfused, images, [*blocks, *norms])
    softmaxes = softmaxes[: family.depth]  # what comes after them pools
    expected = {}
    for i, softmax in enumerate(softmaxes):
        expected |= {
            f"norm.{i}": outputs[norms[i]],
            f"attention.{i}": softmax,
            f"block.{i}": outputs[blocks[i]],
        }
    weights = contrasts.weighted(record.logits, TARGET)
    gradients = torch.autograd.grad((weights * logits).sum(), list(expected.values()), retain_graph=True)
    of_all_logits = torch.autograd.grad(logits.square().sum() / 2, outputs[blocks[-1]])[0]
    return SimpleNamespace(
        family=family,
        network=fused,
        record=record,
        weights=weights,
        logits=logits,
        activations={name: each.detach() for name, each in expected.items()},
        gradients=dict(zip(expected, gradients)),
        of_all_logits=of_all_logits,
    )


def test_what_is_recorded_is_what_autograd_has(case):
    torch.testing.assert_close(case.record.logits, case.logits.detach(), **EXACT)
    assert list(case.record.activations) == list(case.activations)
    for name, activation in case.activations.items():
        torch.testing.assert_close(case.record.activations[name], activation, **EXACT)
        torch.testing.assert_close(case.record.pull_back(case.weights)[name], case.gradients[name], **EXACT)
        assert case.gradients[name].abs().max() > 1e-6
    assert is_transformer(case.network)


def shares_by_hand(case, gradient):
    tokens = case.activations[f"block.{case.family.depth - 1}"]
    products = [gradient[:, t].norm(dim=1) * tokens[:, t].norm(dim=1) for t in case.family.rows]
    return torch.stack(products, dim=1) / sum(products)[:, None]


def test_the_rows_that_the_head_reads(case):
    reading, last = case.record.reading, case.gradients[f"block.{case.family.depth - 1}"]
    assert reading.rows.tolist() == case.family.rows
    assert last.abs().sum(dim=(0, 2)).nonzero().flatten().tolist() == case.family.rows
    torch.testing.assert_close(reading.shares, shares_by_hand(case, case.of_all_logits), **EXACT)


def test_gradcam_of_tokens(case):
    family = case.family
    for layer in ("norm.0", "block.0", "norm.1"):
        patches = slice(family.start, family.start + family.grid[0] * family.grid[1])
        means = case.gradients[layer][:, patches].mean(dim=1)
        maps = family.on_grid((case.activations[layer] * means[:, None]).sum(dim=2))
        torch.testing.assert_close(vit_gradcam(case.record, case.weights, layer), maps, **EXACT)
        assert maps.abs().amax(dim=(1, 2)).min() > 1e-8
    torch.testing.assert_close(vit_gradcam(case.record, case.weights), maps, **EXACT)


def test_attention_rollout(case):
    shares = shares_by_hand(case, case.of_all_logits)
    for image, maps in enumerate(attention_rollout(case.record)):
        total = torch.eye(case.activations["attention.0"].shape[-1], dtype=torch.float64)
        for i in range(case.family.depth):
            attention = case.activations[f"attention.{i}"][image].mean(dim=0)
            total = (attention + torch.eye(len(total))) / 2 @ total
        rolled = sum(share * total[row] for share, row in zip(shares[image], case.family.rows))
        torch.testing.assert_close(maps, case.family.on_grid(rolled), **EXACT)
        torch.testing.assert_close(rolled.sum(), torch.tensor(1.0, dtype=torch.float64), **EXACT)


def edges_by_hand(case, i):
    return (case.activations[f"attention.{i}"] * case.gradients[f"attention.{i}"]).mean(dim=1)


def test_gradient_attention_rollout(case):
    shares = shares_by_hand(case, case.gradients[f"block.{case.family.depth - 1}"])
    for image, maps in enumerate(gradient_attention_rollout(case.record, case.weights)):
        total = torch.eye(case.activations["attention.0"].shape[-1], dtype=torch.float64)
        for i in range(case.family.depth):
            factor = torch.eye(len(total)) + edges_by_hand(case, i)[image]
            total = factor / factor.abs().sum(dim=1, keepdim=True) @ total
        rolled = sum(share * total[row] for share, row in zip(shares[image], case.family.rows))
        torch.testing.assert_close(maps, case.family.on_grid(rolled), **EXACT)
    published = gradient_attention_rollout(case.record, case.weights, **PUBLISHED)
    assert published.shape == (2, *case.family.grid)


def test_attention_x_gradient(case):
    edges = sum(edges_by_hand(case, i) for i in range(case.family.depth))
    maps = case.family.on_grid(sum(edges[:, row] for row in case.family.rows))
    torch.testing.assert_close(attention_x_gradient(case.record, case.weights), maps, **EXACT)
    double = torch.stack([case.weights, 2 * case.weights])
    torch.testing.assert_close(
        attention_x_gradient(case.record, double), torch.stack([maps, 2 * maps]), **EXACT
    )


def test_attention_that_is_not_fused_is_recorded_as_it_is(case):
    rounded = {"rtol": 1e-4, "atol": 1e-6}  # transformers compute this softmax in float32
    unfused = vit_forward(lived_in(case.family.make(fused=False)), pixels(case.family.size))
    for explain in (vit_gradcam, gradient_attention_rollout, attention_x_gradient):
        expected = explain(case.record, case.weights)
        torch.testing.assert_close(explain(unfused, case.weights), expected, **rounded)
