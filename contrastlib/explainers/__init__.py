"""Explainers, one file per method or family, and one record for each method in ``EXPLAINERS``.

Most are pure functions of a recorded forward pass and a cotangent. Those that change how the network runs,
or run it at other points, take the network, the images and a contrast, a function of the logits.
"""

from contrastlib.explainers.all_classes import class_maps
from contrastlib.explainers.cam import gradcam, linear_approximation, xgradcam
from contrastlib.explainers.deeplift import deeplift
from contrastlib.explainers.explainer import CHANNELS, Explainer
from contrastlib.explainers.fullgrad import fullgrad
from contrastlib.explainers.gradients import gradient, input_x_gradient
from contrastlib.explainers.guided_backpropagation import guided_backpropagation
from contrastlib.explainers.integrated_gradients import integrated_gradients
from contrastlib.explainers.lrp import contrastive_lrp
from contrastlib.explainers.registry import EXPLAINERS, select
from contrastlib.explainers.upsampling import upsample
from contrastlib.explainers.vit import attention_x_gradient, gradient_attention_rollout, vit_gradcam

__all__ = [
    "CHANNELS", "EXPLAINERS", "Explainer", "attention_x_gradient", "class_maps", "contrastive_lrp", "deeplift", "fullgrad",
    "gradcam", "gradient", "gradient_attention_rollout", "guided_backpropagation", "input_x_gradient",
    "integrated_gradients", "linear_approximation", "select", "upsample", "vit_gradcam", "xgradcam",
]  # fmt: skip
