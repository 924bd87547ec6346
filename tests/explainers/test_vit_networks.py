"""Which networks count as Vision Transformers, and what of each is explained or refused."""

import re
import threading

import pytest
import timm
import torch
import torchvision
import transformers
from torch import nn
from torch.nn import functional

import contrastlib
from contrastlib import contrasts
from contrastlib.autograd import predict
from contrastlib.explainers.vit import (
    PUBLISHED,
    attention_rollout,
    attention_x_gradient,
    gradient_attention_rollout,
    is_transformer,
    vit_forward,
    vit_gradcam,
)
from contrastlib.explainers.vit.tokens import Patches, find_patches

EXACT = {"rtol": 1e-10, "atol": 1e-10}
CLASSES = 6


def lived_in(network, std=0.4):
    generator = torch.Generator().manual_seed(0)
    for weights in network.parameters():
        nn.init.normal_(weights, std=std, generator=generator)
    return network.double().eval()


def pixels(height=32, width=32, batch=2):
    return torch.rand(
        batch, 3, height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )


def of_timm(name, **options):
    return timm.create_model(name, num_classes=CLASSES, **options)


def small_vit(**options):
    options = {"depth": 2, "embed_dim": 16, "num_heads": 2, "patch_size": 8, "img_size": 32} | options
    return of_timm("vit_tiny_patch16_224", **options)


def small_swin(size=32):
    options = {"window_size": 4, "embed_dim": 16, "depths": (1, 2), "num_heads": (2, 2)}
    return of_timm("swin_tiny_patch4_window7_224", img_size=size, **options)


class Logits(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(images).logits


def swin_of_transformers():
    config = transformers.SwinConfig(
        image_size=32,
        patch_size=4,
        embed_dim=16,
        depths=[1, 2],
        num_heads=[2, 2],
        window_size=4,
        num_labels=CLASSES,
    )
    return Logits(transformers.SwinForImageClassification(config))


def swin_of_torchvision():
    return torchvision.models.SwinTransformer([4, 4], 16, [1, 2], [2, 2], [4, 4], num_classes=CLASSES)


class Own(nn.Module):
    """PyTorch's encoder of tokens (B, T, D) or (T, B, D); its patches are cut without a convolution."""

    def __init__(self, batch_first=False, at_end=False):
        super().__init__()
        self.embed, self.special = nn.Linear(3 * 64, 16), nn.Parameter(torch.zeros(1, 2, 16))
        layer = nn.TransformerEncoderLayer(16, 2, 24, norm_first=True, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head, self.batch_first, self.at_end = nn.Linear(16, CLASSES), batch_first, at_end

    def forward(self, images):
        tokens = self.embed(functional.unfold(images, 8, stride=8).transpose(1, 2))
        special = self.special.expand(len(images), -1, -1)
        tokens = torch.cat([tokens, special] if self.at_end else [special, tokens], dim=1)
        if self.batch_first:
            return self.head(self.encoder(tokens)[:, -1 if self.at_end else 0])
        return self.head(self.encoder(tokens.transpose(0, 1))[-1 if self.at_end else 0])


class Written(nn.Module):
    """A Transformer written out: attention alone lies in its list, and a mask hides some patches."""

    def __init__(self, blocks=2):
        super().__init__()
        self.embed = nn.Conv2d(3, 16, 8, stride=8)
        self.layers = nn.ModuleList(Attention() for _ in range(blocks))
        self.head = nn.Linear(16, CLASSES)

    def forward(self, images):
        tokens = self.embed(images).flatten(2).transpose(1, 2)
        for layer in self.layers:
            tokens = tokens + layer(tokens)
        return self.head(tokens.mean(dim=1))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.to_qkv, self.attend = nn.Linear(16, 48), nn.Softmax(dim=-1)

    def forward(self, tokens):
        query, key, value = self.to_qkv(tokens).unflatten(-1, (3, 2, 8)).permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-2, -1)
        scores[..., 0] = -torch.inf
        return (self.attend(scores) @ value).transpose(1, 2).flatten(2)


class Spelled(nn.Module):
    """Attention and a class token, with the dimension named ``dim`` or, as in NumPy, ``axis``."""

    def __init__(self, keyword):
        super().__init__()
        self.embed, self.special = nn.Conv2d(3, 16, 8, stride=8), nn.Parameter(torch.zeros(1, 1, 16))
        self.layers, self.head = (
            nn.ModuleList([SpelledAttention(keyword) for _ in range(2)]),
            nn.Linear(16, CLASSES),
        )
        self.keyword = keyword

    def forward(self, images):
        tokens = self.embed(images).flatten(2).transpose(1, 2)
        tokens = torch.cat((self.special.expand(len(images), -1, -1), tokens), **{self.keyword: 1})
        for layer in self.layers:
            tokens = layer(tokens)
        return self.head(tokens[:, 0])


class SpelledAttention(nn.Module):
    def __init__(self, keyword):
        super().__init__()
        self.to_qkv, self.keyword = nn.Linear(16, 48), keyword

    def forward(self, tokens):
        query, key, value = self.to_qkv(tokens).unflatten(-1, (3, 2, 8)).permute(2, 0, 3, 1, 4)
        attention = torch.softmax(query @ key.transpose(-2, -1) / 4, **{self.keyword: -1})
        return tokens + (attention @ value).transpose(1, 2).flatten(2)


class OnGrid(nn.Module):
    """Its blocks take and return tokens (B, h, w, D), or (B, h w, D) for comparison."""

    def __init__(self, on_grid):
        super().__init__()
        self.embed = nn.Conv2d(3, 16, 8, stride=8)
        self.layers, self.head = nn.ModuleList([OnGridBlock() for _ in range(2)]), nn.Linear(16, CLASSES)
        self.on_grid = on_grid

    def forward(self, images):
        tokens = self.embed(images).permute(0, 2, 3, 1)
        tokens = tokens if self.on_grid else tokens.flatten(1, 2)
        for layer in self.layers:
            tokens = layer(tokens)
        return self.head(tokens.flatten(1, -2).mean(dim=1))


class OnGridBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = SpelledAttention("dim")

    def forward(self, tokens):
        return self.attention(tokens.flatten(1, -2)).view_as(tokens)


EXPLAINERS = [
    vit_gradcam, lambda record, w: attention_rollout(record), gradient_attention_rollout, attention_x_gradient
]  # fmt: skip


@pytest.mark.parametrize(
    "method", ["gradcam", "vit_gradcam", "gradient_attention_rollout", "attention_x_gradient"]
)
def test_a_network_of_timm_is_explained_by_its_tokens(method):
    network, images = lived_in(small_vit()), pixels()
    maps = contrastlib.explain(network, images, 1, method, upsample=False)
    assert maps.shape == (2, 4, 4) and maps.std() > 1e-6
    if method == "gradcam":
        assert torch.equal(maps, contrastlib.explain(network, images, 1, "vit_gradcam", upsample=False))


@pytest.mark.parametrize("size", [(32, 32), (48, 32), (40, 61)])
def test_images_of_a_size_that_the_network_learns_of_late(size):
    network = lived_in(small_vit(dynamic_img_size=True, dynamic_img_pad=True, reg_tokens=2))
    record = vit_forward(network, pixels(*size))
    weights = contrasts.weighted(record.logits, 1)
    for explain in EXPLAINERS:
        assert explain(record, weights).shape == (2, -(-size[0] // 8), -(-size[1] // 8))


# Class attention (CaiT): patches mix with each other first, then the class token alone reads.


def test_class_attention():
    options = {"img_size": 32, "patch_size": 8, "depth": 2, "embed_dim": 16, "num_heads": 2}
    record = vit_forward(lived_in(of_timm("cait_xxs24_224", **options)), pixels())
    weights = contrasts.weighted(record.logits, 1)
    gradients, attention = record.pull_back(weights), [record.activations[f"attention.{i}"] for i in range(4)]
    assert [each.shape[-2:] for each in attention] == [(16, 16), (16, 16), (1, 17), (1, 17)]
    edges = [(a * gradients[f"attention.{i}"]).mean(dim=1) for i, a in enumerate(attention)]
    mixed = [a.mean(dim=1) for a in attention]
    for image in range(2):
        plain, weighted = torch.eye(17, dtype=torch.float64), torch.eye(17, dtype=torch.float64)
        for i in range(4):
            rows = slice(1, 17) if i < 2 else slice(0, 1)
            share, edge = torch.eye(17, dtype=torch.float64), torch.zeros(17, 17, dtype=torch.float64)
            share[rows, rows if i < 2 else slice(None)] = mixed[i][image]
            edge[rows, rows if i < 2 else slice(None)] = edges[i][image]
            plain = (share + torch.eye(17)) / 2 @ plain
            factor = edge + torch.eye(17)
            weighted = factor / factor.abs().sum(dim=1, keepdim=True) @ weighted
        torch.testing.assert_close(attention_rollout(record)[image].flatten(), plain[0, 1:], **EXACT)
        rolled = gradient_attention_rollout(record, weights)[image]
        torch.testing.assert_close(rolled.flatten(), weighted[0, 1:], **EXACT)
        read = attention_x_gradient(record, weights)[image]
        torch.testing.assert_close(read.flatten(), (edges[2] + edges[3])[image, 0, 1:], **EXACT)
        assert read.abs().max() > 1e-6
    tokens, slopes = record.activations["norm.3"], gradients["norm.3"][:, 1:].mean(dim=1)
    expected = (tokens[:, 1:] * slopes[:, None]).sum(dim=2).unflatten(1, (4, 4))
    torch.testing.assert_close(vit_gradcam(record, weights), expected, **EXACT)
    with pytest.raises(ValueError, match='"reversed" pairs.*use gradients="aligned"'):
        gradient_attention_rollout(record, weights, **PUBLISHED)


# Windows (Swin)


@pytest.mark.parametrize(
    "make, last, norm",
    [
        (small_swin, "layers.1", "norm"),
        (swin_of_transformers, "network.swin.encoder.layers.1", "network.swin.layernorm"),
        (swin_of_torchvision, "features.3", "norm"),
    ],
    ids=["timm", "transformers", "torchvision"],
)
def test_windows_have_gradcam_of_their_last_stage_and_no_rollout(make, last, norm):
    network, images, kept = lived_in(make()), pixels(), {}
    modules = dict(network.named_modules())
    handle = modules[norm].register_forward_pre_hook(lambda module, inputs: kept.update(tokens=inputs[0]))
    logits = network(images)
    handle.remove()
    weights = contrasts.weighted(logits.detach(), 1)
    (gradient,) = torch.autograd.grad((weights * logits).sum(), kept["tokens"])
    tokens, gradient = (each.detach().reshape(2, 16, 32) for each in (kept["tokens"], gradient))
    expected = (tokens * gradient.mean(dim=1, keepdim=True)).sum(dim=2).reshape(2, 4, 4)
    assert expected.abs().max() > 1e-6
    for method, layer in (("gradcam", None), ("vit_gradcam", None), ("vit_gradcam", last)):
        maps = contrastlib.explain(network, images, 1, method, layer=layer, upsample=False)
        torch.testing.assert_close(maps, expected, **EXACT)
    for method in ("gradient_attention_rollout", "attention_x_gradient"):
        with pytest.raises(ValueError, match="attends within windows.*not defined: use vit_gradcam"):
            contrastlib.explain(network, images, 1, method)
    with pytest.raises(ValueError, match="attends within windows.*not defined: use vit_gradcam"):
        attention_rollout(vit_forward(network, images))


def test_channels_that_come_first_are_no_tokens():
    with pytest.raises(
        ValueError, match=r"'permute' gives \(2, 32, 4, 4\), which is not .*method=\"gradcam\""
    ):
        contrastlib.explain(lived_in(swin_of_torchvision()), pixels(), 1, "vit_gradcam", layer="permute")


def test_blocks_side_by_side_and_merged_tokens_have_no_rollout():
    options = {"img_size": 32, "patch_size": 8, "depth": 2, "embed_dim": 16, "num_heads": 2}
    parallel = vit_forward(lived_in(of_timm("vit_small_patch16_18x2_224", **options)), pixels())
    with pytest.raises(ValueError, match="blocks 0 and 1 attend side by side"):
        attention_rollout(parallel)
    merged = of_timm("pit_ti_224", img_size=64, depth=(1, 1, 1), base_dims=(8, 8, 8), heads=(1, 2, 2))
    record = vit_forward(lived_in(merged), pixels(64, 64))
    with pytest.raises(ValueError, match="the number of tokens changes: the attention of block 0 is"):
        attention_x_gradient(record, contrasts.weighted(record.logits, 1))
    assert vit_gradcam(record, contrasts.weighted(record.logits, 1)).std() > 1e-6


def test_attention_over_channels():
    network = lived_in(of_timm("xcit_nano_12_p8_224", img_size=32, depth=2), std=0.1)
    record = vit_forward(network, pixels())
    weights = contrasts.weighted(record.logits, 1)
    with pytest.raises(ValueError, match="over channels"):
        gradient_attention_rollout(record, weights)
    assert vit_gradcam(record, weights).std() > 1e-9  # of class attention, not of tokens that nobody reads


# Networks of one's own


@pytest.mark.parametrize("batch", [2, 8])  # 8 images of 6 patches and 2 other tokens
@pytest.mark.parametrize("at_end", [False, True], ids=["first", "last"])
def test_tokens_in_any_order_of_dimensions(batch, at_end):
    sequence, images = Own(at_end=at_end), pixels(16, 24, batch)
    first = Own(batch_first=True, at_end=at_end)
    lived_in(sequence), lived_in(first)
    records = [vit_forward(network, images) for network in (sequence, first)]
    weights = contrasts.weighted(records[0].logits, 1)
    assert records[0].patches(8) == Patches(0 if at_end else 2, 2, 3)
    for name, activation in records[1].activations.items():
        torch.testing.assert_close(records[0].activations[name], activation, **EXACT)
        gradient = records[1].pull_back(weights)[name]
        torch.testing.assert_close(records[0].pull_back(weights)[name], gradient, **EXACT)
    for explain in EXPLAINERS:
        maps = explain(records[0], weights)
        assert maps.shape == (batch, 2, 3) and maps.std() > 1e-6
        torch.testing.assert_close(maps, explain(records[1], weights), **EXACT)
    torch.testing.assert_close(records[0].logits, predict(sequence, images), **EXACT)


@pytest.mark.parametrize("make, ways", [(Spelled, ("dim", "axis")), (OnGrid, (False, True))])
def test_one_network_written_in_two_ways_has_the_same_maps(make, ways):
    first, second = (vit_forward(lived_in(make(way)), pixels()) for way in ways)
    w = contrasts.weighted(first.logits, 1)
    for explainer in EXPLAINERS:
        torch.testing.assert_close(explainer(second, w), explainer(first, w), **EXACT)


@pytest.mark.parametrize("blocks", [1, 2])
def test_attention_that_a_mask_hides_is_0(blocks):
    network = lived_in(Written(blocks))
    record = vit_forward(network, pixels())
    assert record.depth == blocks and record.reading.rows.tolist() == list(range(16))
    maps = attention_rollout(record)
    assert is_transformer(network) and maps.std() > 1e-6
    assert not attention_x_gradient(record, contrasts.weighted(record.logits, 1))[:, 0, 0].any()


def test_masks_and_scales_of_fused_attention():
    query, key, value = torch.rand(3, 2, 4, 5, 8, dtype=torch.float64, requires_grad=True)
    keep = torch.rand(5, 5) > 0.3
    keep.fill_diagonal_(True)
    from contrastlib.explainers.vit.attention import AttentionMode

    for options in (
        {},
        {"scale": 0.2},
        {"is_causal": True},
        {"attn_mask": keep},
        {"attn_mask": torch.rand(5, 5).double()},
    ):
        found, expected = [], functional.scaled_dot_product_attention(query, key, value, **options)
        with AttentionMode(found.append):
            mixed = functional.scaled_dot_product_attention(query, key, value, **options)
        torch.testing.assert_close(mixed, expected, **EXACT)
        torch.testing.assert_close(found[0] @ value, expected, **EXACT)
    few = key[:, :2], value[:, :2]
    expected = functional.scaled_dot_product_attention(query, *few, enable_gqa=True)
    with AttentionMode(found.append):
        mixed = functional.scaled_dot_product_attention(query, *few, enable_gqa=True)
    torch.testing.assert_close(mixed, expected, **EXACT)


@pytest.mark.parametrize(
    "options", [{}, {"kdim": 4, "vdim": 6}, {"bias": False}, {"add_bias_kv": True}], ids=str
)
@pytest.mark.parametrize("weights", [None, True, False], ids=["no weights", "mean weights", "weights"])
def test_multi_head_attention_is_pytorchs(options, weights):
    from contrastlib.explainers.vit.attention import AttentionMode

    torch.manual_seed(0)
    module = nn.MultiheadAttention(8, 2, batch_first=True, **options).double().eval()
    query = torch.rand(3, 5, 8, dtype=torch.float64)
    key, value = (torch.rand(3, 5, options.get(name, 8), dtype=torch.float64) for name in ("kdim", "vdim"))
    hidden, padded = torch.rand(6, 5, 5) > 0.7, torch.rand(3, 5) > 0.7
    hidden[..., 0] = padded[..., 0] = False
    for masks in ({}, {"attn_mask": hidden}, {"attn_mask": hidden[0], "key_padding_mask": padded}):
        call = masks | {"need_weights": weights is not None, "average_attn_weights": bool(weights)}
        for tokens in ((query, key, value), (query, query, query))[: 1 if "kdim" in options else 2]:
            expected, found = module(*tokens, **call), []
            with AttentionMode(found.append):
                mixed = module(*tokens, **call)
            torch.testing.assert_close(mixed, expected, **EXACT)
            assert len(found) == (0 if options.get("add_bias_kv") else 1)  # keys that are no tokens


# What is no Transformer


@pytest.mark.parametrize(
    "make",
    [
        lambda: of_timm("resnet50_clip", pretrained=False),
        lambda: of_timm("resnet18"),
        lambda: of_timm("coatnet_nano_rw_224"),
        lambda: of_timm("mixer_s32_224"),
        lambda: torchvision.models.resnet18(),
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(2), nn.MultiheadAttention(8, 2)),
    ],
    ids=["CLIP", "ResNet", "CoAtNet", "Mixer", "torchvision", "pooling"],
)
def test_networks_that_are_no_transformers(make):
    with torch.device("meta"):
        assert not is_transformer(make())


def test_hybrid_networks_are_transformers():
    network = of_timm("vit_tiny_r_s16_p8_224", img_size=64, depth=1, embed_dim=12)
    record = vit_forward(lived_in(network, std=0.1), pixels(64, 64))
    assert is_transformer(network) and record.patches(5) == Patches(1, 2, 2)


# State, layers and grids


def test_a_layer_by_its_name():
    network, images = lived_in(small_vit(reg_tokens=2)), pixels()
    named = contrastlib.explain(network, images, 1, "vit_gradcam", layer="blocks.0", upsample=False)
    assert torch.equal(
        named, contrastlib.explain(network, images, 1, "vit_gradcam", layer="block.0", upsample=False)
    )
    with pytest.raises(ValueError, match=r"'patch_embed.proj' gives \(2, 16, 4, 4\)|is not \(B, h, w, D\)"):
        contrastlib.explain(network, images, 1, "vit_gradcam", layer="patch_embed.proj")
    with pytest.raises(ValueError, match=r"'head' gives \(2, 6\), not tokens"):
        contrastlib.explain(network, images, 1, "vit_gradcam", layer="head")
    with pytest.raises(ValueError, match="no layer 'blocks.7'"):
        contrastlib.explain(network, images, 1, "vit_gradcam", layer="blocks.7")


def test_a_network_of_timm_is_left_as_found():
    network, images = lived_in(small_vit()).train(), pixels()
    vit_forward(network, images)
    assert network.training and all(weights.requires_grad for weights in network.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    network.head.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        vit_forward(network, images)
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_another_thread_that_runs_the_network_is_not_recorded():
    network, images = lived_in(small_vit()), pixels()
    expected = vit_forward(network, images, layers=["blocks.1"])

    def elsewhere(module, inputs):
        if threading.current_thread() is threading.main_thread():
            thread = threading.Thread(target=network, args=(images,))
            thread.start()
            thread.join()

    network.blocks[1].register_forward_pre_hook(elsewhere)
    record = vit_forward(network, images, layers=["blocks.1"])
    assert list(record.activations) == list(expected.activations)
    for name, activation in expected.activations.items():
        torch.testing.assert_close(record.activations[name], activation, **EXACT)


def test_grids_that_cannot_be_told():
    assert find_patches(20, [(4, 4)], [[1, 3], [4, 16]], (32, 32)) == Patches(4, 4, 4)
    assert find_patches(20, [(4, 4)], [[16, 4]], (32, 32)) == Patches(0, 4, 4)
    assert find_patches(12, [], [], (96, 128)) == Patches(0, 3, 4)
    with pytest.raises(ValueError, match="may be any of"):
        find_patches(13, [(2, 6), (3, 4)], [], (32, 32))
    assert find_patches(8, [], [[6, 2]], (16, 24)) == Patches(0, 2, 3)  # and not 2 x 4 patches of 6 pixels
    with pytest.raises(ValueError, match="no grid of patches fits: name a layer"):
        find_patches(17, [], [], (32, 32))


def every_part(network):
    """Give the gains that begin at 0 another value, so that no part of the network is silent."""
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.2)
    return network.eval()


@pytest.mark.slow
@pytest.mark.parametrize("name, options", [("levit_128s", {"img_size": 64}), ("csatv2", {})])
def test_a_single_token_has_no_map(name, options):
    torch.manual_seed(0)
    network, images = every_part(timm.create_model(name, num_classes=5, **options)), torch.rand(2, 3, 64, 64)
    with pytest.raises(
        ValueError, match="single token for images of 64 x 64.*enlarge the images, or name another layer"
    ) as raised:
        contrastlib.explain(network, images, 1, "vit_gradcam")
    layer = re.search('layer="(.*?)"', str(raised.value))[1]
    maps = contrastlib.explain(network, images, 1, "vit_gradcam", layer=layer, upsample=False)
    assert maps.shape == (2, 2, 2) and maps.flatten(1).std(dim=1).min() > 0


@pytest.mark.slow
def test_padded_windows_have_no_map():
    """TinyViT's block pads its tokens to a window, so that the patches are not where they are looked for."""
    torch.manual_seed(0)
    network, images = (
        every_part(timm.create_model("tiny_vit_5m_224", num_classes=5)),
        torch.rand(2, 3, 64, 64),
    )
    with pytest.raises(
        ValueError, match="no gradient reaches the patches of layer 'block.9'.*its tokens are padded"
    ) as raised:
        contrastlib.explain(network, images, 1, "vit_gradcam")
    layer = re.search('layer="(.*?)"', str(raised.value))[1]
    assert contrastlib.explain(network, images, 1, "vit_gradcam", layer=layer).flatten(1).std(dim=1).min() > 0


def test_the_output_of_the_last_block_has_no_map_where_the_head_reads_the_class_token():
    torch.manual_seed(0)
    network = timm.create_model("vit_tiny_patch16_224", num_classes=5, img_size=64, depth=2).eval()
    images = torch.rand(2, 3, 64, 64)
    with pytest.raises(
        ValueError, match="no gradient reaches the patches of layer 'block.1': the head reads other tokens"
    ) as raised:
        contrastlib.explain(network, images, 1, "vit_gradcam", layer="block.1")
    layer = re.search('layer="(.*?)"', str(raised.value))[1]
    assert torch.equal(
        contrastlib.explain(network, images, 1, layer=None),
        contrastlib.explain(network, images, 1, "vit_gradcam", layer=layer),
    )
    assert not contrastlib.explain(
        network, images, method="vit_gradcam", layer="block.1", contrast=torch.zeros(2, 5)
    ).any()


def test_blocks_whose_attention_reads_no_common_tokens_are_explained_at_the_block_before_the_last():
    """CvT projects queries, keys and values of its patches by convolutions of their own."""
    from transformers import CvtConfig, CvtForImageClassification

    torch.manual_seed(0)
    config = CvtConfig(num_labels=5, embed_dim=[16, 24, 32], num_heads=[1, 2, 2], depth=[1, 2, 3])
    network, images = CvtForImageClassification(config).double().eval(), torch.rand(2, 3, 64, 64).double()
    record = vit_forward(network, images)
    assert "norm.5" not in record.activations
    w = torch.eye(5, dtype=torch.float64)[[1, 2]]
    tokens, gradients = record.activations["block.4"][:, 1:], record.pull_back(w)["block.4"][:, 1:]
    expected = torch.einsum("bd,bjd->bj", gradients.mean(dim=1), tokens).view(2, 4, 4)
    torch.testing.assert_close(vit_gradcam(record, w), expected, rtol=1e-10, atol=1e-12)
    assert expected.flatten(1).std(dim=1).min() > 0
