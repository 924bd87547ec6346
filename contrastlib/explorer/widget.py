"""The contrast explorer as a widget in a notebook and as a self-contained HTML element."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from PIL import Image

from contrastlib import models
from contrastlib.explorer import content, initial_state, masked, packing, snippets
from contrastlib.explorer.arithmetic import map_of, pictures_of, probabilities
from contrastlib.explorer.bundle import bundle, style
from contrastlib.explorer.content import Progress
from contrastlib.explorer.display import with_html
from contrastlib.explorer.pictures import Picture, as_picture
from contrastlib.explorer.static_fallback import sentence, static_image
from contrastlib.explorer.tour import steps
from contrastlib.models import Classifier
from contrastlib.plotting import percent

LOWEST = -1e9
"""Logarithm of the probability 0 in a message, which cannot hold infinite numbers."""


class Explorer(anywidget.AnyWidget):
    """An interactive figure of two maps of a picture, of any network, method, layer, class and contrast.

    It holds the maps of the most probable classes and merged maps of all other classes. The browser computes
    the contrasts from them, with or without a kernel. Pixel maps are shown as sums over squares of pixels,
    about 32 a side. CLRP maps are summed over channels and squares before they are clipped at 0.

    Args:
        pictures: Pictures of :mod:`contrastlib.explorer.pictures`, PIL images, or paths of image files.
        networks: Names for :func:`contrastlib.models.load`, or classifiers.
        methods: Names of methods, of which each network uses those that apply to it. None stands for the
            default methods of each network.
        layers: Layers by name of the network, for the methods that explain a layer. The default is the
            default layer of the network, or all blocks of a Transformer.
        classes: Number of the most probable classes to list, at least 2.
        panes: Presets of the two maps. Each is a dictionary with any of the fields network, method, layer,
            rank (of the class, 0 for the most probable one), contrast, foils (ranks, where the number of
            listed classes stands for all other classes) and weights (for the contrast "own", one for each
            listed class and one for all other classes).
        view: Preset of what both maps have in common, with any of the fields other (index of the picture of
            map B; None for that of map A), opacity (0 to 1), shared (scale), keep ("all", "positive" or
            "negative" pixels), fill (of the other pixels, "blur", "zero" or "mean") and difference.
        name: Name in the address of the page. It should be unique on the page, because the state in the
            address applies to all explorers of that name.
        masked: Methods for which the effects of masking are recorded, so that a page without a kernel shows
            them; see :mod:`contrastlib.explorer.masked`. None stands for the first map of each network.
        tour: Whether a tour of four steps stands above the maps of the first picture.
        progress: Whether to show a progress bar, or a function that is called with the finished fraction of
            the work. An exception that it raises stops the work.

    Attributes:
        header: Text and numbers for the browser; see :func:`contrastlib.explorer.content.header`.
        chunks: Compressed images and maps.
        state: The current choices, synchronised with the browser in both directions.
        pictures: The pictures.
        networks: The loaded networks.

    Raises:
        TypeError: A picture or a network has another type; the message says what to wrap it in.
        ValueError: An argument is invalid; the message says what to change.

    >>> from contrastlib.explorer import bird
    >>> explorer = Explorer([bird(31)], ["birds_vgg"], methods=["gradcam"], classes=3)
    >>> explorer.map(pane=1).shape
    (16, 16)
    >>> print(explorer.code(pane=1).splitlines()[-1])
    maps = contrastlib.explain(network, image[None], 1, 'gradcam', 'weighted', layer='network.features.20')
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    header = traitlets.Dict().tag(sync=True)
    chunks = traitlets.List(traitlets.Bytes()).tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        pictures: Sequence[Picture | Image.Image | str | Path],
        networks: Sequence[str | Classifier],
        methods: Sequence[str] | None = None,
        layers: dict[str, Sequence[str]] | None = None,
        classes: int = 12,
        panes: Sequence[dict] | None = None,
        view: dict | None = None,
        name: str = "explore",
        masked: Sequence[str] | None = None,
        tour: bool = False,
        progress: Progress = False,
    ) -> None:
        """Compute the maps."""
        initial_state.check_lists(pictures=pictures, networks=networks, masked=masked or ())
        pictures = [as_picture(picture) for picture in pictures]
        networks = [models.as_classifier(network) for network in networks]
        initial_state.check(pictures, [network.name for network in networks], layers or (), classes, name)
        self.pictures, self.networks = list(pictures), networks
        self._options = {"methods": methods, "layers": layers, "classes": classes, "masked_methods": masked}
        chunks = packing.Chunks()
        described = content.descriptions(self.pictures, networks, chunks, **self._options, progress=progress)
        header = content.header(name, networks, described)
        header["state"] = initial_state.state(panes, view, header)
        header["tour"] = steps(header) if tour else []
        super().__init__(
            _esm=bundle(export=True),
            _css=style(),
            header=header,
            chunks=chunks.bytes,
            state=header["state"],
        )
        self.on_msg(self._answer)

    def add(self, picture: Picture | Image.Image | str | Path, progress: Progress = False) -> None:
        """Explain another picture and show it, also in widgets that are displayed already.

        Args:
            picture: The picture, a PIL image, or the path of an image file.
            progress: As for the class. If it raises an exception, nothing is added.
        """
        picture, chunks = as_picture(picture), packing.Chunks(self.chunks)
        described = content.descriptions([picture], self.networks, chunks, **self._options, progress=progress)
        self.pictures.append(picture)
        with self.hold_sync():
            self.chunks = chunks.bytes
            self.header = {**self.header, "pictures": [*self.header["pictures"], *described]}
            self.state = self._at(len(self.pictures) - 1)

    def _at(self, picture: int) -> dict:
        """Return the state with another picture. Own weights end where the picture of their map changes."""
        state = {**self.state, "picture": picture}
        ended = {"contrast": self.header["default_contrast"], "weights": None}
        changes = zip(state["panes"], pictures_of(self.state), pictures_of(state))
        panes = [
            {**pane, **ended} if pane["contrast"] == "own" and old != new else pane
            for pane, old, new in changes
        ]
        return {**state, "panes": panes}

    def map(self, pane: int = 0) -> np.ndarray:
        """Compute the map (h, w) of a pane from the chunks, as the browser does.

        Args:
            pane: 0 or 1.
        """
        chosen, view = self._chosen(pane)
        wanted = chosen["method"], chosen["layer"]
        entry = next(each for each in view["maps"] if (each["method"], each["layer"]) == wanted)
        return map_of(entry, packing.unpacked_stack(self.chunks, entry), view, chosen)

    def code(self, pane: int = 0) -> str:
        """Return Python code that computes the map of a pane.

        Args:
            pane: 0 or 1.
        """
        picture = self.header["pictures"][pictures_of(self.state)[pane]]
        return snippets.snippet(self.header, picture, self._chosen(pane)[0], self.state)

    def effect(self, pane: int = 0) -> dict[str, tuple[float, float]]:
        """Compute what masking by the map of a pane does, with the network.

        Args:
            pane: 0 or 1.

        Returns:
            The probability of the target class before and after masking ("probability"), and its probability
            among itself and its rivals ("relative"). The rivals are the foils of the contrast "among",
            otherwise the most probable other class.

        Raises:
            ValueError: The whole picture is kept.
        """
        chosen, view = self._chosen(pane)
        before = [each["logit"] for each in [*view["classes"], view["rest"] or {"logit": -np.inf}]]
        foils = chosen["foils"] if chosen["contrast"] == "among" else [int(chosen["rank"] == 0)]
        both = [masked.chances(logs, chosen["rank"], foils) for logs in (before, self._masked_logs(pane))]
        return dict(zip(("probability", "relative"), zip(*both)))

    def _masked_logs(self, pane: int) -> list[float]:
        """Return the logarithms of the probabilities of listed and of all other classes, after masking."""
        if self.state["keep"] == "all":
            raise ValueError("the whole picture is kept: set keep to 'positive' or 'negative' in the state")
        chosen, view = self._chosen(pane)
        network = next(each for each in self.networks if each.name == chosen["network"])
        image = self.pictures[pictures_of(self.state)[pane]].tensor(network)
        image = image.to(next(network.parameters()))
        signs = masked.kept(self.map(pane)[None], tuple(image.shape[-2:]))[0]
        mask = signs[masked.SIGNS.index(self.state["keep"])].to(image.device)
        indices = [each["index"] for each in view["classes"]]
        return masked.log_probabilities(network, image, mask[None], self.state["fill"], indices)[0].tolist()

    def _answer(self, _: Any, content: dict, __: Any) -> None:
        """Answer a browser that asks what masking does in its state."""
        if content.get("evaluate") == self.state:
            logs = [[max(each, LOWEST) for each in self._masked_logs(pane)] for pane in (0, 1)]
            self.send({"evaluated": self.state, "logs": logs})

    def question(self, pane: int = 0) -> str:
        """Return the question that the map of a pane answers, with the probabilities of the classes.

        Args:
            pane: 0 or 1.
        """
        chosen, view = self._chosen(pane)
        names = [each["name"] for each in view["classes"]] + ["all others"]
        found = probabilities(view)
        chance = [f"{name} ({percent(share)})" for name, share in zip(names, found)]
        rank = chosen["rank"]
        return self.header["contrasts"][chosen["contrast"]]["question"].format(
            target=chance[rank],
            rival=chance[rank == 0],
            others=percent(1 - found[rank]),
            foils=" or ".join(chance[foil] for foil in chosen["foils"]),
        )

    def static_html(self) -> str:
        """Return a self-contained HTML element with data, script and style.

        It begins with the current state. A static image is shown until the script runs, and where it cannot
        run.
        """
        name, words = self.header["name"], escape(sentence(self))
        header = {**self.header, "state": self.state}
        data = {"header": header, "chunks": [base64.b64encode(chunk).decode() for chunk in self.chunks]}
        # "<" is escaped, because "</script" and "<!--" have a meaning even in data
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text = text.replace("<", "\\u003c")
        image = base64.b64encode(static_image(self)).decode()
        return (
            f'<div class="contrast-explorer" id="{name}"><div class="cx-still">'
            f'<img src="data:image/webp;base64,{image}" alt="{words}">'
            f"<p>{words} With JavaScript, this is an interactive figure.</p></div></div>\n"
            f"<style>{style()}</style>\n"
            f'<script type="application/json" data-explorer="{name}">{text}</script>\n'
            f'<script>(() => {{\n{bundle()}\nmountStatic("{name}", document.currentScript);\n}})()</script>'
        )

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**options)
        return with_html(data, self.static_html()), metadata

    def _chosen(self, pane: int) -> tuple[dict, dict]:
        """Return the state of a pane, and the view that it shows."""
        chosen = self.state["panes"][pane]
        index = pictures_of(self.state)[pane]
        return chosen, self.header["pictures"][index]["views"][chosen["network"]]
