"""Random arguments, right ones and wrong ones, as strategies of hypothesis."""

import numpy as np
import torch
from hypothesis import strategies as st

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
seeds = st.integers(0, 2**16)


@st.composite
def mostly(draw, right, wrong, one_in=10):
    """Draw a right value, or once in a while a wrong one. Small inputs have right values."""
    return draw(wrong if draw(st.integers(0, one_in - 1)) == one_in - 1 else right)


def dtypes():
    return st.sampled_from(DTYPES)


def _entries(dtype):
    """Single logits: ordinary ones, ties, large ones, and ones that stand for minus infinity."""
    most = torch.finfo(dtype).max
    lowest = max(-1e30, -most)
    width = 8 * dtype.itemsize if dtype.itemsize > 2 else 32
    return st.one_of(
        st.integers(-3, 3).map(float),
        st.floats(-20, 20, width=width),
        st.floats(-1e4, 1e4, width=width),
        st.just(lowest),
    )


@st.composite
def logits(draw, dtype=None, classes=None, batch=None):
    """Finite logits (B, C)."""
    dtype = dtype or draw(dtypes())
    batch, classes = batch or draw(st.integers(1, 4)), classes or draw(st.integers(1, 7))
    rows = draw(
        st.lists(
            st.lists(_entries(dtype), min_size=classes, max_size=classes), min_size=batch, max_size=batch
        )
    )
    return torch.tensor(rows, dtype=torch.float64).to(dtype)


wrong_logits = st.one_of(
    st.sampled_from(
        [
            torch.tensor([[1.0, torch.nan]]),
            torch.tensor([[torch.inf, 0.0]]),
            torch.zeros(3),
            torch.zeros(1, 2, 3),
            torch.zeros(0, 3),
            torch.zeros(2, 0),
            torch.tensor([[1, 2]]),
            torch.tensor([[True, False]]),
            torch.tensor([[1j, 0j]]),
            torch.tensor([[0.25, 0.75]]),
            torch.tensor([[0.0, 1.0], [0.5, 0.5]], dtype=torch.float16),
            torch.tensor(1.0),
        ]
    ),
    st.sampled_from([None, "logits", 3, [[1.0, 2.0]], np.zeros((2, 3))]),
)

FORMS = {
    "list": list,
    "tuple": tuple,
    "int64": torch.tensor,
    "array": np.array,
    "int32": lambda values: torch.tensor(values, dtype=torch.int32),
    "uint8": lambda values: torch.tensor(values, dtype=torch.uint8),
    "int16 array": lambda values: np.array(values, dtype=np.int16),
}
"""Ways to write several classes."""


@st.composite
def targets(draw, batch, classes):
    """Right target classes: as they are given, and as a list."""
    if draw(st.booleans()):
        one = draw(st.integers(0, classes - 1))
        write = draw(st.sampled_from([int, np.int64, torch.tensor, np.array]))
        return write(one), [one] * batch
    several = draw(st.lists(st.integers(0, classes - 1), min_size=batch, max_size=batch))
    return FORMS[draw(st.sampled_from(sorted(FORMS)))](several), several


def wrong_targets(batch, classes):
    outside = st.sampled_from([-1, classes, classes + 5, -classes, 2**40, 2**70, -(2**70)])
    return st.one_of(
        outside, outside.map(lambda one: [one] * batch),
        st.just([0] * (batch + 1)), st.just([]), st.just([[0] * batch] * 2),
        st.sampled_from([
            0.0, 1.5, True, "0", "owl", b"0", 1j, {}, {0}, {"target": 0}, object(), float("nan"), len,
        ]),
        st.sampled_from([
            [0.0], [None], [True], ["owl"], torch.tensor([0.5]), np.array(["a"]), [[0], [0, 1]], [2**70],
            torch.zeros(0), np.zeros(3, bool), np.array(None), np.datetime64("2026-01-01"),
        ]),
    )  # fmt: skip


@st.composite
def foils(draw, chosen, classes):
    """Right foils for these target classes, or None where there are none: as given, and a set per image."""
    common = sorted(set(range(classes)) - set(chosen))
    if not common or draw(st.booleans()):
        others = [sorted(set(range(classes)) - {target}) for target in chosen]
        each = [set(draw(st.lists(st.sampled_from(other), min_size=1))) for other in others]
        mask = [[column in row for column in range(classes)] for row in each]
        return draw(st.sampled_from([mask, torch.tensor(mask), np.array(mask)])), each
    several = draw(st.lists(st.sampled_from(common), min_size=1, max_size=2 * classes))
    if len(several) == 1 and draw(st.booleans()):
        return several[0], [set(several)] * len(chosen)
    return FORMS[draw(st.sampled_from(sorted(FORMS)))](several), [set(several)] * len(chosen)


def wrong_foils(batch, classes):
    return st.one_of(
        st.sampled_from([
            classes, -1, [classes], [-1], [0, 2**70], list(range(classes)), [], (), [[0, 1]], torch.zeros(0),
        ]),
        st.just(torch.zeros(batch, classes, dtype=torch.bool)),
        st.just(torch.ones(batch, classes + 1, dtype=torch.bool)),
        st.just(torch.ones(batch, classes, dtype=torch.bool)),
        st.sampled_from([0.5, "owl", ["owl"], [None], object(), {}, [0.0], True, [True], [[0], [0, 1]]]),
    )  # fmt: skip


@st.composite
def images(draw, batch, channels, size, dtype):
    """Images (B, K, H, W) of different make: values, order in memory, with and without gradients."""
    generator = torch.Generator().manual_seed(draw(seeds))
    made = torch.rand(batch, channels, *size, generator=generator, dtype=torch.float64).to(dtype)
    change = draw(st.sampled_from([
        lambda x: x, torch.zeros_like, torch.ones_like, lambda x: 2 * x - 1, lambda x: 255 * x,
        lambda x: x.to(memory_format=torch.channels_last), lambda x: x[:1].expand_as(x),
        lambda x: x.flip(-1).transpose(-1, -2).contiguous().transpose(-1, -2),
        lambda x: x.clone().requires_grad_(),
    ]))  # fmt: skip
    return change(made)
