"""Explainers: methods that turn a cotangent over the logits into a map of the image.

Each method has a function, in a module of its own or of its family, and a record in ``EXPLAINERS``. The
function of most methods takes a recorded forward pass and a cotangent. Methods that change the network, or
run it at other points, take the network, the images and a function ``contrast_fn`` from logits to cotangents.

The shapes and symbols are those of :mod:`contrastlib`: B images, C classes, N cotangents, K channels, H x W
pixels, h x w spatial positions, T tokens. A cotangent is (B, C), or (N, B, C) for N cotangents. Maps are

- (B, h, w) for a method that makes class activation maps of a layer, or maps of tokens,
- (B, K, H, W) for a method that makes maps of the pixels,

with N in front for N cotangents.

- :mod:`~contrastlib.explainers.cam`: GradCAM, XGradCAM and Linear Approximation
- :mod:`~contrastlib.explainers.gradients`: the gradient, and input times gradient
- :mod:`~contrastlib.explainers.integrated_gradients`, :mod:`~contrastlib.explainers.guided_backpropagation`,
  :mod:`~contrastlib.explainers.deeplift`: other methods of the pixels
- :mod:`~contrastlib.explainers.fullgrad`: FullGrad, from :mod:`~contrastlib.explainers.fullgrad_terms`
- :mod:`~contrastlib.explainers.class_competition`: VAR, which compares the maps of classes
- :mod:`~contrastlib.explainers.lrp`: layer-wise relevance propagation, CLRP and SGLRP
- :mod:`~contrastlib.explainers.vit`: the methods of Vision Transformers
- :mod:`~contrastlib.explainers.all_classes`: the maps of all classes, from which any contrast follows
- :mod:`~contrastlib.explainers.upsampling`: maps in the size of the images
- :mod:`~contrastlib.explainers.explainer`: the record of a method
- :mod:`~contrastlib.explainers.registry`: all records by name
"""

from contrastlib.explainers.all_classes import class_maps
from contrastlib.explainers.cam import gradcam, linear_approximation, xgradcam
from contrastlib.explainers.class_competition import class_competition
from contrastlib.explainers.deeplift import deeplift
from contrastlib.explainers.explainer import CHANNELS, SPACES, Explainer
from contrastlib.explainers.fullgrad import fullgrad
from contrastlib.explainers.gradients import gradient, input_x_gradient
from contrastlib.explainers.guided_backpropagation import guided_backpropagation
from contrastlib.explainers.integrated_gradients import integrated_gradients
from contrastlib.explainers.lrp import contrastive_lrp
from contrastlib.explainers.registry import EXPLAINERS, select
from contrastlib.explainers.upsampling import upsample
from contrastlib.explainers.vit import attention_x_gradient, gradient_attention_rollout, vit_gradcam

__all__ = [
    "CHANNELS", "EXPLAINERS", "SPACES", "Explainer", "attention_x_gradient", "class_competition",
    "class_maps", "contrastive_lrp", "deeplift", "fullgrad", "gradcam", "gradient",
    "gradient_attention_rollout", "guided_backpropagation", "input_x_gradient", "integrated_gradients",
    "linear_approximation", "select", "upsample", "vit_gradcam", "xgradcam",
]  # fmt: skip
