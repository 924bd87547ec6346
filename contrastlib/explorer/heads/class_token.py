"""The head of torchvision's Vision Transformers: the last block, as the class token leaves it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from contrastlib.autograd import predict
from contrastlib.explorer.heads.output import Output, random_image, same
from contrastlib.models import Classifier


class ClassToken(nn.Module):
    """The last block of a Vision Transformer, its final norm and its linear layer.

    The logits depend on the class token z alone, and so on one row A (T,) of the attention of each head. With
    a the tokens (T, D) that the attention reads, q the query of the class token, k_j and v_j the keys and
    values, and g the gradient of y_s at what a head returns, the gradients at the N patches j add up to

    - sum_j dy/dv_j = g sum_j A_j
    - sum_j dy/dk_j = q sum_j A_j (g · v_j - sum_i A_i g · v_i) / sqrt(d)

    Their mean over the patches, taken back through the projections of keys and values, gives the weights of
    GradCAM of tokens, phi_j = sum_d (1/N sum_i dy/da_id) a_jd. See
    :func:`contrastlib.explainers.vit.methods.vit_gradcam`.

    Args:
        block: The last block.
        norm: The norm after it.
        linear: The linear layer of the logits.

    Attributes:
        methods: Names of the methods of each tensor of maps.
        bits: Bits of the stored weights with which maps stay within 1e-3 of their range.
        reads: Name of the module whose output is the input of the last block.
        layer: Name of the layer for :func:`contrastlib.explain`.

    >>> from contrastlib import models
    >>> head = ClassToken.of(models.load("birds_vit"))
    >>> logits, (maps,) = head(torch.rand(1, 197, 96))
    >>> head.layer, logits.shape, maps.shape
    ('norm.3', torch.Size([1, 30]), torch.Size([1, 30, 14, 14]))
    """

    methods = (("vit_gradcam",),)
    bits = 16
    reads: str
    layer: str

    def __init__(self, block: nn.Module, norm: nn.LayerNorm, linear: nn.Linear) -> None:
        super().__init__()
        self.block, self.norm, self.linear = block, norm, linear

    def forward(self, tokens: Tensor) -> Output:
        """Compute logits and maps from the tokens (1, T, D) that enter the block."""
        attention, mlp = self.block.self_attention, self.block.mlp
        read = self.block.ln_1(tokens)
        query, key, value = (
            nn.functional.linear(read, attention.in_proj_weight, attention.in_proj_bias)
            .unflatten(-1, (3, attention.num_heads, -1))
            .unbind(dim=2)
        )  # (1, T, heads, d)
        query, scale = query[:, 0], query.shape[-1] ** -0.5
        shares = (torch.einsum("bhd,bthd->bht", query, key) * scale).softmax(dim=-1)
        mixed = torch.einsum("bht,bthd->bhd", shares, value).flatten(1)
        attended = attention.out_proj(mixed) + tokens[:, 0]
        hidden = mlp[0](self.block.ln_2(attended))
        leaving = mlp[3](mlp[1](hidden)) + attended
        logits = self.linear(self.norm(leaving))

        gradient = _through_norm(self.norm, leaving, self.linear.weight)  # (C, D)
        inner = (gradient @ mlp[3].weight) * _slope_of_gelu(hidden) @ mlp[0].weight
        gradient = gradient + _through_norm(self.block.ln_2, attended, inner)
        gradient = (gradient @ attention.out_proj.weight).unflatten(1, query.shape[1:])  # (C, heads, d)
        of_shares = torch.einsum("chd,bthd->cht", gradient, value)
        of_scores = shares * (of_shares - (shares * of_shares).sum(dim=-1, keepdim=True)) * scale
        to_keys = of_scores[..., 1:].sum(dim=-1)[..., None] * query  # the first token is the class token
        to_values = shares[..., 1:].sum(dim=-1)[..., None] * gradient
        both = torch.cat([to_keys.flatten(1), to_values.flatten(1)], dim=1)
        patches = read[0, 1:]
        weights = both @ attention.in_proj_weight[tokens.shape[-1] :] / len(patches)
        side = math.isqrt(len(patches))
        return Output(logits, ((weights @ patches.T).unflatten(1, (side, side))[None],))

    @classmethod
    def of(cls, classifier: Classifier) -> ClassToken | None:
        """Read the head of a classifier, or return None if it is not torchvision's Vision Transformer."""
        named = classifier.named_modules()
        prefix, vit = next(
            ((name, each) for name, each in named if isinstance(each, VisionTransformer)), ("", None)
        )
        if vit is None or len(vit.heads) > 1:  # another layer before the linear one
            return None
        names = list(dict(vit.encoder.layers.named_children()))
        before = "dropout" if len(names) == 1 else f"layers.{names[-2]}"
        head = cls(vit.encoder.layers[-1], vit.encoder.ln, vit.heads[-1])
        head.reads, head.layer = f"{prefix}.encoder.{before}".lstrip("."), f"norm.{len(names) - 1}"
        image, activations = random_image(classifier), []
        with classifier.get_submodule(head.reads).register_forward_hook(
            lambda module, inputs, output: activations.append(output.detach().clone())
        ):
            logits = predict(classifier, image)
        with torch.no_grad():
            return head if same(head(activations[0]).logits, logits) else None


def _through_norm(norm: nn.LayerNorm, x: Tensor, gradient: Tensor) -> Tensor:
    """Gradients (C, D) at the input x (1, D) of a layer norm, from those at its output."""
    spread = (x.var(dim=-1, correction=0, keepdim=True) + norm.eps).sqrt()
    unit = (x - x.mean(dim=-1, keepdim=True)) / spread
    scaled = gradient * norm.weight
    along = (scaled * unit).mean(dim=-1, keepdim=True)
    return (scaled - scaled.mean(dim=-1, keepdim=True) - unit * along) / spread


def _slope_of_gelu(x: Tensor) -> Tensor:
    """Derivative of GELU, Phi(x) + x phi(x), with the normal distribution and its density."""
    below = (1 + torch.erf(x / math.sqrt(2))) / 2
    return below + x * torch.exp(-x.square() / 2) / math.sqrt(2 * math.pi)
