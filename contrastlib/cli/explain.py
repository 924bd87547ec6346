"""``python -m contrastlib explain``: why does a network see this class in a photo, and not another?"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from contrastlib import assets
from contrastlib.cli import positive

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image
    from torch import Tensor

    from contrastlib.models import Classifier

DESCRIPTION = """\
Explain what a network sees in a photo. Prints the most probable classes, and draws a map: red areas
speak for the target class, blue ones against it, that is, for the classes it is contrasted with."""

EPILOG = """\
networks:
{networks}
  torchvision/NAME    any classifier of torchvision, such as torchvision/vgg16_bn; its weights are downloaded once

methods:
{methods}

contrasts:
{contrasts}

examples:
  python -m contrastlib explain bird.jpg
  python -m contrastlib explain bird.jpg --network mobilenet_v2_birds --target "house finch"
  python -m contrastlib explain bird.jpg --target "house finch" --foil goldfinch robin -o why.png
  python -m contrastlib explain cat.jpg --network torchvision/resnet50 --method xgradcam --contrast maximum"""

DEFAULT_METHOD = "gradcam"
SPACES = {
    "layer": "coarse maps, from the activations of a layer",
    "pixels": "fine maps, from the pixels",
    "tokens": "maps of Vision Transformers, from their tokens",
}


def add_parser(subparsers) -> None:
    """Add the command ``explain``."""
    parser = subparsers.add_parser(
        "explain", help="explain what a network sees in a photo of yours", description=DESCRIPTION,
        usage="%(prog)s PHOTO [options]",  # behind --foil it would be taken for a class
        formatter_class=argparse.RawDescriptionHelpFormatter, add_help=False,
    )
    parser.add_argument("-h", "--help", action=_Help, nargs=0, help="show this help message and exit")
    parser.add_argument("photo", type=Path, metavar="PHOTO", help=(
        "a picture, in any format that Pillow reads; comes first"))
    parser.add_argument("--network", metavar="NAME", help=(
        f"default: the first that is there of {', '.join(name for name, network in assets.networks().items() if network.preferred)}"))
    parser.add_argument("--method", metavar="NAME", help=(
        f"default: {DEFAULT_METHOD}, in its form for tokens for a Vision Transformer; all are listed below"))
    parser.add_argument("--contrast", metavar="NAME", help="default: weighted, or among when there is a --foil")
    parser.add_argument("--target", metavar="CLASS", help=(
        "the class to explain, by its name, an unambiguous part of it, or its index; default: the most probable"))
    parser.add_argument("--foil", dest="foils", metavar="CLASS", nargs="+", action="extend", default=[], help=(
        "contrast with these classes only (implies --contrast among); may be repeated"))
    parser.add_argument("--layer", metavar="NAME", help="where the map is made; default: its last feature map")
    parser.add_argument("--top", type=positive, default=5, metavar="N", help="classes to print (default: 5)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help=(
        "the picture to write; default: the name of the photo, the method and the contrast, in this folder"))
    parser.set_defaults(func=run)


def _networks() -> str:
    """The networks of the registry with their titles, by what they classify."""
    groups: dict[str, list[assets.Network]] = {}
    for network in assets.networks().values():
        groups.setdefault(network.classes.what, []).append(network)
    width = max(map(len, assets.networks()))
    lines = []
    for classes, networks in groups.items():
        lines += [f"  for {classes}:", *(f"    {network.name:{width}}  {network.title}" for network in networks)]
    return "\n".join(lines)


class _Help(argparse.Action):
    """Print the help. What it lists is imported only then, because torch is slow to import."""

    def __call__(self, parser: argparse.ArgumentParser, *_) -> None:
        parser.epilog = EPILOG.format(networks=_networks(), methods=methods_help(), contrasts=_contrasts())
        parser.print_help()
        parser.exit()


def _contrasts() -> str:
    """The contrasts with what the target is set against, a line for each."""
    from contrastlib.contrasts import CONTRASTS

    width = max(map(len, CONTRASTS))
    return "\n".join(f"  {name:{width}}  {record.about}" for name, record in CONTRASTS.items())


def methods_help() -> str:
    """The methods by what their maps are made of, a line for each.

    >>> print(methods_help())
      coarse maps, from the activations of a layer
        gradcam                     Each channel of a layer, weighted by its mean gradient.
        ...
    """
    from contrastlib.explainers import EXPLAINERS, select

    width = max(map(len, EXPLAINERS))
    return "\n".join(line for space, title in SPACES.items() for line in (
        f"  {title}", *(f"    {name:{width}}  {record.about}" for name, record in select(space=space).items())))


def run(arguments: argparse.Namespace) -> int:
    """Print the classes, write the picture; 2 if something asked for cannot be had."""
    try:
        _run(arguments)
    except (assets.DataError, ValueError, TypeError, IndexError, ArithmeticError) as error:
        print(f"contrastlib explain: {error}", file=sys.stderr)
        return 2
    return 0


def _run(arguments: argparse.Namespace) -> None:
    import contrastlib
    from contrastlib.autograd import predict
    from contrastlib.contrasts import by_name
    from contrastlib.datasets.pictures import open_photo
    from contrastlib.explainers import select
    from contrastlib.models.class_names import class_index

    contrast = arguments.contrast or "weighted"
    if arguments.foils and contrast == "weighted":
        contrast = "among"
    by_name(contrast)  # an unknown one is told before anything is loaded
    if arguments.method in select(contrast=False) and not (arguments.contrast or arguments.foils):
        contrast = ""  # the method defines its initial relevance itself
    else:
        by_name(contrast)  # an unknown one is told before anything is loaded
    output = output_path(arguments.photo, arguments.output, arguments.method or DEFAULT_METHOD, contrast)
    photo = open_photo(arguments.photo)
    network = load_network(arguments.network)
    image = network.preprocess(photo)
    logits = predict(network, image[None])[0]
    target = int(logits.argmax()) if arguments.target is None else class_index(arguments.target, network.class_names)
    method = _method(network, arguments.method)
    options = {"target": target, "method": method} | ({"contrast": contrast} if contrast else {})
    if arguments.foils:
        options["foils"] = [class_index(foil, network.class_names) for foil in arguments.foils]
    if arguments.layer:
        options["layer"] = arguments.layer
    _check_layer(network, method, arguments.layer)
    heat = contrastlib.explain(network, image[None], **options)[0]
    _print_classes(logits, network, arguments.top)
    asked = question(logits, network.class_names, contrast or "weighted", target, options.get("foils", []))
    figure = draw(photo, image, heat, network, asked, _caption(network, options))
    _save(figure, output)
    print(f"\n{asked}\nThe map is in {output}.")
    if not heat.any():
        print("It is zero everywhere: this contrast of these classes does not depend on the layer.")
    call = ", ".join(f"{name}={value!r}" for name, value in options.items())
    print(f"\nThe same map in Python:\n"
          f"  import contrastlib, contrastlib.models, PIL.Image\n"
          f"  network = contrastlib.models.load({network.name!r})\n"
          f"  image = network.preprocess(PIL.Image.open({str(arguments.photo)!r}))\n"
          f"  maps = contrastlib.explain(network, image[None], {call})")


def output_path(photo: Path, output: Path | None, method: str, contrast: str) -> Path:
    """Where the picture goes; the contrast is "" where the method has none.

    Raises:
        ValueError: it would replace the photo, its folder is missing, or its format is unknown.

    >>> str(output_path(Path("pictures/bird.jpg"), None, "gradcam", "weighted"))
    'bird-gradcam-weighted.png'
    """
    from matplotlib.backend_bases import FigureCanvasBase

    output = output or Path("-".join(filter(None, (photo.stem, method, contrast))) + ".png")
    if not output.suffix:
        output = output.with_name(f"{output.name}.png")
    formats = FigureCanvasBase.get_supported_filetypes()
    if output.suffix[1:].lower() not in formats:
        raise ValueError(f"{output} cannot be written: give a name that ends in .{', .'.join(sorted(formats))}")
    if not output.parent.is_dir():
        raise ValueError(f"{output} cannot be written: there is no folder {output.parent}")
    if output.exists() and photo.exists() and output.samefile(photo):
        raise ValueError(f"{output} is the photo itself: name another file with -o")
    return output


def load_network(name: str | None) -> Classifier:
    """The network of that name, or the first of ``models.PREFERRED`` whose weights are there.

    Raises:
        ValueError: unknown name, with the nearest ones.
        DataError: weights are missing or corrupt.
    """
    from contrastlib import models

    if name is not None:
        return models.load(name)
    for preferred in models.PREFERRED:
        try:
            return models.load(preferred)
        except assets.MissingFile:
            continue
    raise assets.MissingFile(
        f"no network for photographs is here. {assets.remedy('efficientnet-lite0-57934424.pth')} Or name one that can be "
        "downloaded, such as --network torchvision/mobilenet_v2 (14 MB); or set CONTRASTLIB_DATA to the folder that has "
        "mobilenet_v2, squeezenet1_1 or squeezenet1_0: `python -m contrastlib data` lists the files."
    )


def question(logits: Tensor, class_names: Sequence[str], contrast: str, target: int, foils: Sequence[int] = ()) -> str:
    """What a map of this contrast answers, with probabilities.

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

    rival = next(index for index in logits.argsort(descending=True).tolist() if index != target)
    return by_name(contrast).question.format(
        target=named(target), rival=named(rival), others=percent(1 - probabilities[target]),
        foils=" or ".join(map(named, dict.fromkeys(foils))),
    )


def draw(photo: Image.Image, image: Tensor, heat: Tensor, network: Classifier, title: str, caption: str) -> Figure:
    """The photo, with a frame around what the network sees of it, and the map over that."""
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
    limit = heat.abs().quantile(0.99).item() or heat.abs().max().item() or 1  # single pixels must not pale the others
    drawn.set_clim(-limit, limit)
    scale = figure.colorbar(drawn, ax=right, shrink=0.8, extend="both")
    scale.set_ticks([-limit, 0, limit], labels=["against", "0", "for"])
    figure.suptitle("\n".join(lines), fontsize=13, parse_math=False)
    return figure


def _method(network: Classifier, name: str | None) -> str:
    from contrastlib.explainers import EXPLAINERS
    from contrastlib.explainers.vit import is_transformer

    return name or (EXPLAINERS[DEFAULT_METHOD].for_transformers if is_transformer(network) else DEFAULT_METHOD)


def _check_layer(network: Classifier, method: str, layer: str | None) -> None:
    from contrastlib.explainers import select

    if method in select(space="layer") and layer is None and network.layer is None:
        others = [*select(space="tokens"), *select(space="pixels", needs="pass")]
        raise ValueError(f"{network.name} has no layer for maps of the usual form (channels, height, width): "
                         f"use --method {' or '.join(others)}, or name a layer with --layer")


def _print_classes(logits: Tensor, network: Classifier, count: int) -> None:
    from contrastlib.plotting import percent

    probabilities = logits.double().softmax(dim=0)
    print(f"{network.name}\n{'probability':>11}  {'logit':>6}  {'index':>5}  class")
    for index in logits.argsort(descending=True)[:count].tolist():
        print(f"{percent(probabilities[index]):>11}  {logits[index]:6.2f}  {index:5}  {network.class_names[index]}")


def _caption(network: Classifier, options: dict) -> str:
    from contrastlib.explainers import EXPLAINERS

    record = EXPLAINERS[options["method"]]
    layer = options.get("layer") or {"pixels": "the pixels", "tokens": "the tokens", "layer": network.layer}[record.space]
    asked = f"{options['contrast']} contrast, " if "contrast" in options else ""
    return f"{record.name} at {layer}\n{asked}{network.name}"


def _save(figure: Figure, output: Path) -> None:
    try:
        figure.savefig(output)
    except OSError as error:
        raise ValueError(f"{output} cannot be written: {error.strerror or error}") from error
