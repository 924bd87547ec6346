"""One network, written in many ways, has one map; what has no rule is refused by its true name."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

import contrastlib
from contrastlib import contrasts
from contrastlib.explainers.lrp import lrp, propagation

SAME = {"rtol": 1e-9, "atol": 1e-12}


class Written(nn.Module):
    """Two convolutions whose outputs ``join`` makes a vector of."""

    def __init__(self, join, width):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.head = (
            nn.Conv2d(3, 4, 3, padding=1),
            nn.Conv2d(4, 4, 3, padding=1),
            nn.Linear(width, 5),
        )
        self.join = join
        self.double()

    def forward(self, x):
        a = self.a(x).relu()
        return self.head(self.join(a, self.b(a)))


def maps(join, width, images, rules="z_plus"):
    return lrp(
        Written(join, width),
        images[..., :8, :8].clamp(0, 1),
        lambda y: contrasts.original(y, 1) * y,
        rules=rules,
    )


ADDITIONS = {
    "sum": lambda a, b: sum([a, b]),
    "0 +": lambda a, b: 0 + a + b,
    "add 0": lambda a, b: (a + b).add(0.0),
    "alpha": lambda a, b: torch.add(a, b, alpha=1),
    "other": lambda a, b: torch.add(a, other=b),
    "in place": lambda a, b: b.add_(a),
    "0 in place": lambda a, b: (a + b).add_(0),
    "stack": lambda a, b: torch.stack([a, b]).sum(0),
}
RELUS = {
    "product": lambda z: z * (z > 0),
    "where": lambda z: torch.where(z > 0, z, 0),
    "clamp": lambda z: z.clamp(min=0),
    "maximum": lambda z: torch.maximum(torch.zeros((), dtype=z.dtype), z),
    "threshold": nn.Threshold(0.0, 0.0),
}
SHAPES = {
    "chunk": lambda z: torch.cat(z.chunk(2, 1), 1).flatten(1),
    "split": lambda z: torch.cat(z.split([1, 3], 1), 1).flatten(1),
    "unbind": lambda z: torch.stack(z.unbind(1), 1).flatten(1),
    "select": lambda z: torch.stack([z[:, k] for k in range(4)], 1).flatten(1),
    "dropout": lambda z: F.dropout(z, 0.5, training=False).flatten(1),
    "reshape": lambda z: z.reshape(len(z), -1),
    "view": lambda z: z.view(len(z), -1),
    "permute": lambda z: z.permute(1, 0, 2, 3).transpose(0, 1).flatten(1),
    "number": lambda z: (z * 2 / 2).flatten(1),
}
MEANS = {
    "adaptive": lambda z: F.adaptive_avg_pool2d(z, 1).flatten(1),
    "module": lambda z: nn.AdaptiveAvgPool2d((1, 1))(z).squeeze(-1).squeeze(-1),
    "window": lambda z: F.avg_pool2d(z, 8)[..., 0, 0],
    "function": lambda z: torch.mean(z.flatten(2), dim=-1),
    "sum": lambda z: z.sum((2, 3)) / 64,
}
MAXIMA = {
    "amax": lambda z: z.amax((2, 3)),
    "max": lambda z: z.flatten(2).max(2)[0],
    "window": lambda z: F.max_pool2d(z, 8).flatten(1),
}


@pytest.mark.parametrize("rules", ["z_plus", "epsilon"])
@pytest.mark.parametrize("write", ADDITIONS.values(), ids=ADDITIONS)
def test_additions(write, rules, images):
    expected = maps(lambda a, b: (a + b).relu().flatten(1), 256, images, rules)
    torch.testing.assert_close(
        maps(lambda a, b: write(a, b).relu().flatten(1), 256, images, rules), expected, **SAME
    )


@pytest.mark.parametrize("write", RELUS.values(), ids=RELUS)
def test_relus(write, images):
    expected = maps(lambda a, b: (a + b).relu().flatten(1), 256, images)
    torch.testing.assert_close(maps(lambda a, b: write(a + b).flatten(1), 256, images), expected, **SAME)


@pytest.mark.parametrize("write", SHAPES.values(), ids=SHAPES)
def test_shapes(write, images):
    expected = maps(lambda a, b: b.relu().flatten(1), 256, images)
    torch.testing.assert_close(maps(lambda a, b: write(b.relu()), 256, images), expected, **SAME)


@pytest.mark.parametrize("rules", ["z_plus", "epsilon"])
@pytest.mark.parametrize("write", MEANS.values(), ids=MEANS)
def test_means(write, rules, images):
    expected = maps(lambda a, b: b.relu().mean((2, 3)), 4, images, rules)
    torch.testing.assert_close(maps(lambda a, b: write(b.relu()), 4, images, rules), expected, **SAME)


@pytest.mark.parametrize("write", MAXIMA.values(), ids=MAXIMA)
def test_maxima(write, images):
    expected = maps(lambda a, b: F.adaptive_max_pool2d(b.relu(), 1).flatten(1), 4, images)
    torch.testing.assert_close(maps(lambda a, b: write(b.relu()), 4, images), expected, **SAME)


@pytest.mark.parametrize(
    "join, says",
    [
        (lambda a, b: a + b + 1, "Add: an addition of a constant or of activations of different shapes"),
        (
            lambda a, b: a + b.mean((2, 3), keepdim=True),
            "Add: an addition of a constant or of activations of different shapes",
        ),
        (lambda a, b: a * b, "Mul: a product of activations"),
        (lambda a, b: -2 * a, "Mul: a product"),
        (lambda a, b: a - b, "Sub: a difference"),
        (lambda a, b: a / (1 + b.abs()), "Div: a quotient"),
    ],
)
def test_what_has_no_rule_is_named(join, says, images):
    with pytest.raises(ValueError, match=says):
        maps(lambda a, b: join(a, b).flatten(1), 256, images)


@pytest.mark.parametrize("register", ["register_full_backward_hook", "register_full_backward_pre_hook"])
def test_backward_hooks_of_a_user(network, images, register):
    """Hooks on layers before a batch norm too. They are not called, because relevance is no gradient."""
    pixels, calls = images.clamp(0, 1), []
    expected = lrp(network, pixels, lambda y: contrasts.original(y, 1) * y)
    for module in network:
        getattr(module, register)(lambda *_: calls.append(1))
    torch.testing.assert_close(lrp(network, pixels, lambda y: contrasts.original(y, 1) * y), expected, **SAME)
    assert not calls
    assert all(len(module._backward_hooks) + len(module._backward_pre_hooks) == 1 for module in network)


class Checkpointed(nn.Module):
    def __init__(self, reentrant):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 5)
        self.middle = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3))
        self.reentrant = reentrant
        self.double().eval()

    def forward(self, x):
        x = self.first(x).relu()
        if self.reentrant is None:
            x = self.middle(x)
        else:
            x = torch.utils.checkpoint.checkpoint(self.middle, x, use_reentrant=self.reentrant)
        return self.head(x.relu().mean((2, 3)))


def test_checkpointed_layers(images):
    pixels = images.clamp(0, 1)
    with (
        propagation(Checkpointed(None), pixels) as plain,
        propagation(Checkpointed(False), pixels) as checkpointed,
    ):
        for relevance in (
            plain.outputs,
            plain.outputs.abs(),
            torch.stack([plain.outputs.exp(), plain.outputs.cos()]),
        ):
            torch.testing.assert_close(checkpointed(relevance), plain(relevance), **SAME)
    with pytest.raises(ValueError, match="CheckpointFunction: checkpoint with use_reentrant=False"):
        lrp(Checkpointed(True), pixels, lambda y: y)


class Hidden(nn.Module):
    """Operations without a rule that no module of PyTorch stands for."""

    def __init__(self, operation):
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        self.gate, self.head = Operation(operation), nn.Linear(4 * 36, 5)

    def forward(self, x):
        return self.head(self.gate(self.features(x)).flatten(1))


class Operation(nn.Module):
    def __init__(self, operation):
        super().__init__()
        self.operation, self.inner = operation, nn.Conv2d(4, 4, 1)

    def forward(self, x):
        return self.inner(self.operation(x) + x)


@pytest.mark.parametrize(
    "operation, kind",
    [
        (lambda x: torch.tanh(x), "Tanh"),
        (lambda x: x.softmax(dim=1), "Softmax"),
        (lambda x: x * x.mean(), "Mul"),
        (lambda x: nn.functional.layer_norm(x, x.shape[1:]), "NativeLayerNorm"),
    ],
)
def test_the_module_of_an_operation_without_a_rule_is_named(operation, kind):
    with pytest.raises(
        ValueError, match=rf"\({kind}.* in 'gate' \(Operation\).*such as input_x_gradient"
    ) as raised:
        contrastlib.explain(Hidden(operation), torch.rand(2, 3, 8, 8), 1, "lrp")
    assert "features" not in str(raised.value)


def test_the_norm_of_a_transformer_is_named():
    net = torchvision.models.VisionTransformer(32, 8, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=8)
    with pytest.raises(ValueError, match=r"in '[\w.]+' \(\w+\)") as raised:
        contrastlib.explain(net, torch.rand(1, 3, 32, 32), 1, "lrp")
    assert "Use a method without such rules, such as input_x_gradient" in str(raised.value)


@pytest.mark.parametrize("divide", [False, True])
def test_a_factor_that_is_a_number_scales(divide):
    """Fused functions of PyTorch multiply by numbers and not by tensors."""
    torch.manual_seed(0)
    scale = torch.ops.aten.div.Scalar if divide else torch.ops.aten.mul.Scalar
    image, nets = (
        torch.rand(1, 3, 8, 8),
        [Hidden(lambda x: x * 1.0).eval(), Hidden(lambda x: scale(x, 1.0)).eval()],
    )
    nets[1].load_state_dict(nets[0].state_dict())
    one, other = (contrastlib.explain(net, image, 1, "lrp") for net in nets)
    torch.testing.assert_close(one, other)
    with pytest.raises(ValueError, match="no rule"):
        contrastlib.explain(Hidden(lambda x: scale(x, -1.0)), image, 1, "lrp")
