"""The default layer of activation maps, chosen in the forward pass by what the network does."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import inf
from threading import get_ident

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from contrastlib.autograd.graph import carries_all, is_normalised, is_one_of_a_sum, path_between
from contrastlib.autograd.layers import is_auxiliary
from contrastlib.autograd.mixing import mixes_positions
from contrastlib.autograd.modes import recorded_output

MOST_RECORDED = 6  # convolutions; the last block of a network has up to five, with its gates
MOST_KEPT = 8  # outputs of the modules that ran last


class LastConvolutions:
    """The last convolutions of a forward pass that have spatial positions.

    The convolution that is defined last is recorded. It can be a gate or follow the pooling, if its kernel is
    1 x 1 or it has one output. So those before it are recorded too, down to one that is neither. All that run
    after any of them are recorded as well, by one hook of all modules, because few run then. So the graph
    begins a few layers before the end of the network, unless the convolutions that are defined last run
    early.

    Args:
        model: The network.
        size: Height and width (H, W) of the images.

    Attributes:
        outputs: Name of a convolution -> its output, with its graph, in the order of the forward pass.
        repeated: Names of convolutions that ran more than once.
        modules: The convolutions that were recorded, also those whose outputs were dropped.
        mixed: Whether :meth:`chosen` found that positions are mixed after the last convolution.
        without_gradients: Whether gradients were switched off when a convolution ran.
    """

    def __init__(self, model: nn.Module, size: torch.Size) -> None:
        self.outputs: dict[str, Tensor] = {}
        self.repeated: set[str] = set()
        self.mixed = False
        self.without_gradients = False
        self.modules: set[nn.Module] = set()
        self._model, self._size, self._thread = model, size, get_ident()
        self._last: deque[tuple[nn.Module, Tensor, int]] = deque(maxlen=MOST_KEPT)
        self._names = {
            module: name
            for name, module in model.named_modules()
            if isinstance(module, nn.Conv2d) and not is_auxiliary(name)
        }

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the convolutions that run inside this context."""
        with ExitStack() as stack:
            late = self._late()
            others = self._names.keys() - set(late)

            def record_others(module: nn.Module, inputs: tuple, output: object) -> Tensor | None:
                if module in others:
                    return self._record(module, inputs, output)
                if isinstance(output, Tensor) and output.ndim == 4 and get_ident() == self._thread:
                    self._last.append((module, output, output._version))
                return None

            def begin(*_: object) -> None:
                beginning.close()
                stack.callback(register_module_forward_hook(record_others).remove)

            beginning = stack.enter_context(ExitStack())
            for module in self._around(late):
                # A module that runs already calls hooks of all modules only if it has a hook of its own.
                stack.callback(module.register_forward_hook(lambda *_: None).remove)
            for module in late:
                stack.callback(module.register_forward_hook(self._record).remove)
                beginning.callback(module.register_forward_hook(begin).remove)
            yield

    def _late(self) -> list[nn.Module]:
        """The convolutions that are defined last, down to one that is surely before the pooling."""
        late = []
        for module in reversed(self._names):
            late.append(module)
            if (max(module.kernel_size) > 1 and module.out_channels > 1) or len(late) == MOST_RECORDED:
                break
        return late

    def _around(self, modules: Sequence[nn.Module]) -> list[nn.Module]:
        """The modules that contain one of these modules, without the network itself."""
        parts = [self._names[module].split(".") for module in modules]
        names = {".".join(part[:end]) for part in parts for end in range(1, len(part))}
        return [self._model.get_submodule(name) for name in names]

    def _record(self, module: nn.Module, inputs: tuple, output: object) -> Tensor | None:
        if get_ident() != self._thread or not is_grid(output, self._size):
            return None
        if not torch.is_grad_enabled():
            self.without_gradients = True
            return None
        name = self._names[module]
        self.modules.add(module)
        if name in self.outputs:
            self.repeated.add(name)
            del self.outputs[name]
        elif len(self.outputs) == MOST_RECORDED:
            del self.outputs[next(iter(self.outputs))]
        self.outputs[name] = recorded_output(name, output)
        return self.outputs[name].clone()  # later in-place operations change the clone

    def chosen(self, logits: Tensor) -> str | None:
        """Return the last convolution that the logits depend on, if no operation mixes positions after it.

        Gates of one channel, as of spatial attention, do not count. The end of the last block takes the place
        of a convolution that is one of several whose sum is the output of the block, such as that of a
        shortcut, and of one whose output is normalised directly (ConvNeXt).

        Args:
            logits: Logits (B, C) with their graph.

        Returns:
            The name. None if there is no such convolution.

        Raises:
            ValueError: The convolution runs more than once.
        """
        wide = any(output.shape[1] > 1 for output in self.outputs.values())
        for name, output in reversed(self.outputs.items()):
            path = path_between(logits, output)
            if not path or (wide and output.shape[1] == 1):
                continue
            if name in self.repeated:
                raise ValueError(
                    f"the last convolution {name!r} runs more than once in a forward pass: "
                    "name a layer that runs once with layer=..."
                )
            self.mixed = mixes_positions(path, output)
            if self.mixed:
                return None
            if is_one_of_a_sum(path, output, self.outputs.values()) or is_normalised(path, output):
                return self._end_of_block(logits) or name
            return name
        return None

    def _end_of_block(self, logits: Tensor) -> str | None:
        """Return the last layer with spatial positions, record its output, and return its name.

        None if all of the last layers are inside a block, are normalised directly, or are changed in place.
        """
        names = {module: name for name, module in self._model.named_modules() if name}
        last = [(names[module], *kept) for module, *kept in self._last if module in names]
        for _, output, version in reversed(last):
            if output._version != version or output.shape[1] == 1 or not is_grid(output, self._size):
                continue
            if not output.requires_grad or not carries_all(logits, output, self.outputs.values()):
                continue
            path = path_between(logits, output)
            if path and not is_normalised(path, output):
                same = [name for name, other, when in last if other is output and when == version]
                name = min(same, key=len)
                self.outputs[name] = output
                return name
        return None


def is_grid(output: object, size: torch.Size) -> bool:
    """Tell whether the output of a layer has spatial positions: whether it is (B, K, h, w) with h w > 1.

    h and w must be the height and width of the images in steps of one length, up to a row and a column at
    the border. So tensors (B, h, w, K) and gates of rows or columns do not count.

    Args:
        output: The output of a layer.
        size: Height and width (H, W) of the images.

    Returns:
        Whether it has.

    >>> [is_grid(torch.rand(shape), (64, 96)) for shape in ((1, 9, 2, 3), (1, 9, 1, 1), (1, 2, 3, 9))]
    [True, False, False]
    """
    if not isinstance(output, Tensor) or output.ndim != 4 or output.shape[-2:].numel() <= 1:
        return False
    pairs = list(zip(size, output.shape[-2:]))
    shortest = max(pixels / (count + 1) for pixels, count in pairs)
    return shortest <= min(pixels / (count - 1) if count > 1 else inf for pixels, count in pairs)
