"""Linear operations save no inputs for the backward pass, and the gradients are those of plain autograd."""

from contextlib import nullcontext

import pytest
import torch
import torchvision
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from contrastlib.autograd import LinearInputsDropped, forward

EXACT = {"rtol": 1e-10, "atol": 1e-10}
NORM = (torch.rand(4), torch.rand(4) + 0.5, torch.rand(4), torch.rand(4))
OPERATIONS = {
    "conv1d": ((2, 3, 9), lambda x: functional.conv1d(x, torch.rand(4, 3, 3))),
    "conv2d": ((2, 3, 9, 9), lambda x: functional.conv2d(x, torch.rand(4, 3, 3, 3), torch.rand(4), stride=2)),
    "conv2d, grouped": ((2, 4, 9, 9), lambda x: functional.conv2d(x, torch.rand(4, 1, 3, 3), groups=4)),
    "conv3d": ((2, 3, 5, 5, 5), lambda x: functional.conv3d(x, torch.rand(4, 3, 3, 3, 3))),
    "conv_transpose1d": ((2, 3, 9), lambda x: functional.conv_transpose1d(x, torch.rand(3, 4, 3))),
    "conv_transpose2d": ((2, 3, 9, 9), lambda x: functional.conv_transpose2d(x, torch.rand(3, 4, 3, 3))),
    "conv_transpose3d": (
        (2, 3, 5, 5, 5),
        lambda x: functional.conv_transpose3d(x, torch.rand(3, 4, 3, 3, 3)),
    ),
    "batch_norm": ((2, 4, 9, 9), lambda x: functional.batch_norm(x, *NORM)),
    "batch_norm, named": (
        (2, 4, 9),
        lambda x: functional.batch_norm(x, *NORM[:2], weight=NORM[2], training=False),
    ),
}


def holds(operation, x):
    """Whether an operation saves the values of its input for the backward pass."""
    saved = operation._saved_input if hasattr(operation, "_saved_input") else operation.saved_tensors[0]
    return saved.data_ptr() == x.data_ptr()


OF_IMAGES = [name for name, (shape, _) in OPERATIONS.items() if len(shape) == 4]


@pytest.mark.parametrize(
    "name, layout",
    [
        *((name, torch.contiguous_format) for name in OPERATIONS),
        *((name, torch.channels_last) for name in OF_IMAGES),
    ],
)
def test_an_operation_holds_a_shape_and_gives_the_same_gradient(name, layout):
    shape, operation = OPERATIONS[name]
    x = torch.rand(shape).contiguous(memory_format=layout).requires_grad_()
    torch.manual_seed(0)
    plain = operation(x)
    torch.manual_seed(0)
    with LinearInputsDropped():
        dropped = operation(x)
    assert holds(plain.grad_fn, x) and not holds(dropped.grad_fn, x)
    assert dropped.equal(plain)
    cotangents = torch.randn(3, *plain.shape)
    for cotangent, together in ((cotangents[0], False), (cotangents, True)):
        found, expected = (
            torch.autograd.grad(output, x, cotangent, retain_graph=True, is_grads_batched=together)[0]
            for output in (dropped, plain)
        )
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("asked", ["weight", "bias"])
@pytest.mark.parametrize("by_name", [True, False])
def test_nothing_is_dropped_where_a_parameter_asks_for_its_gradient(asked, by_name):
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    parameters = {
        "weight": torch.rand(4, 3, 3, 3, dtype=torch.float64),
        "bias": torch.rand(4, dtype=torch.float64),
    }
    parameters[asked].requires_grad_()
    with LinearInputsDropped():
        output = functional.conv2d(x, **parameters) if by_name else functional.conv2d(x, *parameters.values())
    assert holds(output.grad_fn, x)
    assert torch.autograd.gradcheck(
        lambda x, p: functional.conv2d(x, **(parameters | {asked: p})), (x, parameters[asked])
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda x: functional.batch_norm(x, None, None, training=True),
        lambda x: functional.batch_norm(x, None, None, None, None, True),
        lambda x: functional.batch_norm(x, torch.zeros(3).double(), torch.ones(3).double(), training=True),
    ],
)
def test_a_batch_norm_by_the_statistics_of_its_batch_is_not_linear(call):
    x = torch.randn(4, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    cotangent = torch.randn(4, 3, 5, 5, dtype=torch.float64)
    with LinearInputsDropped():
        output = call(x)
    assert holds(output.grad_fn, x)
    (found,), (expected,) = (torch.autograd.grad(y, x, cotangent) for y in (output, call(x)))
    assert found.equal(expected)


@pytest.mark.parametrize(
    "dtype, tolerance",
    [(torch.float64, 1e-12), (torch.float32, 1e-6), (torch.bfloat16, 1e-2), (torch.float16, 2e-3)],
)
@pytest.mark.parametrize("affine", [True, False])
def test_a_batch_norm_scales_the_gradient_in_its_own_precision(dtype, tolerance, affine):
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4, affine=affine, eps=1e-3).requires_grad_(False).eval()
    norm.running_mean.uniform_(), norm.running_var.uniform_(1e-4, 2)
    norm, x = norm.to(dtype), torch.randn(2, 4, 5, 5, dtype=dtype, requires_grad=True)
    with LinearInputsDropped():
        output = norm(x)
    assert output.equal(norm(x))
    cotangent = torch.randn_like(output)
    found, expected = (torch.autograd.grad(y, x, cotangent)[0] for y in (output, norm(x)))
    assert found.dtype == dtype
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


class Tagged(torch.Tensor):
    """A tensor of a class of its own."""


def test_a_tensor_of_another_class_is_left_alone():
    x = torch.rand(2, 3, 8, 8).as_subclass(Tagged).requires_grad_()
    with LinearInputsDropped():
        output = functional.conv2d(x, torch.rand(4, 3, 3, 3))
    ((convolution, _),) = output.grad_fn.next_functions  # after a change of class
    assert isinstance(output, Tagged) and holds(convolution, x)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "vgg11_bn",
        "resnet18",
        "densenet121",
        "googlenet",
        "mobilenet_v3_small",
        "efficientnet_b0",
        "squeezenet1_1",
        "shufflenet_v2_x0_5",
        "convnext_tiny",
    ],
)
def test_networks_have_the_gradients_of_plain_autograd(name):
    torch.manual_seed(0)
    weights = {"init_weights": False} if name == "googlenet" else {}
    network = getattr(torchvision.models, name)(num_classes=7, **weights).double().eval()
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64, requires_grad=True)
    logits = network(images)
    cotangent = torch.randn_like(logits)
    (expected,) = torch.autograd.grad(logits, images, cotangent)
    record = forward(network, images)
    assert record.logits.equal(logits.detach()) and expected.any()
    torch.testing.assert_close(record.pull_back(cotangent)["input"], expected, **EXACT)


class Around(nn.Module):
    """Uses the input of a convolution beside it, in ways whose gradients need its values."""

    def __init__(self, way):
        super().__init__()
        self.way, self.first, self.second = (
            way,
            nn.Conv2d(3, 4, 3),
            nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1)),
        )
        self.classes = nn.Linear(4, 5)
        if way == "hook":
            self.second.register_forward_hook(lambda module, inputs, output: output * inputs[0])

    def forward(self, images):
        x = self.first(images).tanh()
        x = {"product": self.product, "hook": self.second, "func": self.func, "checkpoint": self.again}[
            self.way
        ](x)
        return self.classes(x.mean(dim=(2, 3)))

    def product(self, x):
        return x.sigmoid() * self.second(x) * x

    def again(self, x):
        return checkpoint(self.product, x, use_reentrant=False)

    def func(self, x):
        derivative = torch.func.grad(lambda y: self.second(y).tanh().sum())
        return derivative(x) + torch.func.vmap(lambda y: self.second(y[None])[0])(x)


@pytest.mark.parametrize("way", ["product", "hook", "checkpoint", "func"])
def test_what_else_uses_the_input_still_has_it(way):
    torch.manual_seed(0)
    network, images = (
        Around(way).double().eval(),
        torch.rand(2, 3, 9, 9, dtype=torch.float64, requires_grad=True),
    )
    cotangents = torch.randn(6, 2, 5, dtype=torch.float64)
    expected = torch.stack([torch.autograd.grad(network(images), images, w)[0] for w in cotangents])
    record = forward(network, images.detach())
    found = torch.stack([record.pull_back(w)["input"] for w in cotangents])
    torch.testing.assert_close(found, expected, **EXACT)
    torch.testing.assert_close(
        forward(network, images.detach()).pull_back(cotangents)["input"], expected, **EXACT
    )


def test_a_network_in_use_holds_its_inputs_again():
    network, images = (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten()).eval(),
        torch.rand(2, 3, 8, 8),
    )
    entering = []
    network[1].register_forward_pre_hook(lambda module, inputs: entering.append(inputs[0]))
    record, images = forward(network, images), images.requires_grad_()
    norms = [output.grad_fn.next_functions[0][0] for output in (record._outputs, network(images))]
    assert [holds(norm, x) for norm, x in zip(norms, entering)] == [False, True]


@pytest.mark.parametrize("within, held", [(LinearInputsDropped, 1), (nullcontext, 10)])
def test_what_is_dropped_is_freed(within, held):
    """Of the outputs of ten convolutions and batch norms, one after the other, the last alone stays."""
    layers = [nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)] * 5
    network, outputs = nn.Sequential(*layers).eval().requires_grad_(False), []
    for module in layers[:2]:
        module.register_forward_hook(
            lambda module, inputs, output: outputs.append(StorageWeakRef(output.untyped_storage()))
        )
    with within():
        last = network(torch.rand(2, 3, 16, 16, requires_grad=True))
    assert last.requires_grad and sum(not output.expired() for output in outputs) == held
