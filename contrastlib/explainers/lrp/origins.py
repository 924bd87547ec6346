"""The module in which an operation of a network runs, for messages of errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

from torch import Tensor, nn
from torch.autograd.graph import Node


def origins(
    model: nn.Module, run: Callable[[], object], wanted: Callable[[Node], bool]
) -> list[tuple[Node, str]]:
    """Find the operations of a kind that a network runs, and the modules whose code runs them.

    Args:
        model: The network.
        run: Runs it, with gradients.
        wanted: Tells whether a node of the graph is of that kind.

    Returns:
        The node of each, and the name and kind of the module, in the order in which the modules end.

    >>> import torch
    >>> x, net = torch.rand(1, 2, requires_grad=True), nn.Sequential(nn.ReLU(), nn.Tanh())
    >>> [place for _, place in origins(net, lambda: net(x), lambda node: "Tanh" in node.name())]
    ["'1' (Tanh)"]
    """
    names = {module: name for name, module in model.named_modules()}
    running: list[nn.Module] = []
    seen: set[Node] = set()
    found: list[tuple[Node, str]] = []

    def visit(values: object) -> None:
        """Assign the operations since the last border of a module to the innermost module that is running."""
        new = [node for tensor in _tensors(values) for node in _new_nodes(tensor.grad_fn, seen)]
        found.extend((node, _described(names, running)) for node in reversed(new) if wanted(node))

    def enter(module: nn.Module, args: tuple, kwargs: dict) -> None:
        visit((args, tuple(kwargs.values())))
        running.append(module)

    def leave(module: nn.Module, args: tuple, output: object) -> None:
        visit(output)
        running.pop()

    with ExitStack() as hooks:
        for module in names:
            hooks.callback(module.register_forward_pre_hook(enter, with_kwargs=True, prepend=True).remove)
            hooks.callback(module.register_forward_hook(leave).remove)
        run()
    return found


def _described(names: dict[nn.Module, str], running: list[nn.Module]) -> str:
    if not running:
        return "the network"
    module = running[-1]
    kind = type(module).__name__
    return f"{names[module]!r} ({kind})" if names[module] else f"{kind} itself"


def _tensors(values: object) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, (tuple, list)):
        for value in values:
            yield from _tensors(value)


def _new_nodes(root: Node | None, seen: set[Node]) -> list[Node]:
    """Return the nodes below that have not been seen, each before those that it depends on, and note them."""
    new, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            new.append(node)
            waiting += [below for below, _ in node.next_functions]
    return new
