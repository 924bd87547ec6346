"""The record of an explainer: its function, its name, what it takes, and its source."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from torch import Tensor

_Function = TypeVar("_Function", bound=Callable[..., Any])
Space = Literal["layer", "pixels", "tokens"]
SPACES: Mapping[Space, str] = {
    "layer": "coarse maps, from the activations of a layer",
    "pixels": "fine maps, from the pixels",
    "tokens": "maps of Vision Transformers, from their tokens",
}
"""Space -> what maps of the methods are, in words, for help texts and headings."""
Needs = Literal["pass", "network", "tokens pass"]

CHANNELS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda maps: maps.sum(dim=-3),
    "abs_max": lambda maps: maps.abs().amax(dim=-3),
}
"""Name -> function that reduces the channels of maps (..., K, H, W) to maps (..., H, W). "sum" is the
default: it is linear and keeps the sum of a map. "abs_max" is the largest absolute value over the channels,
which has no sign (Simonyan et al. 2013, sec. 3.1)."""


@dataclass(frozen=True, kw_only=True)
class Explainer:
    """The record of a method that :func:`contrastlib.explain` knows by name.

    The field ``needs`` says how the function is called, with a cotangent w, (B, C) or (N, B, C):

    ==================  ================================================================================
    ``needs``           call
    ==================  ================================================================================
    ``"pass"``          ``function(record, w)``; the record is the forward pass that
                        :func:`~contrastlib.autograd.forward_pass.forward` returns
    ``"tokens pass"``   ``function(record, w)``; the record is the forward pass that
                        :func:`~contrastlib.explainers.vit.forward_pass.vit_forward` returns
    ``"network"``       ``function(model, images, contrast_fn)``, with ``contrast_fn`` a function from
                        logits to w; or ``function(model, images, target)`` if ``contrast`` is False
    ==================  ================================================================================

    Attributes:
        function: The function that makes the maps.
        title: The name for menus and figures.
        about: What a map is, in one sentence.
        space: What a map is made of. "pixels": maps (B, K, H, W), whose channels are reduced by ``CHANNELS``.
            "layer": class activation maps (B, h, w) of a convolutional layer. "tokens": maps (B, h, w) of the
            patches of a Vision Transformer.
        needs: What the function is called with, see above.
        linear: Whether map(v + w) = map(v) + map(w) for all cotangents v and w, with the default options.
        formula: The formula of the map, in LaTeX. a^k are the activations of channel k, x the pixels, w the
            cotangent, y the logits, and g the gradient of <w, y> with respect to a^k or x.
        paper: The source, a key of the book's bibliography.
        equation: The equation or section of that source, or the difference from it.
        cost: The forward and backward passes for B images and one cotangent.
        name: The name of the method in :func:`contrastlib.explain`; the name of the function if empty.
        contrast: Whether the method takes any contrast. If not, it defines the initial relevance of its
            target class itself.
        through_attention: Whether the method passes the attention and the norms of a Transformer. If not, its
            rules are those of convolutions, linear layers and ReLUs.
        for_transformers: The name of the method that replaces this one for a Vision Transformer if no layer
            is named.
        map_of: A function that takes the maps (..., H, W) out of the output of ``function``, if that is not a
            tensor.
        passes_options_to: The function that takes the options which ``function`` does not name itself.

    >>> from contrastlib.explainers import EXPLAINERS
    >>> explainer = EXPLAINERS["xgradcam"]
    >>> explainer.title, explainer.space, explainer.linear, explainer.takes_layer, explainer.options
    ('XGradCAM', 'layer', True, True, {'normaliser': 'absolute'})
    """

    function: Callable[..., Any]
    title: str
    about: str
    space: Space
    needs: Needs
    linear: bool
    formula: str
    paper: str
    cost: str
    equation: str = ""
    name: str = ""
    contrast: bool = True
    through_attention: bool = True
    for_transformers: str = ""
    map_of: Callable[[Any], Tensor] | None = None
    passes_options_to: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.function.__name__)

    @property
    def takes_layer(self) -> bool:
        """Whether the method takes the name of a layer."""
        return "layer" in inspect.signature(self.function).parameters

    @property
    def has_channels(self) -> bool:
        """Whether the function returns a map of each channel of the images."""
        return self.space == "pixels" and self.map_of is None

    @property
    def options(self) -> dict[str, Any]:
        """Name -> default value of each option of the method."""
        functions = [self.function, self.passes_options_to] if self.passes_options_to else [self.function]
        signatures = map(inspect.signature, functions)
        parameters = [each for signature in signatures for each in signature.parameters.values()]
        return {
            each.name: each.default
            for each in parameters
            if each.default is not inspect.Parameter.empty and each.name != "layer"
        }

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise an error if the method lacks one of the options.

        Args:
            options: Name -> value.

        Raises:
            TypeError: The method has no such option; the message lists its options.
        """
        known = self.options
        unknown = [name for name in options if name not in known]
        if unknown:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise TypeError(f"{self.name} has no option {unknown[0]!r}; {has}")

    def map(self, output: Any, channels: str = "sum") -> Tensor:
        """Turn the output of the function into maps.

        Args:
            output: The output of the function.
            channels: A name in ``CHANNELS``. It is used if ``has_channels``.

        Returns:
            Maps (B, H, W) or (B, h, w), with N in front for N cotangents.
        """
        if self.map_of:
            return self.map_of(output)
        return CHANNELS[channels](output) if self.has_channels else output


RECORDS: dict[str, Explainer] = {}
"""Name -> record, in the order of registration. :mod:`contrastlib.explainers.registry` sorts them."""


def register(**fields: Any) -> Callable[[_Function], _Function]:
    """Make a decorator that registers a function as an explainer.

    Args:
        **fields: The fields of :class:`Explainer`, without ``function``.

    Returns:
        A decorator. It adds a record to ``RECORDS`` and returns the function.

    Raises:
        ValueError: Another function has that name.
    """

    def add(function: _Function) -> _Function:
        explainer = Explainer(function=function, **fields)
        if explainer.name in RECORDS:
            raise ValueError(f"two explainers are called {explainer.name!r}")
        RECORDS[explainer.name] = explainer
        return function

    return add
