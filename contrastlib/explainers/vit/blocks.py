"""The blocks of a Transformer, found from what its modules do while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import get_ident
from typing import Any

from torch import Tensor, nn


@dataclass
class Version:
    """A tensor of the graph, and the number of operations in place that it had seen when it was recorded."""

    tensor: Tensor
    number: int = field(init=False)

    def __post_init__(self) -> None:
        self.number = self.tensor._version

    @property
    def unchanged(self) -> bool:
        """Whether no operation in place has changed the tensor since."""
        return self.tensor._version == self.number


@dataclass
class Block:
    """One attention of a network, with the tokens around it.

    Attributes:
        attention: The softmax (B', heads, Q, T). B' is the number of images, or of windows of all images. Q
            is T, or the number of class tokens in class attention.
        read: The tokens (B, T, D) that the attention reads. None if it is not an attention over all tokens of
            an image.
        output: The tokens that leave the block, (B, T, D), (B, Q, D) or (B, h, w, D). None if no module
            computes this attention alone and returns tokens.
        listed: Whether the block is an element of a list of modules, as blocks are and pooling is not.
        sequence_first: Whether ``read`` and ``output`` are (T, B, D).
    """

    attention: Tensor
    read: Version | None = None
    output: Version | None = None
    listed: bool = False
    sequence_first: bool = False

    @property
    def is_global(self) -> bool:
        """Whether the attention is one between all tokens of an image."""
        return self.read is not None

    @property
    def is_class_attention(self) -> bool:
        """Whether only class tokens read."""
        return self.attention.shape[-2] < self.attention.shape[-1]


@dataclass(eq=False)
class _Call:
    """A module that is running."""

    module: nn.Module
    listed: bool
    tokens: Version | None
    blocks: list[Block] = field(default_factory=list)
    innermost: bool = False


class BlockFinder:
    """Follow which modules run, and assign each attention to the block that computes it.

    An attention belongs to the modules that run while it is computed.

    - The tokens that it reads are the input of the innermost module that takes T tokens (B, T, D), where T is
      the number of keys.
    - Its block is the innermost element of an ``nn.ModuleList`` or ``nn.Sequential`` around that module that
      computes no other attention and returns tokens. Without one it is the outermost module that computes no
      other attention and returns tokens.

    Args:
        model: The network.
        images: The number of images, B.
        layers: Name -> module. The first tensor that each returns is recorded, too.

    Attributes:
        blocks: The blocks, in the order of their attention.
        layers: Name -> output of each module of ``layers``.
    """

    def __init__(self, model: nn.Module, images: int, layers: Mapping[str, nn.Module]) -> None:
        self._model, self._images, self._thread = model, images, get_ident()
        self._names = {module: name for name, module in layers.items()}
        self._stack: list[_Call] = []
        self._found: list[Block] = []
        self.layers: dict[str, Version] = {}

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow the modules of the network that run inside this context."""
        modules, handles = list(self._model.modules()), []
        listed = _elements(modules)
        try:
            for module in modules:
                if not _is_leaf(module) or module in self._names:
                    before, after = self._enter(module in listed), self._leave
                    handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
                    handles.append(module.register_forward_hook(after))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def attention(self, attention: Tensor) -> None:
        """Add an attention that the running modules computed. One that no image changes does not count."""
        if not attention.requires_grad:
            return
        block = Block(attention)
        for call in reversed(self._stack):
            if block.read is None and self._reads(call, block):
                block.read = call.tokens
                call.innermost = True
            call.blocks.append(block)
        self._found.append(block)

    @property
    def blocks(self) -> list[Block]:
        """The blocks, without the attention that pools tokens after the last of them."""
        found = list(self._found)
        while found and (found[-1].output is None or found[-1].is_class_attention and not found[-1].listed):
            found.pop()  # pooling
        return found

    def _enter(self, listed: bool) -> Any:
        def hook(module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
            if get_ident() != self._thread:  # another thread runs the network for a purpose of its own
                return
            inputs = (each for each in (*args, *kwargs.values()) if isinstance(each, Tensor))
            tokens = next((each for each in inputs if each.ndim == 3 and each.requires_grad), None)
            self._stack.append(_Call(module, listed, None if tokens is None else Version(tokens)))

        return hook

    def _leave(self, module: nn.Module, inputs: Sequence[Any], output: Any) -> None:
        if get_ident() != self._thread:
            return
        call = self._stack.pop()
        first = output[0] if isinstance(output, (tuple, list)) and output else output
        if module in self._names:
            self._record(self._names[module], first)
        if len(call.blocks) != 1 or not isinstance(first, Tensor) or not first.requires_grad:
            return
        (block,) = call.blocks
        if self._holds_tokens(first, block) and not block.listed:
            block.output, block.listed = Version(first), call.listed and not call.innermost

    def _record(self, name: str, output: Any) -> None:
        if name in self.layers:
            raise ValueError(
                f"layer {name!r} runs more than once in a forward pass; choose one that runs once"
            )
        if not isinstance(output, Tensor):
            raise ValueError(f"layer {name!r} returns {type(output).__name__}, not a tensor; choose another")
        self.layers[name] = Version(output)

    def _reads(self, call: _Call, block: Block) -> bool:
        """Tell whether a module takes the T tokens that an attention reads, and note their order."""
        if call.tokens is None or block.attention.shape[0] != self._images:
            return False
        shape, wanted = tuple(call.tokens.tensor.shape[:2]), (self._images, block.attention.shape[-1])
        batch_first = getattr(call.module, "batch_first", True) or wanted[0] != wanted[1]
        block.sequence_first = not (shape == wanted and batch_first) and shape == wanted[::-1]
        return shape == wanted or shape == wanted[::-1]

    def _holds_tokens(self, output: Tensor, block: Block) -> bool:
        if output.ndim not in (3, 4):
            return False
        batch = 1 if block.sequence_first and output.ndim == 3 else 0
        count = output.shape[1 - batch] if output.ndim == 3 else output.shape[1] * output.shape[2]
        right = not block.is_global or count in block.attention.shape[-2:]
        return output.shape[batch] == self._images and right


def _elements(modules: Sequence[nn.Module]) -> set[nn.Module]:
    lists = (module for module in modules if isinstance(module, nn.ModuleList | nn.Sequential))
    return {element for each in lists for element in each}


def _is_leaf(module: nn.Module) -> bool:
    """Tell whether a module is one of PyTorch's own that contains no others."""
    return not module._modules and type(module).__module__.startswith("torch.nn")
