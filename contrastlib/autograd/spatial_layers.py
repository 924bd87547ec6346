"""The default layer of activation maps, chosen in the forward pass by what the network does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from math import inf
from threading import get_ident
from typing import NoReturn

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from contrastlib.autograd.layers import is_auxiliary
from contrastlib.autograd.mixing import mixes_positions, path_between
from contrastlib.autograd.modes import WITHOUT_GRADIENTS, as_found, recorded_output
from contrastlib.autograd.outputs import read_logits
from contrastlib.autograd.running import run

MOST_RECORDED = 6  # convolutions; the last block of a network has up to five, with its gates
MOST_LISTED = 8  # layers in an error message


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
        self._size, self._thread = size, get_ident()
        self._names = {
            module: name for name, module in model.named_modules()
            if isinstance(module, nn.Conv2d) and not is_auxiliary(name)
        }

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the convolutions that run inside this context."""
        with ExitStack() as stack:
            late = self._late()
            others = self._names.keys() - set(late)

            def record_others(module: nn.Module, inputs: tuple, output: object) -> Tensor | None:
                return self._record(module, inputs, output) if module in others else None

            def begin(*_: object) -> None:
                beginning.close()
                stack.callback(register_module_forward_hook(record_others).remove)

            beginning = stack.enter_context(ExitStack())
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

        Gates of one channel, as of spatial attention, do not count.

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
            return None if self.mixed else name
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


def refuse_default(model: nn.Module, images: Tensor, last: LastConvolutions) -> NoReturn:
    """Raise an error that says why a network has no default layer, and which layers it has instead.

    The message alone needs another forward pass, of one image.

    Args:
        model: The network.
        images: Images (B, K, H, W).
        last: What a forward pass of the network recorded.

    Raises:
        ValueError: Always.
    """
    kind = type(model).__name__
    if last.without_gradients:
        raise ValueError(f"the last convolutions of {kind} run {WITHOUT_GRADIENTS}")
    if last.mixed:
        why = f"{kind} mixes spatial positions after its last convolution, by attention or over tokens"
    elif any(isinstance(module, nn.Conv2d) for module in model.modules()):
        why = f"none of the last 2-d convolutions of {kind} has more than one spatial position"
    else:
        why = f"{kind} has no 2-d convolution"
    raise ValueError(
        f"{why}, so there is no default layer: {_advice(*_grids(model, images))}. For a network of tokens "
        "use vit_gradcam, or a method of the pixels (gradient, input_x_gradient)"
    )


def _advice(grids: dict[str, Tensor], logits: Tensor) -> str:
    """Say which layers have spatial positions, and which of them is the best for a map."""
    if not grids:
        return "no layer has spatial positions"
    items = list(grids.items())[-MOST_LISTED:]
    listed = ", ".join(f"{name} {tuple(output.shape[1:])}" for name, output in items)
    last, output = items[-1]
    path = path_between(logits, output)
    if path and not mixes_positions(path, output):
        return f'name a layer, best layer="{last}"; these have spatial positions: {listed}'
    return f"all layers that have spatial positions lie before the mixing: {listed}"


def _grids(model: nn.Module, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Run a model on one image, and return the layers with spatial positions and the logits.

    Returns:
        Name -> output (1, K, h, w), with its graph, in the order of the forward pass; and the logits. Of
        several names of one tensor the shortest is returned. Attention, whose rows sum to 1, is left out.
    """
    found: dict[str, Tensor] = {}

    def hook_for(name: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: object) -> None:
            if not is_grid(output, images.shape[-2:]) or output.shape[1] == 1 or _is_attention(output):
                return
            if not output.requires_grad:  # a table of positions, which does not depend on the images
                return
            before = next(reversed(found), None)
            if before is not None and found[before] is output:
                del found[before]
            found[min(before, name, key=len) if before and before not in found else name] = output
        return hook

    handles = [module.register_forward_hook(hook_for(name)) for name, module in model.named_modules() if name]
    try:
        with as_found(model):
            logits = read_logits(run(model, images[:1].detach().clone().requires_grad_().clone()), batch=1)
    finally:
        for handle in handles:
            handle.remove()
    return found, logits


def _is_attention(output: Tensor) -> bool:
    sums = output.detach().sum(dim=-1)
    return bool((output >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-2))
