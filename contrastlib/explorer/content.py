"""The content of an explorer: its header (text and numbers) and its chunks (bytes)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
import torch
from tqdm.auto import tqdm

from contrastlib import assets, contrasts, models, plotting
from contrastlib._choices import DEFAULT_CONTRAST
from contrastlib.evaluation.masking import baseline
from contrastlib.explorer import maps, masked, packing, snippets
from contrastlib.explorer.arithmetic import INTERACTIVE, map_of, probes
from contrastlib.explorer.methods import applicable, offered
from contrastlib.explorer.pictures import Picture
from contrastlib.explorer.ranking import fixed_contrasts
from contrastlib.models import Classifier

BATCH = 4
"""Number of pictures in one forward pass."""
OWN = {
    "title": "own weights",
    "about": "against the other classes, with weights that you set",
    "question": "Why {target} and not the other classes, with your weights?",
}
"""Text for the contrast whose weights the reader sets."""

Progress = bool | maps.OnProgress
"""Whether to show a progress bar, or a function that is called with the finished fraction of the work."""


def descriptions(
    pictures: Sequence[Picture],
    networks: Sequence[Classifier],
    chunks: packing.Chunks,
    methods: Sequence[str] | None = None,
    layers: dict[str, Sequence[str]] | None = None,
    classes: int = 12,
    masked_methods: Sequence[str] | None = None,
    progress: Progress = False,
) -> list[dict]:
    """Compute the maps of pictures, and describe the pictures for the header.

    Args:
        pictures: The pictures.
        networks: The networks, all of which explain each picture.
        chunks: The bytes of images and maps are added to these.
        methods: Names of methods; the default methods of each network for None.
        layers: Layers by name of the network, for the methods that explain a layer.
        classes: Number of classes to list.
        masked_methods: Methods whose effects of masking are recorded; the first map of each network for None.
        progress: See :class:`contrastlib.explorer.widget.Explorer`.

    Returns:
        The description of each picture.

    Raises:
        ValueError: A method is unknown, or none applies to a network.
    """
    unknown = [method for method in masked_methods or () if method not in offered()]
    if unknown:
        raise ValueError(f"unknown method {unknown[0]!r} in masked; the explorer has {', '.join(offered())}")
    described = [_description(picture, networks, chunks) for picture in pictures]
    jobs = [(network, start) for network in networks for start in range(0, len(pictures), BATCH)]
    with tqdm(total=len(pictures) * len(networks), desc="maps", disable=progress is not True) as bar:
        for done, (network, start) in enumerate(jobs):
            some = slice(start, start + BATCH)
            images = torch.stack([picture.tensor(network) for picture in pictures[some]])

            def report(share: float, done: int = done) -> None:
                if callable(progress):
                    progress((done + share) / len(jobs))

            own = (layers or {}).get(network.name)
            views = _views(network, images, methods, own, classes, chunks, report)
            for each, image, view in zip(described[some], images, views):
                each["views"][network.name] = view
                _record_masking(network, image, view, chunks, masked_methods)
            bar.update(len(images))
    return described


def header(name: str, networks: Sequence[Classifier], described: list[dict]) -> dict:
    """Assemble the header: everything that the browser needs besides the chunks.

    Args:
        name: Name of the explorer.
        networks: The networks.
        described: The descriptions of the pictures.

    Returns:
        The header. A view in it holds the listed classes with their logits, the rest (number, logit and
        number of merged maps of the other classes, or None), the weights of each stored contrast, and an
        entry for each method and layer. The entry refers to the chunks of a stack, as defined in
        :mod:`contrastlib.explorer.packing`.
    """
    views = [view for each in described for view in each["views"].values()]
    used = {entry["method"] for view in views for entry in view["maps"]}
    return {
        "version": 1,
        "name": name,
        "colours": matplotlib.colormaps[plotting.COLOURS](range(256), bytes=True)[:, :3].tolist(),
        "networks": {
            network.name: {
                "title": models.title(network.name),
                "classes": len(network.class_names),
                "size": network.input_size,
                "code": _loading(network),
            }
            for network in networks
        },
        "methods": {
            method: {"title": record.title, "about": record.about, "code": snippets.template(method)}
            for method, record in offered().items()
            if method in used
        },
        "contrasts": _contrasts(),
        "default_contrast": DEFAULT_CONTRAST,
        "masking": snippets.MASKING,
        "fills": masked.FILLS,
        "pictures": described,
    }


def _contrasts() -> dict[str, dict]:
    """Return the text for each contrast that a view can offer."""
    interactive = {name: each for name, each in contrasts.CONTRASTS.items() if name in INTERACTIVE}
    text = {
        name: {"title": each.title, "about": each.about, "question": each.question}
        for name, each in (fixed_contrasts() | interactive).items()
    }
    return text | {"own": OWN}


def _description(picture: Picture, networks: Sequence[Classifier], chunks: packing.Chunks) -> dict:
    """Return the description of a picture without its maps."""
    image, parts = picture.shown(networks), picture.parts()
    return {
        "title": picture.title,
        "caption": picture.caption,
        "truth": picture.truth,
        "code": picture.code,
        "height": image.shape[1],
        "width": image.shape[2],
        "type": "image/webp",
        "image": chunks.add(packing.packed_image(image)),
        "blurred": chunks.add(packing.packed_image(baseline("blur", networks[0], image[None])[0])),
        "mean": packing.mean_colour(image),
        "parts": parts and {"names": parts[0], "labels": chunks.add(packing.packed_labels(parts[1]))},
        "views": {},
    }


def _views(
    network: Classifier,
    images: torch.Tensor,
    methods: Sequence[str] | None,
    layers: Sequence[str] | None,
    classes: int,
    chunks: packing.Chunks,
    report: Callable[[float], None],
) -> list[dict]:
    """Return what one network sees in each image: classes, weights of contrasts and entries of maps."""
    images = images.to(next(network.parameters()))
    ranking, stacks = maps.stacks(network, images, methods, layers, classes, report)
    order = applicable(network, methods, layers)
    views = []
    for i, rows in enumerate(stacks):
        view = ranking.view(i, network.class_names)
        entries = sorted(_entries(rows, view, chunks), key=lambda entry: order.index(entry["method"]))
        views.append(view | {"maps": entries})
    return views


def _entries(found: list[maps.Rows], view: dict, chunks: packing.Chunks) -> list[dict]:
    """Pack the stacks of an image, and return an entry for each method and layer."""
    entries = []
    for rows in found:
        size, height, width = rows.maps.shape
        kinds = [kind for kind in rows.kinds.values() if kind != "table"]
        stack = _stack(rows, [probes(kind, size, view) for kind in kinds])
        common = {
            "layer": rows.layer,
            "height": height,
            "width": width,
            "stack": chunks.add(packing.packed_planes(stack.planes)),
            "coefficients": chunks.add(stack.coefficients.tobytes()),
        }
        common |= {"pooled": rows.pooled} if rows.pooled else {}
        entries += [{"method": method, "kind": kind, **common} for method, kind in rows.kinds.items()]
    return entries


def _record_masking(
    network: Classifier,
    image: torch.Tensor,
    view: dict,
    chunks: packing.Chunks,
    methods: Sequence[str] | None,
) -> None:
    """Record what masking does to the probabilities of an image, for some entries of its view."""
    wanted = view["maps"][:1] if methods is None else [e for e in view["maps"] if e["method"] in methods]
    indices = [each["index"] for each in view["classes"]]
    image = image.to(next(network.parameters()))
    for entry in wanted:
        stack = packing.unpacked_stack(chunks.bytes, entry)
        heat = np.stack([map_of(entry, stack, view, pane) for pane in masked.panes(view, entry["kind"])])
        entry["masked"] = chunks.add(masked.recorded(network, image, heat, indices))


def _stack(rows: maps.Rows, weights: list[np.ndarray]) -> packing.Stack:
    if not weights:
        return packing.tabulated(rows.maps)
    clipped = np.repeat([kind == "relevance" for kind in rows.kinds.values()], len(weights[0]))
    return packing.quantised(rows.maps, np.concatenate(weights), clipped)


def _loading(network: Classifier) -> str:
    """Return the line of code that loads a network."""
    if assets.network(network.name) or "/" in network.name:
        return f"network = contrastlib.models.load({network.name!r})"
    return f"# network: your own classifier, {network.name}"
