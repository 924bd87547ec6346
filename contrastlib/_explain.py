"""``contrastlib.explain``: the map of any method, contrast and network in one call."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from contrastlib import contrasts, explainers
from contrastlib.autograd import INPUT, check_model, default_layer, forward, own_precision, predict
from contrastlib.contrasts import Classes, ContrastLike
from contrastlib.explainers import CHANNELS, EXPLAINERS, Explainer


def explain(
    model: nn.Module,
    images: Tensor,
    target: Classes | None = None,
    method: str = "gradcam",
    contrast: ContrastLike = "weighted",
    layer: str | None = None,
    upsample: bool = True,
    foils: Classes | None = None,
    channels: str = "sum",
    **options,
) -> Tensor:
    """Maps of what speaks for ``target`` against the other classes, one forward and one backward pass.

    Args:
        model: any classifier that maps images to logits (B, C) (not to probabilities).
        images: (B, channels, H, W), floating point, preprocessed as the model wants them.
        target: a class index, or one for each image; the predicted class of each image when None.
        method: name of an explainer in :data:`contrastlib.explainers.registry.EXPLAINERS`; the table of the
            methods says what each one is, where it comes from and what it costs.
        contrast: "weighted" (against the others by their probability), "original" (the logit
            alone), "mean", "maximum", "probability", or "among" with ``foils``; see
            :mod:`contrastlib.contrasts`. Or weights of your own over the logits, a tensor (B, C) or a
            function of the logits that returns one; they say what is explained, ``target`` does not then.
            CLRP and SGLRP define their initial relevance themselves and take no other contrast.
        layer: name as in ``model.named_modules()``. When None: the model's own ``layer`` if it has
            one, else its last convolution; of a Transformer the last block ("norm.11"); "input" for
            gradient and input_x_gradient. The other methods have no layer.
        upsample: bring maps of a layer or of tokens to the size of the images.
        foils: classes to contrast with, for ``contrast="among"``.
        channels: of a method that gives each channel of a pixel a value: "sum" adds them up; "abs_max" takes the
            greatest absolute value, as Simonyan et al. 2013 do for the gradient.
        options: of the method, such as ``steps`` and ``baseline`` of integrated_gradients, or ``rules`` and
            ``box`` of lrp, whose z+ rule has to know the lowest and the highest value of a pixel: 0 and 1
            unless said.

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
    explainer = _chosen(method, model, layer)
    explainer.check_options(options)
    _check_channels(explainer, channels)
    _check_contrast(explainer, contrast, foils)
    if target is None and options.get("contrast_at") == "path":  # along the path another class may be predicted
        target = _predicted(predict(model, images))

    def classes(logits: Tensor) -> Classes:
        return _predicted(logits) if target is None else target

    def cotangent(logits: Tensor) -> Tensor:
        return contrasts.cotangent(contrast, logits, classes(logits), foils)

    with own_precision(model):
        maps = explainer.map(_found(explainer, model, images, layer, cotangent, classes, options), channels)
    return explainers.upsample(maps, images.shape[-2:]) if upsample and maps.shape[-2:] != images.shape[-2:] else maps


def _chosen(method: str, model: nn.Module, layer: str | None) -> Explainer:
    """The explainer of the method, or of the one that takes its place for this model."""
    if method not in EXPLAINERS:
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(EXPLAINERS)}")
    if layer is not None and not isinstance(layer, str):
        raise TypeError(f"layer is one name, got {layer!r}; for maps of several see contrastlib.autograd.forward")
    explainer = EXPLAINERS[method]
    if explainer.for_transformers and layer is None and explainers.vit.is_transformer(model):
        explainer = EXPLAINERS[explainer.for_transformers]
    if layer is not None and not explainer.takes_layer:
        why = "makes maps of the pixels" if explainer.space == "pixels" else "reads all blocks"
        raise ValueError(f"{explainer.name} {why}: leave the layer {layer!r} out")
    return explainer


def _check_channels(explainer: Explainer, channels: str) -> None:
    if channels not in CHANNELS:
        raise ValueError(f"unknown channels {channels!r}; choose one of {', '.join(CHANNELS)}")
    if channels != "sum" and not explainer.has_channels:
        raise ValueError(f"{explainer.name} gives one map and not one of each channel: leave channels={channels!r} out")


def _check_contrast(explainer: Explainer, contrast: ContrastLike, foils: Classes | None) -> None:
    if explainer.contrast or (isinstance(contrast, str) and contrast == "weighted" and foils is None):
        return
    raise ValueError(
        f"{explainer.name} defines its initial relevance itself: leave contrast and foils out, "
        "or use method=\"lrp\", whose initial relevance is that of any contrast"
    )


def _predicted(logits: Tensor) -> Tensor:
    return logits.argmax(dim=1) if logits.shape[1] > 1 else (logits[:, 0] > 0).long()


def _found(
    explainer: Explainer, model: nn.Module, images: Tensor, layer: str | None,
    cotangent: Callable[[Tensor], Tensor], classes: Callable[[Tensor], Classes], options: dict,
):
    """What the function of the explainer returns."""
    if explainer.needs == "network":
        return explainer.function(model, images, cotangent if explainer.contrast else classes, **options)
    if explainer.needs == "tokens pass":
        record = explainers.vit.vit_forward(model, images, once=True)
    else:
        layer = layer or (INPUT if explainer.space == "pixels" else default_layer(model))
        record = forward(model, images, layer, once=True)
    at = {"layer": layer} if explainer.takes_layer else {}
    found = explainer.function(record, cotangent(record.logits), **at, **options)
    if explainer.has_channels and found.ndim != 4:
        raise ValueError(f"layer {layer!r} gives {tuple(found.shape)}, not (B, channels, h, w): it has no places to map")
    return found
