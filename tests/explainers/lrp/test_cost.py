"""What relevance propagation computes, counted in multiplications and written numbers: no clock decides."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from contrastlib import models
from contrastlib.autograd import predict
from contrastlib.explainers.lrp import lrp

CLASSES = 5


@pytest.fixture(params=["birds_vgg", "birds_resnet"])
def network(request):
    torch.manual_seed(0)
    return models.build(request.param, CLASSES).eval()


@pytest.fixture
def images():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def multiplications(run):
    """Floating-point operations of convolutions and matrix products, gradients of weights among them."""
    with FlopCounterMode(display=False) as counted:
        run()
    return counted.get_total_flops()


class Written(TorchDispatchMode):
    """Counts the numbers that operations write, and the batch norms and gradients of ReLUs that run."""

    def __init__(self):
        super().__init__()
        self.count = self.batch_norms = self.relu_gradients = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        returned = operation(*args, **(kwargs or {}))
        self.batch_norms += "batch_norm" in operation.name()
        self.relu_gradients += "threshold_backward" in operation.name()
        if not operation.is_view:
            results = returned if isinstance(returned, tuple | list) else [returned]
            self.count += sum(each.numel() for each in results if isinstance(each, torch.Tensor))
        return returned


def written(run):
    with Written() as counted:
        run()
    return counted


def relevances(count):
    """No two of these are multiples of each other, nor equal outside a few classes."""
    return torch.rand(count, 2, CLASSES, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("rules, halves", [("z_plus", 2), ("epsilon", 1)])
def test_each_layer_runs_forward_twice_and_transposed_once_for_each_relevance(
    network, images, rules, halves, count
):
    """The rule of the pixels under z+ takes two convolutions for one: positive weights, negative weights."""
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    one, of_first = multiplications(lambda: predict(network, images)), multiplications(lambda: first(images))
    found = multiplications(lambda: lrp(network, images, lambda y: relevances(count), rules=rules))
    assert found == (2 + count) * one + (halves - 1) * (1 + count) * of_first


def test_what_is_written_beside_that_is_little(network, images):
    one = written(lambda: predict(network, images))
    assert one.batch_norms > 5 and one.count > 5e5
    found = written(lambda: lrp(network, images, lambda y: relevances(1)[0]))
    assert found.batch_norms == found.relu_gradients == 0 and found.count < 5.5 * one.count
    several = written(lambda: lrp(network, images, lambda y: relevances(4)))
    assert several.count < (1 + 0.6 * 4) * found.count
