"""What the explorer shows, gathered: its header (words and numbers) and its chunks (bytes)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
import torch
from tqdm.auto import tqdm

from contrastlib import contrasts, models, plotting
from contrastlib.evaluation.masking import baseline
from contrastlib.explorer import maps, packing, snippets
from contrastlib.explorer.arithmetic import DEFAULT, INTERACTIVE, probes
from contrastlib.explorer.pictures import Picture
from contrastlib.explorer.ranking import fixed_contrasts
from contrastlib.models import Classifier

TOGETHER = 4  # pictures that pass through a network together

TITLES = {name: network.title for name, network in models.MODELS.items()}
"""name -> title of each network of the registry, for tables"""
OWN = {"title": "own", "about": "against the others, with weights drawn by hand",
       "question": "Why {target} and not the others, as weighted by hand?"}

Progress = bool | Callable[[float], None]


def explained(
    pictures: Sequence[Picture], networks: Sequence[Classifier], chunks: packing.Chunks,
    methods: Sequence[str] | None = None, layers: dict[str, Sequence[str]] | None = None, classes: int = 12,
    progress: Progress = False,
) -> list[dict]:
    """The header's account of each picture, with its maps by all networks; the bytes are added to ``chunks``.

    Args:
        progress: see :class:`contrastlib.explorer.widget.Explorer`.
    """
    accounts = [_account(picture, networks, chunks) for picture in pictures]
    layers = layers or {}
    jobs = [(network, start) for network in networks for start in range(0, len(pictures), TOGETHER)]
    with tqdm(total=len(pictures) * len(networks), desc="maps", disable=progress is not True) as bar:
        for done, (network, start) in enumerate(jobs):
            some = slice(start, start + TOGETHER)
            images = torch.stack([picture.tensor(network) for picture in pictures[some]])
            images = images.to(next(network.parameters()))
            own = layers.get(network.name)

            def step(share: float, done: int = done) -> None:
                if callable(progress):
                    progress((done + share) / len(jobs))

            ranking, stacks = maps.stacks(network, images, methods, own, classes, step)
            order = maps.applicable(network, methods, own)
            for i, account in enumerate(accounts[some]):
                view = ranking.view(i, network.class_names)
                entries = _entries(stacks[i], view, chunks)
                entries.sort(key=lambda entry: order.index(entry["method"]))
                account["views"][network.name] = view | {"maps": entries}
            bar.update(len(images))
    return accounts


def header(name: str, networks: Sequence[Classifier], accounts: list[dict]) -> dict:
    """All that the browser is told; the maps are described in :mod:`contrastlib.explorer.packing`."""
    views = [view for account in accounts for view in account["views"].values()]
    used = {entry["method"] for view in views for entry in view["maps"]}
    return {
        "version": 1,
        "name": name,
        "colours": matplotlib.colormaps[plotting.COLOURS](range(256), bytes=True)[:, :3].tolist(),
        "networks": {
            network.name: {
                "title": models.title(network.name), "classes": len(network.class_names),
                "size": network.input_size, "code": _loading(network),
            }
            for network in networks
        },
        "methods": {
            method: {"title": record.title, "about": record.about, "code": snippets.template(method)}
            for method, record in maps.offered().items() if method in used
        },
        "contrasts": _contrasts(),
        "default_contrast": DEFAULT,
        "pictures": accounts,
    }


def _contrasts() -> dict[str, dict]:
    """The words for each contrast that a view can offer."""
    known = fixed_contrasts() | {name: each for name, each in contrasts.CONTRASTS.items() if name in INTERACTIVE}
    words = {name: {"title": each.title, "about": each.about, "question": each.question} for name, each in known.items()}
    return words | {"own": OWN}


def _account(picture: Picture, networks: Sequence[Classifier], chunks: packing.Chunks) -> dict:
    image, parts = picture.shown(networks), picture.parts()
    return {
        "title": picture.title, "caption": picture.caption, "truth": picture.truth, "code": picture.code,
        "height": image.shape[1], "width": image.shape[2], "type": "image/webp",
        "image": chunks.add(packing.packed_image(image)),
        "blurred": chunks.add(packing.packed_image(baseline("blur", networks[0], image[None])[0])),
        "mean": packing.mean_colour(image),
        "parts": parts and {"names": parts[0], "labels": chunks.add(packing.packed_labels(parts[1]))},
        "views": {},
    }


def _entries(found: list[maps.Rows], view: dict, chunks: packing.Chunks) -> list[dict]:
    entries = []
    for rows in found:
        size, height, width = rows.maps.shape
        kinds = [kind for kind in rows.kinds.values() if kind != "table"]
        stack = _stack(rows, [probes(kind, size, view) for kind in kinds])
        place = {
            "layer": rows.layer, "height": height, "width": width,
            "stack": chunks.add(packing.packed_planes(stack.planes)), "mix": chunks.add(stack.mix.tobytes()),
        }
        place |= {"pooled": rows.pooled} if rows.pooled else {}
        entries += [{"method": method, "kind": kind, **place} for method, kind in rows.kinds.items()]
    return entries


def _stack(rows: maps.Rows, weights: list[np.ndarray]) -> packing.Stack:
    if not weights:
        return packing.tabulated(rows.maps)
    cut = np.repeat([kind == "relevance" for kind in rows.kinds.values()], len(weights[0]))
    return packing.quantised(rows.maps, np.concatenate(weights), cut)


def _loading(network: Classifier) -> str:
    if network.name in models.MODELS or "/" in network.name:
        return f"network = contrastlib.models.load({network.name!r})"
    return f"# network: your own classifier, {network.name}"
