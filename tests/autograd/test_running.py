"""Errors of PyTorch in a backward pass, and what is said of them."""

import pytest
import torch
from torch import nn

from contrastlib.autograd import running

REFUSED = "cudnn RNN backward can only be called in training mode"


class Refuse(torch.autograd.Function):
    """The output of a recurrent layer, whose backward pass raises cuDNN's error, as on a GPU."""

    @staticmethod
    def forward(context, values):
        return values.clone()

    @staticmethod
    def backward(context, gradient):
        raise RuntimeError(REFUSED)


def test_a_recurrent_layer_that_cudnn_refuses():
    pixels = torch.ones(1, 4, 3, requires_grad=True)
    output, _ = nn.LSTM(3, 2, batch_first=True).eval()(pixels)
    with pytest.raises(
        ValueError,
        match=r"in training mode only: explain this network inside of `with torch\.backends\.cudnn\.flags",
    ):
        running.gradients([Refuse.apply(output)], [pixels], torch.ones_like(output))


def test_on_a_processor_a_recurrent_layer_has_a_gradient():
    pixels = torch.ones(1, 4, 3, requires_grad=True)
    output, _ = nn.LSTM(3, 2, batch_first=True).eval()(pixels)
    (gradient,) = running.gradients([output], [pixels], torch.ones_like(output))
    assert gradient.shape == pixels.shape and gradient.abs().sum() > 0


def test_other_errors_stay_as_they_are():
    pixels = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="appears to not have been used"):
        running.gradients([(2 * pixels).sum()], [torch.ones(1, requires_grad=True)], torch.ones(()))
