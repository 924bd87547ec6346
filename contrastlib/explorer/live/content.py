"""The data of a page with a live network: names, texts, and what the network says of the first picture."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import torch

from contrastlib import contrasts, plotting
from contrastlib._choices import DEFAULT_CONTRAST
from contrastlib.explainers import EXPLAINERS
from contrastlib.explorer import content, snippets
from contrastlib.explorer.export import WithMaps
from contrastlib.explorer.live import encoding
from contrastlib.explorer.pictures import Picture
from contrastlib.explorer.ranking import Ranking, fixed_contrasts
from contrastlib.models import Classifier

FUNCTIONS = Path(__file__).with_name("contrasts.js")
"""The functions of contrasts in the browser."""
CHOSEN = ("among", "group")
"""Contrasts whose foils or targets the reader chooses, beside those of the explorer."""


def offered_contrasts() -> dict[str, contrasts.Contrast]:
    """Return the contrasts that a page may offer, by name.

    A page offers those for which ``contrasts.js`` has a function. Another fixed contrast needs a line there.

    >>> list(offered_contrasts())
    ['original', 'mean', 'maximum', 'weighted', 'among', 'rest', 'group']
    """
    computed = set(re.findall(r"^  (\w+): \(logits", FUNCTIONS.read_text(encoding="utf-8"), re.MULTILINE))
    possible = computed & {*fixed_contrasts(), *CHOSEN}
    return {name: each for name, each in contrasts.CONTRASTS.items() if name in possible}


def header(
    name: str, classifier: Classifier, about: Mapping, picture: Picture, parts: Sequence[dict] | None = None
) -> dict:
    """Assemble the data of a page.

    Args:
        name: Name of the element, which the address of the page begins with.
        classifier: The network.
        about: What :func:`contrastlib.explorer.export.export` returned for it, with the fields files (file by
            role, see :func:`contrastlib.explorer.live.site.write`) and bytes (of all files that are loaded).
        picture: The first picture.
        parts: For a drawn bird, what :func:`contrastlib.explorer.live.birds.repainted_parts` returns.

    Returns:
        The data, of which everything can be written as JSON.

    Raises:
        NoRanking: The network has only one logit.
    """
    told = content.header(name, [classifier], [])["networks"][classifier.name]
    recorded = _recorded(classifier, picture)
    first, second = Ranking(torch.tensor(recorded["logits"])[None], count=2).listed[0].tolist()
    methods = {method: index for index, group in enumerate(about["outputs"]) for method in group}
    image = (picture.tensor(classifier).permute(1, 2, 0) * 255).round().byte().numpy(force=True)
    return {
        "name": name,
        "network": {
            "title": told["title"],
            "size": about["size"],
            "resize": about["resize"],
            "interpolation": about["interpolation"],
            "layer": about["layer"],
            "classes": classifier.class_names,
            "bytes": about["bytes"],
            "files": about["files"],
            "code": told["code"],
            "outputs": about["names"],
        },
        "default_contrast": DEFAULT_CONTRAST,
        "contrasts": {
            name: {
                "title": each.title,
                "about": each.about,
                "question": each.question,
                "group": each.takes_group,
                "foils": each.takes_foils,
            }
            for name, each in offered_contrasts().items()
        },
        "methods": {
            name: {
                "title": EXPLAINERS[name].title,
                "about": EXPLAINERS[name].about,
                "code": snippets.template(name),
                "output": index,
            }
            for name, index in methods.items()
        },
        "colours": matplotlib.colormaps[plotting.COLOURS](range(256), bytes=True)[:, :3].tolist(),
        "picture": {
            "title": picture.title,
            "caption": picture.caption,
            "type": encoding.PICTURE,
            "code": picture.code.replace("{size}", str(about["size"])),
            "image": encoding.picture(image),
            "logits": encoding.as_text(recorded["logits"].astype("<f4").tobytes()),
            "maps": [encoding.maps(maps) for maps in recorded["maps"]],
            "height": recorded["maps"][0].shape[-2],
            "width": recorded["maps"][0].shape[-1],
        },
        "parts": parts,
        "state": {
            "targets": [first],
            "foils": [second],
            "contrast": "among",
            "method": next(iter(methods)),
            "opacity": 60,
            "surer": 0,
        },
    }


def _recorded(classifier: Classifier, picture: Picture) -> dict:
    """Return the logits (C,) and the maps (C, h, w) of each group of methods for a picture."""
    with torch.no_grad():
        logits, *maps = WithMaps(classifier)(picture.tensor(classifier)[None] * 255)
    return {"logits": logits[0].numpy(), "maps": [each[0].numpy() for each in maps]}
