"""``contrastlib.explain``: the map of any method, contrast and network in one call."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from functools import partial
from numbers import Integral
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from contrastlib import contrasts, explainers
from contrastlib._choices import DEFAULT_CONTRAST, check_choice
from contrastlib._class_sets import Foils
from contrastlib._logits import class_indices
from contrastlib.autograd import INPUT, Output, as_found, check_model, forward, predict, reading
from contrastlib.contrasts import CONTRASTS, Classes, Contrast, ContrastLike, Gradients
from contrastlib.explainers import CHANNELS, EXPLAINERS, Explainer
from contrastlib.explainers.cam import check_spatial_positions

OF_BLOCK = re.compile(r"(norm|block)\.\d+")
"""Names of layers that :func:`contrastlib.explainers.vit.forward_pass.vit_forward` gives to a Transformer."""
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
    foils: Foils | None = None,
    channels: str = "sum",
    output: Output | None = None,
    regression: bool = False,
    frames: int | None = None,
    **options: Any,
) -> Tensor:
    """Compute a map for each image that explains the score <w, y> of a contrast w over the logits y.

    Most methods take one forward pass and one backward pass. The model runs in evaluation mode and in its own
    precision; its state is restored afterwards. Several threads can explain one model: each waits for its
    turn. Threads with models of their own run at the same time.

    Args:
        model: A classifier that maps images to logits (B, C), not to probabilities. Log-probabilities are
            logits.
        images: Images (B, K, H, W), floating point, preprocessed as the model needs them.
        target: Target class, or one target class for each image. If None, it is the predicted class of each
            image. For a contrast of a group ("group", "rfxg_group") it is the classes of the group, which are
            those of all images, or a boolean mask (B, C). For a regression it is the index of the number that
            is explained, and can be left out if there is one.
        method: The name of an explainer. :data:`contrastlib.explainers.registry.EXPLAINERS` has the formula,
            the source and the cost of each:

            {methods}

        contrast: The name of a contrast. :data:`contrastlib.contrasts.registry.CONTRASTS` has the formula and
            the source of each:

            {contrasts}

            Or weights (B, C), or a function of the logits that returns weights (B, C). Such weights define
            what is explained, and ``target`` is then not used. CLRP and SGLRP define their initial relevance
            themselves and take no contrast. Labels that do not exclude each other (C independent sigmoids)
            have no rivals. The logit of such a label is its own log-odds, log(p_t / (1 - p_t)) = y_t, so
            "original" is their contrast: it explains the label against its absence.
        layer: The name of a layer, as in ``model.named_modules()``. If None, methods of a layer take the
            layer that the model names in its attribute ``layer``, or else the convolution that runs last, or
            the end of its block; see :func:`contrastlib.autograd.forward_pass.forward`. A network that mixes
            spatial positions after it has no default. For a Vision Transformer the default is the last block
            ("norm.11" of ViT-B/16); it also has the layers "norm.i" and "block.i", see
            :func:`contrastlib.explainers.vit.forward_pass.vit_forward`. ``gradient`` and
            ``input_x_gradient`` also take a layer; their default is the pixels, which are called "input"
            unless a module of the model has that name. Other methods take no layer.
        upsample: Whether maps (B, h, w) of a layer or of tokens are interpolated to the size of the images.
        foils: Classes that the target class is compared with, for the contrast "among" and others: class
            indices, a boolean mask (B, C), or "similar", the ``foil_count`` classes whose logits are nearest
            to that of the target class (3 by default).
        channels: How a method of the pixels reduces the channels of the images. "sum" adds them. "abs_max"
            takes the largest absolute value (Simonyan et al. 2013, sec. 3.1).
        output: Where the scores (B, C) are in what the model returns: a key or an attribute, an index, or a
            function of it, such as ``lambda y: y["out"][:, :, mask].mean(dim=-1)`` for the pixels of a mask
            (H, W). A function is also called with other numbers of rows than B. If None, a tensor is the
            logits itself; otherwise the logits are the only tensor that is called "logits", or the only
            floating-point tensor (B, C) of a tuple.
        regression: Whether the scores are numbers and not logits of classes. The map then explains the number
            that ``target`` chooses, and a single number is not read as the logit of a sigmoid. Probabilities
            are accepted. The contrast can only be "original", or weights.
        frames: The number of frames F of each image, for a video. The rows of the layer are then the frames
            of the first image, those of the second, and so on; for a method of the pixels, the channels of an
            image are those of its frames, one after the other.
        **options: Options of the contrast, such as ``strength`` and ``foil_count``. Options of the method,
            such as ``steps`` and ``baseline`` of integrated_gradients, or ``rules`` and ``box`` of lrp.
            ``box`` is the lowest and the highest value of a pixel, 0 and 1 by default.

    Returns:
        Maps (B, H, W), or (B, h, w) if they are not upsampled; with ``frames``, (B, F, H, W) or (B, F, h, w).
        A positive value supports the target class against the classes that it is compared with. A negative
        value supports those classes.

    Raises:
        TypeError: An argument has a wrong type, or the method and the contrast have no such option.
        ValueError: A name is unknown, the images or logits have a wrong shape or wrong values, the logits are
            probabilities or cannot be found, a layer has other rows than the images, arguments do not fit
            together, or the network has an operation that the method does not support.
        IndexError: A target or a foil is not a class.

    >>> import torch, torchvision
    >>> net = torchvision.models.squeezenet1_1(num_classes=10)
    >>> images = torch.rand(2, 3, 64, 64)
    >>> explain(net, images, target=3).shape
    torch.Size([2, 64, 64])

    If the ten classes are labels of which an image can have several:

    >>> explain(net, images, target=3, contrast="original").shape
    torch.Size([2, 64, 64])

    Against the classes with the nearest logits, less strictly than a contrast:

    >>> explain(net, images, target=3, contrast="among", foils="similar", strength=0.6).shape
    torch.Size([2, 64, 64])
    """
    check_model(model)
    _check_frames(frames)
    explainer = _explainer(method, model, layer)
    record = _record_of(contrast)
    of_contrast = {name: options.pop(name) for name in list(options) if name in _options_of_contrasts()}
    explainer.check_options(options)
    if of_contrast and (regression or not explainer.contrast):
        why = "a regression compares no classes" if regression else f"{explainer.name} takes no contrast"
        raise TypeError(f"{why}: leave {next(iter(of_contrast))} out")
    _check_channels(explainer, channels)
    _check_contrast(explainer, contrast, foils, regression)
    with as_found(model), reading(output, probabilities=regression):
        if target is None and options.get("contrast_at") == "path" and not regression:
            # The predicted class can change along the path, and the target class must not.
            target = _predicted(predict(model, images), record)

        def target_fn(logits: Tensor) -> Classes:
            return _predicted(logits, record) if target is None else target

        def contrast_fn(logits: Tensor, gradients_of: Gradients | None = None) -> Tensor:
            if regression and record:
                return _weights_of_number(logits, target)
            return contrasts.cotangent(
                contrast, logits, target_fn(logits), foils, gradients_of, **of_contrast
            )

        function = contrast_fn if explainer.contrast else target_fn
        twice = record is not None and record.needs_gradients and explainer.space == "layer"
        made, layer = _output(explainer, model, images, layer, function, options, twice)
        maps = _maps(explainer, made, layer, channels, len(images), frames)
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
    if layer == "":
        raise ValueError("the name of the layer is empty: name a layer, or leave it out")
    explainer = EXPLAINERS[method]
    of_block = layer and OF_BLOCK.fullmatch(layer) and layer not in dict(model.named_modules())
    if explainer.for_transformers and (layer is None or of_block) and explainers.vit.is_transformer(model):
        explainer = EXPLAINERS[explainer.for_transformers]
    if layer is not None and not explainer.takes_layer:
        why = "makes maps of the pixels" if explainer.space == "pixels" else "reads all blocks"
        raise ValueError(f"{explainer.name} {why}: leave the layer {layer!r} out")
    return explainer


def _check_frames(frames: int | None) -> None:
    if frames is None:
        return
    if not isinstance(frames, Integral) or isinstance(frames, bool):
        raise TypeError(f"frames must be the number of frames of an image, got {frames!r}")
    if frames < 1:
        raise ValueError(f"frames is {frames}: an image has 1 frame or more")


def _check_channels(explainer: Explainer, channels: str) -> None:
    check_choice("channels", channels, CHANNELS)
    if channels != "sum" and not explainer.has_channels:
        raise ValueError(
            f"{explainer.name} gives one map and not one for each channel: leave channels={channels!r} out"
        )


def _check_contrast(
    explainer: Explainer, contrast: ContrastLike, foils: Foils | None, regression: bool
) -> None:
    is_default = isinstance(contrast, str) and contrast == DEFAULT_CONTRAST and foils is None
    if not explainer.contrast and not is_default:
        if explainer.space == "layer":
            raise ValueError(
                f"{explainer.name} compares the classes itself: leave contrast and foils out, "
                'or use method="gradcam"'
            )
        raise ValueError(
            f"{explainer.name} defines its initial relevance itself: leave contrast and foils out, "
            'or use method="lrp", whose initial relevance can come from any contrast'
        )
    if not regression:
        return
    if not explainer.contrast:
        raise ValueError(f'{explainer.name} explains a class, and a regression has none: use method="lrp"')
    record = _record_of(contrast)
    name = record.name if record else ""
    if foils is not None or (name not in ("", "original") and not is_default):
        raise ValueError(
            f"the contrast {name!r} compares classes, and a regression has none: "
            "leave contrast and foils out, or give weights (B, C) of the numbers"
        )


def _record_of(contrast: ContrastLike) -> Contrast | None:
    """Return the record of a contrast, or None for weights and for a name that is unknown."""
    return None if isinstance(contrast, str) and contrast not in CONTRASTS else contrasts.known(contrast)


def _options_of_contrasts() -> set[str]:
    """Return the names of the options of all contrasts."""
    return {name for each in CONTRASTS.values() for name in each.options}


def _predicted(logits: Tensor, record: Contrast | None) -> Tensor:
    """Return the predicted classes (B,). A single logit y stands for the two logits (0, y).

    For a contrast of a group it is a mask (B, C): the group of each image is its predicted class.
    """
    classes = logits.argmax(dim=1) if logits.shape[1] > 1 else (logits[:, 0] > 0).long()
    of_group = record is not None and record.takes_group
    return F.one_hot(classes, max(logits.shape[1], 2)).bool() if of_group else classes


def _weights_of_number(numbers: Tensor, target: Classes | None) -> Tensor:
    """Return weights (B, C) that are 1 at the number that a regression explains, and 0 elsewhere."""
    if target is None and numbers.shape[1] > 1:
        raise ValueError(
            f"the network returns {numbers.shape[1]} numbers for each image: choose one with target=..."
        )
    index = class_indices(0 if target is None else target, numbers, "target")
    return torch.zeros_like(numbers).scatter_(1, index[:, None], 1)


def _output(
    explainer: Explainer,
    model: nn.Module,
    images: Tensor,
    layer: str | None,
    contrast_fn: Callable[..., Classes],
    options: Mapping[str, Any],
    twice: bool,
) -> tuple[Any, str | None]:
    """Call the function of an explainer, and return its output and the layer that it explains.

    Args:
        explainer: The explainer.
        model: The classifier.
        images: Images (B, K, H, W).
        layer: The name of a layer, or None for the default of the explainer.
        contrast_fn: Logits (B, C) -> cotangent (B, C). For an explainer that takes no contrast it is
            logits (B, C) -> target classes (B,).
        options: Options of the explainer.
        twice: Whether the contrast needs a backward pass of its own, for the gradients of the layer.
    """
    if explainer.needs == "network":
        return explainer.function(model, images, contrast_fn, **options), None
    if explainer.needs == "tokens pass":
        record = explainers.vit.vit_forward(model, images, once=True, layers=[layer] if layer else [])
    else:
        layer = layer or (INPUT if explainer.space == "pixels" else None)
        record = forward(model, images, layer, once=not twice)
        layer = record.layer(layer)
    if twice:
        contrast_fn = partial(contrast_fn, gradients_of=lambda w: record.pull_back(w)[layer])
    named = {"layer": layer} if explainer.takes_layer else {}
    if explainer.has_channels and layer != INPUT and record.activations[layer].ndim == 4:
        check_spatial_positions(layer, record.activations[layer].shape, record.size)
    output = explainer.function(record, contrast_fn(record.logits), **named, **options)
    if explainer.has_channels and output.ndim != 4:
        raise ValueError(
            f"layer {layer!r} gives {tuple(output.shape)}, not (B, channels, h, w): "
            "it has no spatial positions to map"
        )
    return output, layer


def _maps(
    explainer: Explainer, output: Any, layer: str | None, channels: str, batch: int, frames: int | None
) -> Tensor:
    """Turn the output of an explainer into maps (B, h, w), or (B, frames, h, w)."""
    if frames is not None and explainer.has_channels and len(output) == batch:
        if output.shape[1] % frames:
            raise ValueError(f"the {output.shape[1]} channels of an image are not those of {frames} frames")
        return explainer.map(output.unflatten(1, (frames, -1)), channels)
    maps = explainer.map(output, channels)
    rows = len(maps)
    if rows == batch * (1 if frames is None else frames):
        return maps if frames is None else maps.unflatten(0, (batch, frames))
    source = f"layer {layer!r}" if layer else explainer.name
    each = rows // batch
    hint = "name a layer with a row for each image, or use a method of the pixels, such as input_x_gradient"
    if rows == batch * each > batch:
        hint = f"if they are frames of each image, one after the other, say frames={each}; otherwise {hint}"
    of_frames = "" if frames is None else f" of {frames} frames"
    raise ValueError(f"{source} gives {rows} rows for {batch} images{of_frames}: {hint}")
