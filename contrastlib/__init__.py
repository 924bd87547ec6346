"""Contrastive explanations of image classifiers: why this class, and not the others?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from contrastlib.contrasts import Classes

__version__ = "0.1.0"


def explain(
    model: nn.Module,
    images: Tensor,
    target: Classes | None = None,
    method: str = "gradcam",
    contrast: str = "weighted",
    layer: str | None = None,
    upsample: bool = True,
    foils: Classes | None = None,
) -> Tensor:
    """Maps of what speaks for ``target`` against the other classes, one forward and one backward pass.

    Args:
        model: any classifier that maps images to logits (B, C) (not to probabilities).
        images: (B, channels, H, W), floating point, preprocessed as the model wants them.
        target: a class index, or one for each image; the predicted class of each image when None.
        method: "gradcam", "linear_approximation", "xgradcam" (activations of a layer);
            "gradient", "input_x_gradient" (pixels; channels are summed).
        contrast: "weighted" (against the others by their probability), "original" (the logit
            alone), "mean", "maximum", "probability", or "among" with ``foils``; see
            :mod:`contrastlib.contrasts`.
        layer: name as in ``model.named_modules()``. When None: the model's own ``layer`` if it has
            one, else its last convolution; the images for the two pixel methods.
        upsample: bring maps of a layer to the size of the images.
        foils: classes to contrast with, for ``contrast="among"``.

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
    from contrastlib import contrasts, explainers
    from contrastlib.forward import INPUT, forward, last_convolution

    if method not in explainers.METHODS:
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(explainers.METHODS)}")
    of_pixels = method in explainers.INPUT_SPACE
    if layer is None:
        own = getattr(model, "layer", None)
        layer = INPUT if of_pixels else own if isinstance(own, str) else last_convolution(model)
    passed = forward(model, images, layer, once=True)
    if target is None:
        target = passed.logits.argmax(dim=1) if passed.logits.shape[1] > 1 else (passed.logits[:, 0] > 0).long()
    maps = explainers.METHODS[method](passed, contrasts.cotangent(contrast, passed.logits, target, foils))
    if of_pixels:
        return maps.sum(dim=1)
    return explainers.upsample(maps, images.shape[-2:]) if upsample else maps
