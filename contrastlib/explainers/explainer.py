"""The record of an explainer: what a method is called, what it takes, and what is known of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from torch import Tensor

_Function = TypeVar("_Function", bound=Callable[..., Any])
Space = Literal["layer", "pixels", "tokens"]
Needs = Literal["pass", "network", "tokens pass"]

CHANNELS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda maps: maps.sum(dim=-3),
    "abs_max": lambda maps: maps.abs().amax(dim=-3),
}
"""name -> how maps (..., channels, H, W) of the pixels become maps (..., H, W). ``"sum"`` is linear, keeps the sum
of a map and is what this library does unless told otherwise; ``"abs_max"`` is the greatest absolute value over the
channels, which has no sign (Simonyan et al. 2013, sec. 3.1)."""


@dataclass(frozen=True, kw_only=True)
class Explainer:
    """One method that :func:`contrastlib.explain` knows by name.

    ==================  ====================================================================================
    ``needs``           how the function is called
    ==================  ====================================================================================
    ``"pass"``          ``function(record, w)``, with a pass of :func:`~contrastlib.autograd.forward_pass.forward`
    ``"tokens pass"``   ``function(record, w)``, with a pass of :func:`~contrastlib.explainers.vit.vit_forward`
    ``"network"``       ``function(model, images, contrast)``, the contrast being a function logits -> w; or
                        ``function(model, images, target)`` where ``contrast`` is False
    ==================  ====================================================================================

    The cotangent w has the shape (B, C), or (K, B, C) for K cotangents; maps then have K in front.

    Args:
        function: makes the maps.
        title: name in a menu.
        about: what the map is, in one sentence.
        space: what a map is made of. "pixels": maps (B, channels, H, W), the channels of which are reduced as
            ``CHANNELS`` says. "layer": maps (B, h, w) of the activations of a convolutional layer. "tokens":
            maps (B, h, w) on the patches of a Vision Transformer.
        needs: what the function works on, see above.
        linear: whether map(v + w) = map(v) + map(w) for any cotangents v and w, with the default options.
        formula: of the map, in LaTeX; a^k are the activations of channel k, x the pixels, g the gradient
            of <w, y> at either, w the cotangent and y the logits.
        paper: a key of the book's bibliography.
        equation: the equation or the section there, or what differs from it.
        cost: passes of B images through the network, for one cotangent.
        name: what :func:`contrastlib.explain` calls the method; the function's name when empty.
        contrast: whether the method takes any contrast. If not, it defines the relevance that its target class
            starts from itself.
        for_transformers: name of the method that takes the place of this one for a Vision Transformer, if no
            layer is named.
        map_of: takes the maps (..., H, W) from what the function returns, if that is not a tensor.
        passes_options_to: the function that takes those options which the method does not name itself.

    >>> from contrastlib.explainers import EXPLAINERS
    >>> record = EXPLAINERS["xgradcam"]
    >>> record.title, record.space, record.linear, record.takes_layer, record.options
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
    for_transformers: str = ""
    map_of: Callable[[Any], Tensor] | None = None
    passes_options_to: Callable | None = None

    def __post_init__(self):
        object.__setattr__(self, "name", self.name or self.function.__name__)

    @property
    def takes_layer(self) -> bool:
        """Whether the maps are made at a layer that can be named."""
        return "layer" in inspect.signature(self.function).parameters

    @property
    def has_channels(self) -> bool:
        """Whether the function returns maps of each channel of the pixels."""
        return self.space == "pixels" and self.map_of is None

    @property
    def options(self) -> dict[str, Any]:
        """Name of each option of the method -> its default value."""
        functions = [self.function, self.passes_options_to] if self.passes_options_to else [self.function]
        parameters = [each for function in functions for each in inspect.signature(function).parameters.values()]
        return {each.name: each.default for each in parameters
                if each.default is not inspect.Parameter.empty and each.name != "layer"}

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Refuse options that the method does not have.

        Raises:
            TypeError: an unknown option; the message names those that exist.
        """
        known = self.options
        unknown = [name for name in options if name not in known]
        if unknown:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise TypeError(f"{self.name} has no option {unknown[0]!r}; {has}")

    def map(self, found: Any, channels: str = "sum") -> Tensor:
        """The maps (B, H, W), or with K in front, in what the function returned.

        Args:
            found: what the function returned.
            channels: name in ``CHANNELS``; counts where ``has_channels``.
        """
        if self.map_of:
            return self.map_of(found)
        return CHANNELS[channels](found) if self.has_channels else found


RECORDS: dict[str, Explainer] = {}
"""name -> record, in the order in which modules are imported; see :mod:`contrastlib.explainers.registry`"""


def register(**fields: Any) -> Callable[[_Function], _Function]:
    """Make the function that follows an explainer: enter its record into ``RECORDS``.

    Args:
        fields: those of :class:`Explainer`, except for ``function``.

    Raises:
        ValueError: another function has that name.
    """
    def enter(function: _Function) -> _Function:
        record = Explainer(function=function, **fields)
        if record.name in RECORDS:
            raise ValueError(f"two explainers are called {record.name!r}")
        RECORDS[record.name] = record
        return function

    return enter
