"""Explainers by name, sorted by what they read and where their maps lie."""

from __future__ import annotations

from contrastlib.explainers.cam import gradcam, linear_approximation, xgradcam
from contrastlib.explainers.deeplift import deeplift
from contrastlib.explainers.fullgrad import fullgrad
from contrastlib.explainers.gradients import gradient, input_x_gradient
from contrastlib.explainers.guided_backpropagation import guided_backpropagation
from contrastlib.explainers.integrated_gradients import integrated_gradients
from contrastlib.explainers.lrp import contrastive_lrp
from contrastlib.explainers.vit import attention_x_gradient, gradient_attention_rollout, vit_gradcam

INPUT_SPACE = {f.__name__: f for f in (gradient, input_x_gradient)}
ACTIVATION_SPACE = {f.__name__: f for f in (gradcam, linear_approximation, xgradcam)}
METHODS = INPUT_SPACE | ACTIVATION_SPACE
"""explainers of a pass that :func:`contrastlib.autograd.forward_pass.forward` recorded"""
TRANSFORMER = {f.__name__: f for f in (vit_gradcam, gradient_attention_rollout, attention_x_gradient)}
"""explainers of a pass that :func:`contrastlib.explainers.vit.vit_forward` recorded"""
OWN_PASS = {f.__name__: f for f in (integrated_gradients, guided_backpropagation, deeplift, fullgrad)}
OWN_PASS["lrp"] = contrastive_lrp
"""explainers (model, images, contrast) that run the network themselves"""
PIXELS = (*INPUT_SPACE, *OWN_PASS)
"""names of those whose maps are of the pixels, channel by channel"""
