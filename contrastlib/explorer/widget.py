"""The contrast explorer: a widget in a live notebook, and a page that needs nothing else."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from html import escape

import anywidget
import numpy as np
import traitlets

from contrastlib import models
from contrastlib.explorer import content, initial_state, packing, snippets
from contrastlib.explorer.arithmetic import map_of, probabilities
from contrastlib.explorer.bundle import bundle, style
from contrastlib.explorer.content import Progress
from contrastlib.explorer.pictures import Picture
from contrastlib.explorer.static_fallback import sentence, still
from contrastlib.models import Classifier
from contrastlib.plotting import percent


class Explorer(anywidget.AnyWidget):
    """Two maps of a picture side by side, of any network, method, layer, class and contrast.

    It carries the maps of the most probable classes and of all others merged, of which the browser computes
    every contrast; so it works in a page without a kernel just as it does live. Maps of the pixels are shown as
    sums over squares of pixels, about 32 a side.

    Args:
        pictures: see :mod:`contrastlib.explorer.pictures`.
        networks: names for :func:`contrastlib.models.load`, or classifiers.
        methods: names, of which those that apply to each network are taken; its usual ones when None.
        layers: network's name -> layers for the methods that have one; its own, or all blocks of a
            Transformer, where none are named.
        classes: how many of the most probable classes are carried one by one, at least 2.
        panes: presets of the two maps, each a dictionary with any of network, method, layer, rank (of the
            class, 0 the most probable), contrast, foils (ranks; the number of listed classes stands for all
            others), weights (for the contrast "own": one for each listed class, and one for all others).
        view: preset of what both maps share, any of opacity (0 to 1), shared (scale), keep ("all", "positive" or
            "negative" pixels), fill (of the others: "blur", "zero" or "mean") and difference.
        name: stands in the address of the page, and should be the only one there: explorers of one name share what
            the address says when the page is opened.
        progress: show a bar; or a function that is told the share of the work done. What it raises ends it.

    Attributes:
        header, chunks: what is shown, numbers and bytes.
        state: what the reader has chosen, live in both directions.
        pictures, networks: as given, networks loaded.

    Raises:
        ValueError: bad arguments, with the remedy.

    CLRP is pooled before it is cut at 0, and cut in the sum over channels, not in each.

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
        self, pictures: Sequence[Picture], networks: Sequence[str | Classifier],
        methods: Sequence[str] | None = None, layers: dict[str, Sequence[str]] | None = None, classes: int = 12,
        panes: Sequence[dict] | None = None, view: dict | None = None, name: str = "explore",
        progress: Progress = False,
    ):
        networks = [models.load(network) if isinstance(network, str) else network for network in networks]
        initial_state.check(pictures, [network.name for network in networks], layers or (), classes, name)
        self.pictures, self.networks = list(pictures), networks
        self._options = {"methods": methods, "layers": layers, "classes": classes}
        chunks = packing.Chunks()
        accounts = content.explained(self.pictures, networks, chunks, **self._options, progress=progress)
        header = content.header(name, networks, accounts)
        header["state"] = initial_state.state(panes, view, header)
        super().__init__(
            _esm=bundle(export=True), _css=style(), header=header, chunks=chunks.bytes, state=header["state"])

    def add(self, picture: Picture, progress: Progress = False) -> None:
        """Explain one more picture and show it; live widgets change at once.

        Args:
            picture, progress: as above. If ``progress`` raises, nothing is added.
        """
        chunks = packing.Chunks(self.chunks)
        accounts = content.explained([picture], self.networks, chunks, **self._options, progress=progress)
        self.pictures.append(picture)
        with self.hold_sync():
            self.chunks = chunks.bytes
            self.header = {**self.header, "pictures": [*self.header["pictures"], *accounts]}
            self.state = {**self.state, "picture": len(self.pictures) - 1}

    def map(self, pane: int = 0) -> np.ndarray:
        """The map (h, w) of a pane, from the packed numbers as the browser computes it."""
        chosen, view = self._chosen(pane)
        place = chosen["method"], chosen["layer"]
        entry = next(each for each in view["maps"] if (each["method"], each["layer"]) == place)
        planes = packing.unpacked_planes(self.chunks[entry["stack"]], entry["height"], entry["width"])
        mix = np.frombuffer(self.chunks[entry["mix"]], dtype="<f4")
        stack = packing.Stack(planes, mix if entry["kind"] == "table" else mix.reshape(-1, len(planes)))
        return map_of(entry, stack, view, chosen)

    def code(self, pane: int = 0) -> str:
        """Lines of Python that give the map of a pane."""
        picture = self.header["pictures"][self.state["picture"]]
        return snippets.snippet(self.header, picture, self._chosen(pane)[0])

    def question(self, pane: int = 0) -> str:
        """What the map of a pane answers, with probabilities."""
        chosen, view = self._chosen(pane)
        names = [each["name"] for each in view["classes"]] + ["all others"]
        found = probabilities(view)
        chance = [f"{name} ({percent(share)})" for name, share in zip(names, found)]
        rank = chosen["rank"]
        return self.header["contrasts"][chosen["contrast"]]["question"].format(
            target=chance[rank], rival=chance[rank == 0],
            others=percent(1 - found[rank]), foils=" or ".join(chance[foil] for foil in chosen["foils"]),
        )

    def static_html(self) -> str:
        """A page's element with all that it needs: data, script, style, and a still until the script runs."""
        name, words = self.header["name"], escape(sentence(self))
        data = {"header": self.header, "chunks": [base64.b64encode(chunk).decode() for chunk in self.chunks]}
        # no "<" may stand there, as "</script" and "<!--" have a meaning even in data
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
        return (
            f'<div class="contrast-explorer" id="{name}"><div class="cx-still">'
            f'<img src="data:image/webp;base64,{base64.b64encode(still(self)).decode()}" alt="{words}">'
            f"<p>{words} With scripts, all of it can be changed here.</p></div></div>\n"
            f'<style>{style()}</style>\n<script type="application/json" data-explorer="{name}">{text}</script>\n'
            f'<script>(() => {{\n{bundle()}\nmountStatic("{name}", document.currentScript);\n}})()</script>'
        )

    def _repr_mimebundle_(self, **options) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**options)
        return {**data, "text/html": self.static_html()}, metadata

    def _chosen(self, pane: int) -> tuple[dict, dict]:
        """What is chosen for a pane, and the classes and maps to choose from."""
        chosen = self.state["panes"][pane]
        return chosen, self.header["pictures"][self.state["picture"]]["views"][chosen["network"]]
