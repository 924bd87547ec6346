"""``contrastlib.explain``: the map of any method, contrast and network in one call."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from torch import Tensor, nn

from contrastlib import contrasts, explainers
from contrastlib._choices import check_choice
from contrastlib.autograd import INPUT, check_model, default_layer, forward, own_precision, predict
from contrastlib.contrasts import CONTRASTS, Classes, Contrast, ContrastLike
from contrastlib.explainers import CHANNELS, EXPLAINERS, Explainer

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _with_lists(**records: Mapping[str, Contrast | Explainer]) -> Callable[[_Function], _Function]:
    """Make a decorator that completes a docstring with lists of records.

    Args:
        **records: Name of a list -> records by name.

    Returns:
        A decorator. Where a line of the docstring is ``{name of a list}``, it puts a line for each record.

    >>> @_with_lists(contrasts={"mean": CONTRASTS["mean"]})
    ... def function():
    ...     '''The contrasts are:
    ...
    ...     {contrasts}
    ...     '''
    >>> print(function.__doc__)
    The contrasts are:
    <BLANKLINE>
        - ``"mean"``: against the average of all others
    <BLANKLINE>
    """
    def listed(line: re.Match[str]) -> str:
        entries = (f'- ``"{name}"``: {record.about}' for name, record in records[line[2]].items())
        return textwrap.indent("\n".join(entries), line[1])

    def complete(function: _Function) -> _Function:
        if function.__doc__:  # python -OO leaves docstrings out
            function.__doc__ = re.sub(r"^( *)\{(\w+)\}$", listed, function.__doc__, flags=re.MULTILINE)
        return function

    return complete


@_with_lists(methods=EXPLAINERS, contrasts=CONTRASTS)
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
    **options: Any,
) -> Tensor:
    """Compute a map for each image that explains the score <w, y> of a contrast w over the logits y.

    Most methods take one forward pass and one backward pass. The model runs in evaluation mode and in its own
    precision; its state is restored afterwards.

    Args:
        model: A classifier that maps images to logits (B, C), not to probabilities.
        images: Images (B, K, H, W), floating point, preprocessed as the model needs them.
        target: Target class, or one target class for each image. If None, it is the predicted class of each
            image.
        method: The name of an explainer. :data:`contrastlib.explainers.registry.EXPLAINERS` has the formula,
            the source and the cost of each:

            {methods}

        contrast: The name of a contrast. :data:`contrastlib.contrasts.registry.CONTRASTS` has the formula and
            the source of each:

            {contrasts}

            Or weights (B, C), or a function of the logits that returns weights (B, C). Such weights define
            what is explained, and ``target`` is then not used. CLRP and SGLRP define their initial relevance
            themselves and take no contrast.
        layer: The name of a layer, as in ``model.named_modules()``. If None, methods of a layer take the
            layer that the model names in its attribute ``layer``, or else its last convolution. For a Vision
            Transformer the default is the last block ("norm.11" of ViT-B/16); it also has the layers
            "norm.i" and "block.i", see :func:`contrastlib.explainers.vit.forward_pass.vit_forward`.
            ``gradient`` and ``input_x_gradient`` also take a layer; their default is "input", the pixels.
            Other methods take no layer.
        upsample: Whether maps (B, h, w) of a layer or of tokens are interpolated to the size of the images.
        foils: Classes that the target class is compared with, for the contrast "among".
        channels: How a method of the pixels reduces the channels of the images. "sum" adds them. "abs_max"
            takes the largest absolute value (Simonyan et al. 2013, sec. 3.1).
        **options: Options of the method, such as ``steps`` and ``baseline`` of integrated_gradients, or
            ``rules`` and ``box`` of lrp. ``box`` is the lowest and the highest value of a pixel, 0 and 1 by
            default.

    Returns:
        Maps (B, H, W), or (B, h, w) if they are not upsampled. A positive value supports the target class
        against the classes that it is compared with. A negative value supports those classes.

    Raises:
        TypeError: An argument has a wrong type, or the method has no such option.
        ValueError: A name is unknown, the images or logits have a wrong shape or wrong values, arguments do
            not fit together, or the network has an operation that the method does not support.
        IndexError: A target or a foil is not a class.

    >>> import torch, torchvision
    >>> net = torchvision.models.squeezenet1_1(num_classes=10)
    >>> explain(net, torch.rand(2, 3, 64, 64), target=3).shape
    torch.Size([2, 64, 64])
    """
    check_model(model)
    explainer = _explainer(method, model, layer)
    explainer.check_options(options)
    _check_channels(explainer, channels)
    _check_contrast(explainer, contrast, foils)
    if target is None and options.get("contrast_at") == "path":
        # The predicted class can change along the path, and the target class must not.
        target = _predicted(predict(model, images))

    def target_fn(logits: Tensor) -> Classes:
        return _predicted(logits) if target is None else target

    def contrast_fn(logits: Tensor) -> Tensor:
        return contrasts.cotangent(contrast, logits, target_fn(logits), foils)

    with own_precision(model):
        function = contrast_fn if explainer.contrast else target_fn
        output = _output(explainer, model, images, layer, function, options)
        maps = explainer.map(output, channels)
    size = images.shape[-2:]
    return explainers.upsample(maps, size) if upsample and maps.shape[-2:] != size else maps


def _explainer(method: str, model: nn.Module, layer: str | None) -> Explainer:
    """Return the explainer of that name, or the one that replaces it for a Vision Transformer."""
    check_choice("method", method, EXPLAINERS)
    if layer is not None and not isinstance(layer, str):
        raise TypeError(
            f"layer must be the name of one layer, got {layer!r}; "
            "to explain several layers use contrastlib.autograd.forward"
        )
    explainer = EXPLAINERS[method]
    if explainer.for_transformers and layer is None and explainers.vit.is_transformer(model):
        explainer = EXPLAINERS[explainer.for_transformers]
    if layer is not None and not explainer.takes_layer:
        why = "makes maps of the pixels" if explainer.space == "pixels" else "reads all blocks"
        raise ValueError(f"{explainer.name} {why}: leave the layer {layer!r} out")
    return explainer


def _check_channels(explainer: Explainer, channels: str) -> None:
    check_choice("channels", channels, CHANNELS)
    if channels != "sum" and not explainer.has_channels:
        raise ValueError(
            f"{explainer.name} gives one map and not one for each channel: leave channels={channels!r} out"
        )


def _check_contrast(explainer: Explainer, contrast: ContrastLike, foils: Classes | None) -> None:
    if explainer.contrast or (isinstance(contrast, str) and contrast == "weighted" and foils is None):
        return
    raise ValueError(
        f"{explainer.name} defines its initial relevance itself: leave contrast and foils out, "
        "or use method=\"lrp\", whose initial relevance can come from any contrast"
    )


def _predicted(logits: Tensor) -> Tensor:
    """Return the predicted classes (B,). A single logit y stands for the two logits (0, y)."""
    return logits.argmax(dim=1) if logits.shape[1] > 1 else (logits[:, 0] > 0).long()


def _output(
    explainer: Explainer, model: nn.Module, images: Tensor, layer: str | None,
    contrast_fn: Callable[[Tensor], Classes], options: Mapping[str, Any],
) -> Any:
    """Call the function of an explainer and return its output.

    Args:
        explainer: The explainer.
        model: The classifier.
        images: Images (B, K, H, W).
        layer: The name of a layer, or None for the default of the explainer.
        contrast_fn: Logits (B, C) -> cotangent (B, C). For an explainer that takes no contrast it is
            logits (B, C) -> target classes (B,).
        options: Options of the explainer.
    """
    if explainer.needs == "network":
        return explainer.function(model, images, contrast_fn, **options)
    if explainer.needs == "tokens pass":
        record = explainers.vit.vit_forward(model, images, once=True, layers=[layer] if layer else [])
    else:
        layer = layer or (INPUT if explainer.space == "pixels" else default_layer(model))
        record = forward(model, images, layer, once=True)
    named = {"layer": layer} if explainer.takes_layer else {}
    output = explainer.function(record, contrast_fn(record.logits), **named, **options)
    if explainer.has_channels and output.ndim != 4:
        raise ValueError(
            f"layer {layer!r} gives {tuple(output.shape)}, not (B, channels, h, w): "
            "it has no spatial positions to map"
        )
    return output
