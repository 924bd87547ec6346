"""The default layer of activation maps, chosen in the forward pass by what the network does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import torch
from torch import Tensor, nn

from contrastlib.autograd.layers import is_auxiliary
from contrastlib.autograd.mixing import mixes_positions, reaches
from contrastlib.autograd.modes import as_found, recorded_output

MOST_RECORDED = 6  # convolutions; the last block of a network has up to five, with its gates
MOST_LISTED = 8  # layers in an error message


class LastConvolutions:
    """The last convolutions of a forward pass that have spatial positions.

    The convolutions that are defined last are recorded, and all that run after the very last of them. So the
    graph begins a few layers before the end of the network, as it does where the layer is named. A network
    whose last convolution runs early is recorded from there on.

    Args:
        model: The network.
        size: Height and width (H, W) of the images.

    Attributes:
        outputs: Name of a convolution -> its output, with its graph, in the order of the forward pass.
        repeated: Names of convolutions that ran more than once.
    """

    def __init__(self, model: nn.Module, size: torch.Size) -> None:
        self.outputs: dict[str, Tensor] = {}
        self.repeated: set[str] = set()
        self._model, self._size, self._last_ran = model, size, False
        self._convolutions = {
            name: module for name, module in model.named_modules()
            if isinstance(module, nn.Conv2d) and not is_auxiliary(name)
        }
        self._late = list(self._convolutions)[-MOST_RECORDED:]

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the convolutions that run inside this context."""
        handles = []
        try:
            for name, module in self._convolutions.items():
                handles.append(module.register_forward_hook(self._hook_for(name)))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _hook_for(self, name: str) -> Callable:
        late, last = name in self._late, name == self._late[-1]

        def hook(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor | None:
            wanted, self._last_ran = late or self._last_ran, self._last_ran or last
            if not wanted or not is_grid(output, self._size):
                return None
            if name in self.outputs:
                self.repeated.add(name)
                del self.outputs[name]
            elif len(self.outputs) == MOST_RECORDED:
                del self.outputs[next(iter(self.outputs))]
            self.outputs[name] = recorded_output(name, output)
            return self.outputs[name].clone()  # later in-place operations change the clone
        return hook

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
            if (wide and output.shape[1] == 1) or not reaches(logits, output):
                continue
            if name in self.repeated:
                raise ValueError(
                    f"the last convolution {name!r} runs more than once in a forward pass: "
                    "name a layer that runs once with layer=..."
                )
            return None if mixes_positions(logits, output) else name
        return None


def is_grid(output: object, size: torch.Size) -> bool:
    """Tell whether the output of a layer has spatial positions: whether it is (B, K, h, w) with h w > 1.

    Tensors (B, h, w, K) and gates of rows or columns do not count: their h and w differ in proportion from
    those of the images.

    Args:
        output: The output of a layer.
        size: Height and width (H, W) of the images.

    Returns:
        Whether it has.

    >>> [is_grid(torch.rand(shape), (64, 96)) for shape in ((1, 9, 2, 3), (1, 9, 1, 1), (1, 2, 3, 99))]
    [True, False, False]
    """
    if not isinstance(output, Tensor) or output.ndim != 4 or output.shape[-2:].numel() <= 1:
        return False
    rows, columns = (pixels / positions for pixels, positions in zip(size, output.shape[-2:]))
    return max(rows, columns) < 3 * min(rows, columns)


def refuse_default(model: nn.Module, images: Tensor) -> NoReturn:
    """Raise an error that says why a network has no default layer, and which layers it has instead.

    The message alone needs another forward pass, of one image.

    Args:
        model: The network.
        images: Images (B, K, H, W).

    Raises:
        ValueError: Always.
    """
    found, kind = _grids(model, images), type(model).__name__
    convolutions = [name for name in found if isinstance(model.get_submodule(name), nn.Conv2d)]
    if not any(isinstance(module, nn.Conv2d) for module in model.modules()):
        why, later = f"{kind} has no 2-d convolution", list(found)
    elif not convolutions:
        why, later = f"no 2-d convolution of {kind} that runs has more than one spatial position", list(found)
    else:
        last = convolutions[-1]
        why = f"{kind} mixes spatial positions after its last convolution {last!r}, by attention or over tokens"
        later = list(found)[list(found).index(last) + 1 :]
    listed = ", ".join(f"{name} {shape}" for name, shape in list(found.items())[-MOST_LISTED:])
    best = f'layer="{later[-1]}" is the last of them, and the best' if later else "all lie before the mixing"
    layers = f"name a layer with layer=...; those with spatial positions are {listed} ({best})"
    raise ValueError(
        f"{why}, so there is no default layer: {layers if found else 'no layer has spatial positions'}. "
        "For a network of tokens use vit_gradcam, or a method of the pixels (gradient, input_x_gradient)"
    )


def _grids(model: nn.Module, images: Tensor) -> dict[str, tuple[int, ...]]:
    """Return name -> shape (K, h, w) of the layers with spatial positions, in the order of the forward pass."""
    found: dict[str, tuple[int, ...]] = {}

    def hook_for(name: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: object) -> None:
            found.pop(name, None)
            if is_grid(output, images.shape[-2:]) and output.shape[1] > 1:
                found[name] = tuple(output.shape[1:])
        return hook

    handles = [module.register_forward_hook(hook_for(name)) for name, module in model.named_modules() if name]
    try:
        with as_found(model), torch.no_grad():
            model(images[:1].detach().clone())
    finally:
        for handle in handles:
            handle.remove()
    return found
