"""Small random networks, as recipes that are short to print and quick to build."""

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from strategies import DTYPES, seeds
from torch import nn
from torchvision.models import VisionTransformer

RELUS = {
    "nn.ReLU": nn.ReLU(),
    "nn.ReLU in place": nn.ReLU(inplace=True),
    "F.relu": F.relu,
    "torch.relu": torch.relu,
    "x.relu_()": lambda x: x.relu_(),
    "x.clamp(min=0)": lambda x: x.clamp(min=0),
    "clamp_min": lambda x: torch.clamp_min(x, 0),
    "x.clip(0)": lambda x: x.clip(0),
    "x * (x > 0)": lambda x: x * (x > 0),
    "(x + |x|) / 2": lambda x: (x + x.abs()) / 2,
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "threshold": lambda x: F.threshold(x, 0, 0),
    "nn.ReLU6": nn.ReLU6(),
    "Hardtanh(0, 6)": nn.Hardtanh(0, 6),
    "fmax": lambda x: torch.fmax(x, x.new_zeros(())),
    "masked_fill": lambda x: x.masked_fill(x < 0, 0),
}
OTHERS = {
    "LeakyReLU": nn.LeakyReLU(0.1),
    "PReLU": nn.PReLU(),
    "ELU": nn.ELU(),
    "GELU": nn.GELU(),
    "SiLU": nn.SiLU(),
    "Tanh": nn.Tanh(),
    "Sigmoid": nn.Sigmoid(),
    "Softplus": nn.Softplus(),
    "Hardswish": nn.Hardswish(),
    "abs": torch.abs,
    "square": torch.square,
    "x * sigmoid(x)": lambda x: x * x.sigmoid(),
    "GELU tanh": nn.GELU("tanh"),
}
ACTIVATIONS = {**RELUS, **OTHERS}


class Spelled(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Residual(nn.Module):
    """x + body(x), out of place or in place."""

    def __init__(self, body, in_place):
        super().__init__()
        self.body, self.in_place = body, in_place

    def forward(self, x):
        branch = self.body(x)
        if self.in_place:
            branch += x
            return branch
        return x + branch


class Concatenated(nn.Module):
    """The channels of two branches side by side."""

    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x):
        return torch.cat([self.first(x), self.second(x)], dim=1)


class Excited(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels):
        super().__init__()
        self.gate = nn.Linear(channels, channels)

    def forward(self, x):
        return x * self.gate(x.mean(dim=(2, 3))).sigmoid()[:, :, None, None]


@dataclass(frozen=True)
class Recipe:
    """What a network is built from."""

    channels: int
    size: tuple
    blocks: tuple
    head: str
    classes: int
    end: str = "logits"
    dtype: torch.dtype = torch.float32
    seed: int = 0
    training: bool = False
    frozen: bool = False

    def build(self):
        """The network; the same recipe gives the same weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = self._transformer() if self.head == "transformer" else self._convolutional()
            if self.end != "logits":
                network = nn.Sequential(network, ENDS[self.end]())
            for module in network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    nn.init.normal_(module.running_mean, std=0.3)
                    nn.init.uniform_(module.running_var, 0.5, 2)
                    nn.init.normal_(module.bias, std=0.3)
        for number, parameter in enumerate(network.parameters()):
            parameter.requires_grad_(not (self.frozen and number % 2))
        return network.to(self.dtype).train(self.training)

    def _transformer(self):
        network = VisionTransformer(
            8,
            4,
            num_layers=len(self.blocks) + 1,
            num_heads=2,
            hidden_dim=8,
            mlp_dim=8,
            num_classes=self.classes,
        )
        nn.init.normal_(network.heads.head.weight)
        return network

    def _convolutional(self):
        made, channels, size, _ = _body(self.blocks, self.channels, self.size)
        head = {
            "flatten": lambda: [nn.Flatten(), nn.Linear(channels * size[0] * size[1], self.classes)],
            "mean": lambda: [Spelled(lambda x: x.mean(dim=(2, 3))), nn.Linear(channels, self.classes)],
            "pool": lambda: [nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                             nn.Linear(channels, self.classes, bias=False)],
            "max": lambda: [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(channels, self.classes)],
            "amax": lambda: [Spelled(lambda x: x.amax(dim=(2, 3))), nn.Linear(channels, self.classes)],
            "two layers": lambda: [nn.Flatten(), nn.Linear(channels * size[0] * size[1], 5), nn.ReLU(True),
                                   nn.Dropout(), nn.Linear(5, self.classes)],
            "convolution": lambda: [nn.Conv2d(channels, self.classes, 1), Spelled(lambda x: x.mean((2, 3)))],
            "matmul": lambda: [nn.Flatten(2), Spelled(lambda x: (x @ x.transpose(1, 2)).flatten(1)),
                               nn.Linear(channels**2, self.classes)],
        }[self.head]()  # fmt: skip
        return nn.Sequential(*made, *head)


class _Loose(nn.Module):
    """Logits that no gradient reaches."""

    def forward(self, y):
        return y.detach()


ENDS = {
    "softmax": lambda: nn.Softmax(dim=1),
    "sigmoid": nn.Sigmoid,
    "log-softmax": lambda: nn.LogSoftmax(dim=1),
    "detached": _Loose,
    "tuple": lambda: Spelled(lambda y: (y, y)),
    "dict": lambda: Spelled(lambda y: {"logits": y}),
    "list of one": lambda: Spelled(lambda y: [y]),
    "three dimensions": lambda: Spelled(lambda y: y[:, :, None]),
    "one row": lambda: Spelled(lambda y: y[:1]),
    "flat": lambda: Spelled(lambda y: y[:, 0]),
    "NaN": lambda: Spelled(lambda y: y * torch.nan),
    "integers": lambda: Spelled(lambda y: y.long()),
    "constant": lambda: Spelled(torch.zeros_like),
    "None": lambda: Spelled(lambda y: None),
    "complex": lambda: Spelled(lambda y: y * 1j),
    "half": lambda: Spelled(lambda y: y.half()),
    "double": lambda: Spelled(lambda y: y.double()),
    "huge": lambda: Spelled(lambda y: y * 1e30),
    "overwritten": lambda: Spelled(lambda y: y.tanh().mul_(2)),
}
"""Name -> a module after the logits. Some of them no explanation can go through."""


IN_PLACE = {"nn.ReLU in place": "nn.ReLU", "x.relu_()": "F.relu"}
"""What works in place -> the same out of place."""
FRESH = ("convolution", "depthwise", "batch norm", "group norm")
"""Blocks whose outputs no gradient needs, so that the next block may overwrite them."""


def _body(blocks, channels, size):
    """Modules of these blocks, channels and size that come out, and whether the output may be overwritten."""
    made, fresh = [], False
    for kind, *given in blocks:
        if kind == "convolution":
            width, kernel, stride, bias = given
            made.append(nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=bias))
            channels, size = width, tuple(-(-side // stride) for side in size)
        elif kind == "depthwise":
            made.append(nn.Conv2d(channels, channels, 3, padding=1, groups=channels))
        elif kind == "activation":
            made.append(_activation(given[0] if fresh else IN_PLACE.get(given[0], given[0])))
        elif kind in POOLS:
            if min(size) >= 2:
                made.append(POOLS[kind]())
                size = tuple(side // 2 for side in size)
        elif kind == "residual":
            body, width, inner, overwritable = _body(given[0], channels, size)
            fits = width == channels and inner == size
            made.append(Residual(nn.Sequential(*body), given[1] and overwritable) if fits else nn.Identity())
        elif kind == "concatenated":
            first, one, _, _ = _body(given[0], channels, size)
            second, two, _, _ = _body(given[1], channels, size)
            made.append(Concatenated(nn.Sequential(*first), nn.Sequential(*second)))
            channels = one + two
        elif kind != "instance norm" or size[0] * size[1] > 1:
            made.append(NORMS[kind](channels))
        fresh = kind in FRESH
    return made, channels, size, fresh


def _activation(name):
    """A module of that activation, with memory of its own."""
    known = ACTIVATIONS[name]
    return copy.deepcopy(known) if isinstance(known, nn.Module) else Spelled(known)


POOLS = {
    "max pool": lambda: nn.MaxPool2d(2),
    "average pool": lambda: nn.AvgPool2d(2),
    "overlapping pool": lambda: nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.AvgPool2d(2)),
    "LP pool": lambda: nn.LPPool2d(2, 2),
}
NORMS = {
    "batch norm": nn.BatchNorm2d,
    "dropout": lambda _: nn.Dropout(0.5),
    "dropout of channels": lambda _: nn.Dropout2d(0.5),
    "group norm": lambda channels: nn.GroupNorm(1, channels),
    "excited": Excited,
    "identity": lambda _: nn.Identity(),
    "instance norm": lambda channels: nn.InstanceNorm2d(channels, affine=True),
}
HEADS = ("flatten", "mean", "pool", "max", "amax", "two layers", "convolution", "matmul")


def convolutions(strides=(1, 1, 2)):
    return st.tuples(
        st.just("convolution"),
        st.integers(1, 5),
        st.sampled_from([1, 3, 5]),
        st.sampled_from(strides),
        st.booleans(),
    )


def _activations(names):
    return st.tuples(st.just("activation"), st.sampled_from(names))


def _flat_blocks(activations, more):
    simple = st.sampled_from([("batch norm",), ("depthwise",), ("dropout",), *((name,) for name in more)])
    return st.one_of(_activations(activations), convolutions((1,)), simple)


@st.composite
def blocks(draw, piecewise_linear):
    """The blocks of a network; the first one is a convolution."""
    activations = list(RELUS if piecewise_linear else ACTIVATIONS)
    norms = () if piecewise_linear else ("group norm", "excited", "instance norm", "dropout of channels")
    flat = _flat_blocks(activations, norms)
    pools = [name for name in POOLS if not (piecewise_linear and name == "LP pool")]
    inner = st.lists(flat, min_size=1, max_size=2).map(tuple)
    block = st.one_of(
        flat,
        convolutions(),
        st.sampled_from([(name,) for name in pools]),
        st.tuples(st.just("residual"), inner, st.booleans()),
        st.tuples(st.just("concatenated"), inner, inner),
    )
    return draw(convolutions()), *draw(st.lists(block, max_size=4))


@st.composite
def recipes(draw, dtypes=DTYPES, piecewise_linear=False, ends=("logits",), transformers=True):
    """Recipes of networks whose logits can be explained, unless the end is another one."""
    head = draw(st.sampled_from(HEADS[:-1] if piecewise_linear else HEADS))
    if transformers and draw(st.integers(0, 5)) == 5:
        channels, size, made, head = 3, (8, 8), draw(st.sampled_from([(), ("block",)])), "transformer"
    else:
        channels, size = (
            draw(st.sampled_from([3, 1, 4])),
            draw(st.tuples(st.integers(4, 12), st.integers(4, 12))),
        )
        made = draw(blocks(piecewise_linear))
    return Recipe(
        channels,
        size,
        made,
        head,
        classes=draw(st.integers(1, 6)),
        end=draw(st.sampled_from(ends)),
        dtype=draw(st.sampled_from(dtypes)),
        seed=draw(seeds),
        training=draw(st.booleans()),
        frozen=draw(st.booleans()),
    )
