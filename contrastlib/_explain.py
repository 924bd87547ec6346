"""``contrastlib.explain``: the map of any method, contrast and network in one call."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from contrastlib import contrasts, explainers
from contrastlib.autograd import INPUT, check_model, forward, last_convolution, own_precision, predict
from contrastlib.contrasts import Classes, ContrastLike


def explain(
    model: nn.Module,
    images: Tensor,
    target: Classes | None = None,
    method: str = "gradcam",
    contrast: ContrastLike = "weighted",
    layer: str | None = None,
    upsample: bool = True,
    foils: Classes | None = None,
    **options,
) -> Tensor:
    """Maps of what speaks for ``target`` against the other classes, one forward and one backward pass.

    Args:
        model: any classifier that maps images to logits (B, C) (not to probabilities).
        images: (B, channels, H, W), floating point, preprocessed as the model wants them.
        target: a class index, or one for each image; the predicted class of each image when None.
        method: activations of a layer: "gradcam" (of a torchvision VisionTransformer "vit_gradcam"),
            "linear_approximation", "xgradcam".
            Pixels, channels summed: "gradient", "input_x_gradient", "integrated_gradients",
            "guided_backpropagation", "deeplift", "fullgrad", "lrp"
            (the relevance w * y enters at the logits).
            Vision Transformers: "vit_gradcam", "gradient_attention_rollout", "attention_x_gradient".
        contrast: "weighted" (against the others by their probability), "original" (the logit
            alone), "mean", "maximum", "probability", or "among" with ``foils``; see
            :mod:`contrastlib.contrasts`. Or weights of your own over the logits, a tensor (B, C) or a
            function of the logits that returns one; they say what is explained, ``target`` does not then.
        layer: name as in ``model.named_modules()``. When None: the model's own ``layer`` if it has
            one, else its last convolution; of a Transformer the last block ("norm.11"); "input" for
            gradient and input_x_gradient. The other methods have no layer.
        upsample: bring maps of a layer or of tokens to the size of the images.
        foils: classes to contrast with, for ``contrast="among"``.
        options: of the method, see :mod:`contrastlib.explainers`, such as ``steps`` and ``baseline`` of
            integrated_gradients, or ``rules`` and ``box`` of lrp, whose z+ rule has to know the lowest
            and the highest value of a pixel: 0 and 1 unless said.

    Returns:
        Maps (B, H, W), or (B, h, w) without upsampling. Positive values speak for the target,
        negative ones for the classes it is contrasted with.

    Raises:
        ValueError, TypeError, IndexError: what is wrong and what to do about it.

    >>> import torch, torchvision
    >>> net = torchvision.models.squeezenet1_1(num_classes=10)
    >>> explain(net, torch.rand(2, 3, 64, 64), target=3).shape
    torch.Size([2, 64, 64])
    """
    check_model(model)
    names = (*explainers.METHODS, *explainers.OWN_PASS, *explainers.TRANSFORMER)
    if method not in names:
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(names)}")
    if layer is not None and not isinstance(layer, str):
        raise TypeError(f"layer is one name, got {layer!r}; for maps of several see contrastlib.autograd.forward")
    if method == "gradcam" and layer is None and explainers.vit.is_transformer(model):
        method = "vit_gradcam"
    if target is None and options.get("contrast_at") == "path":  # on the way another class may be predicted
        target = _predicted(predict(model, images))

    def chosen(logits: Tensor) -> Tensor:
        return contrasts.cotangent(contrast, logits, _predicted(logits) if target is None else target, foils)

    families = {_of_pixels: explainers.OWN_PASS, _of_tokens: explainers.TRANSFORMER, _of_a_layer: explainers.METHODS}
    make = next(make for make, methods in families.items() if method in methods)
    with own_precision(model):
        maps = make(method, model, images, layer, chosen, options)
    return explainers.upsample(maps, images.shape[-2:]) if upsample and maps.shape[-2:] != images.shape[-2:] else maps


def _predicted(logits: Tensor) -> Tensor:
    return logits.argmax(dim=1) if logits.shape[1] > 1 else (logits[:, 0] > 0).long()


def _of_pixels(
    method: str, model: nn.Module, images: Tensor, layer: str | None, chosen: Callable, options: dict
) -> Tensor:
    if layer is not None:
        raise ValueError(f"{method} makes maps of the pixels: leave the layer {layer!r} out")
    maps = explainers.OWN_PASS[method](model, images, chosen, **options)
    return maps.map if method == "fullgrad" else maps.sum(dim=1)


def _of_a_layer(
    method: str, model: nn.Module, images: Tensor, layer: str | None, chosen: Callable, options: dict
) -> Tensor:
    of_pixels = method in explainers.INPUT_SPACE
    if layer is None:
        own = getattr(model, "layer", None)
        layer = INPUT if of_pixels else own if isinstance(own, str) else last_convolution(model)
    passed = forward(model, images, layer, once=True)
    maps = explainers.METHODS[method](passed, chosen(passed.logits), **options)
    if of_pixels and maps.ndim != 4:
        raise ValueError(f"layer {layer!r} gives {tuple(maps.shape)}, not (B, channels, h, w): it has no places to map")
    return maps.sum(dim=1) if of_pixels else maps


def _of_tokens(
    method: str, model: nn.Module, images: Tensor, layer: str | None, chosen: Callable, options: dict
) -> Tensor:
    passed = explainers.vit.vit_forward(model, images, once=True)
    w = chosen(passed.logits)
    if method != "vit_gradcam":
        if layer is not None:
            raise ValueError(f"{method} reads all blocks: leave the layer {layer!r} out")
        return explainers.TRANSFORMER[method](passed, w, **options)
    places = [name for name in passed.activations if not name.startswith("attention")]
    kind, _, block = passed.layer(layer or [name for name in places if name.startswith("norm")][-1]).partition(".")
    return explainers.vit_gradcam(passed, w, int(block), layer=kind, **options)
