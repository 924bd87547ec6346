"""The picture that ``python -m contrastlib explain`` writes: its path, question, figure and caption."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contrastlib.assets.writing import check_writable, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image
    from torch import Tensor

    from contrastlib.models import Classifier


def output_path(photo: Path, output: Path | None, method: str, contrast: str) -> Path:
    """The path of the map; by default, its name has those of the photo, the method and the contrast.

    Args:
        photo: The path of the photo.
        output: The path that the user gave, if any.
        method: The name of the method.
        contrast: The name of the contrast; "" if there is none.

    Raises:
        ValueError: The map would replace the photo, its folder is missing, its format is unknown, or the path
            is that of a folder, such as ``/``.
        CannotWrite: Nothing can be written there.

    >>> str(output_path(Path("pictures/bird.jpg"), None, "gradcam", "weighted"))
    'bird-gradcam-weighted.png'
    """
    output = output or Path("-".join(filter(None, (photo.stem, method, contrast))) + ".png")
    if not output.name or output.is_dir():
        raise ValueError(f"{output} is a folder: name a file with -o")
    if not output.suffix:
        output = output.with_name(f"{output.name}.png")
    formats = _formats()
    if output.suffix[1:].lower() not in formats:
        raise ValueError(f"{output} cannot be written: give a name that ends in .{', .'.join(formats)}")
    if not output.parent.is_dir():
        raise ValueError(f"{output} cannot be written: there is no folder {output.parent}")
    if output.exists() and photo.exists() and output.samefile(photo):
        raise ValueError(f"{output} is the photo itself: name another file with -o")
    check_writable(output)
    return output


def _formats() -> list[str]:
    """The endings of pictures that can be written here: what Matplotlib draws itself, or with Pillow.

    Its pgf needs LaTeX, and Pillow may have been built without WebP or AVIF.
    """
    from matplotlib.backend_bases import FigureCanvasBase
    from PIL import features

    known = set(FigureCanvasBase.get_supported_filetypes()) - {"pgf"}
    return sorted(known - {each for each in ("webp", "avif") if not features.check(each)})


def question(
    logits: Tensor,
    class_names: Sequence[str],
    contrast: str,
    target: int | Sequence[int],
    foils: Sequence[int] = (),
) -> str:
    """The question that a map of this contrast answers, with the probabilities of its classes.

    Args:
        logits: (C,), of the photo.
        class_names: Of the C classes.
        contrast: The name of the contrast.
        target: The index of the class to explain, or the indices of a group of classes.
        foils: The indices of the classes that a contrast among classes is with.

    >>> import torch
    >>> question(torch.tensor([1., 0.]), ["Corvus corax (Raven)", "owl"], "maximum", target=0)
    'Why Raven (73.1 %) and not owl (26.9 %)?'
    """
    from contrastlib.contrasts import by_name
    from contrastlib.models.class_names import short
    from contrastlib.plotting import percent

    probabilities = logits.double().softmax(dim=0)

    def named(index: int) -> str:
        return f"{short(class_names[index])} ({percent(probabilities[index])})"

    targets = [target] if isinstance(target, int) else list(target)
    rival = next((index for index in logits.argsort(descending=True).tolist() if index not in targets), None)
    return by_name(contrast).question.format(
        target=" or ".join(map(named, targets)),
        rival="" if rival is None else named(rival),
        others=percent(1 - probabilities[targets].sum()),
        foils=" or ".join(map(named, dict.fromkeys(foils))),
    )


def draw(
    photo: Image.Image,
    image: Tensor,
    heat: Tensor,
    network: Classifier,
    title: str,
    caption: str,
) -> Figure:
    """The photo with a frame around what the network sees, and beside it the map over that part.

    Args:
        photo: The whole photo.
        image: What the network sees of it, (3, H, W) in [0, 1].
        heat: The map, (H, W).
        network: Gives the resizing and the crop.
        title: Above both.
        caption: Below the map.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from contrastlib.datasets.base import SQUEEZE
    from contrastlib.plotting import overlay

    small = photo.copy()
    small.thumbnail((1200, 1200))
    aspect = min(max(small.width / small.height, 0.5), 2)
    lines = textwrap.wrap(title.replace(" %", "\N{NO-BREAK SPACE}%"), int(36 * (aspect + 1)))
    figure = Figure(figsize=(4 * aspect + 4.9, 4.5 + 0.25 * len(lines)), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(aspect, 1))
    left.imshow(small)
    left.set(xticks=[], yticks=[])
    whole = network.resize == SQUEEZE
    seen = small.size if whole else [min(small.size) * network.input_size / network.resize] * 2
    corner = [(length - part) / 2 - 0.5 for length, part in zip(small.size, seen)]
    left.add_patch(Rectangle(corner, *seen, fill=False, color="white", linewidth=3))
    left.add_patch(Rectangle(corner, *seen, fill=False, color="black", linewidth=1, linestyle=(0, (4, 4))))
    left.set_xlabel("framed: what the network sees")
    drawn = overlay(right, image.permute(1, 2, 0).numpy(), heat.numpy())
    right.set_xlabel(caption, fontsize=8, parse_math=False)
    limit = heat.abs().quantile(0.99).item() or heat.abs().max().item() or 1  # not the few largest values
    drawn.set_clim(-limit, limit)
    scale = figure.colorbar(drawn, ax=right, shrink=0.8, extend="both")
    scale.set_ticks([-limit, 0, limit], labels=["against", "0", "for"])
    figure.suptitle("\n".join(lines), fontsize=13, parse_math=False)
    return figure


def caption(network: Classifier, options: dict[str, Any]) -> str:
    """The method, its layer, the contrast and the network, in two lines."""
    from contrastlib.explainers import EXPLAINERS

    record = EXPLAINERS[options["method"]]
    default = {"pixels": "the pixels", "tokens": "the tokens", "layer": network.layer}[record.space]
    layer = options.get("layer") or default
    contrast = f"{options['contrast']} contrast, " if "contrast" in options else ""
    return f"{record.name} at {layer}\n{contrast}{network.name}"


def save(figure: Figure, output: Path) -> None:
    """Write the figure, as a whole or not at all.

    Raises:
        CannotWrite: The file cannot be written.
    """
    content = io.BytesIO()
    figure.savefig(content, format=output.suffix[1:].lower())
    write(output, content.getvalue())
