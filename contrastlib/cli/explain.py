"""``python -m contrastlib explain``: why does a network see this class in a photo, and not another?"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from contrastlib import assets
from contrastlib._choices import DEFAULT_CONTRAST, DEFAULT_METHOD, check_choice
from contrastlib.cli import arguments as types
from contrastlib.cli.map_picture import caption, draw, output_path, question, save

if TYPE_CHECKING:
    from torch import Tensor

    from contrastlib.models import Classifier

DESCRIPTION = """\
Explain what a network sees in a photo. Prints the most probable classes, and draws a map: red areas
speak for the target class, blue areas against it, that is, for the classes it is contrasted with."""

EPILOG = """\
networks:
{networks}
  torchvision/NAME    any classifier of torchvision, such as torchvision/vgg16_bn; its weights are downloaded

methods:
{methods}

contrasts:
{contrasts}

examples:
  python -m contrastlib explain bird.jpg
  python -m contrastlib explain bird.jpg --network mobilenet_v2_birds --target "house finch"
  python -m contrastlib explain bird.jpg --target "house finch" --foil goldfinch robin -o why.png
  python -m contrastlib explain bird.jpg --foil similar --strength 0.6
  python -m contrastlib explain cat.jpg --target tabby "tiger cat" "egyptian cat" --contrast group
  python -m contrastlib explain cat.jpg --network torchvision/resnet50 --method xgradcam --contrast maximum"""

SIMILAR = "similar"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command ``explain``."""
    parser = subparsers.add_parser(
        "explain",
        help="explain what a network sees in a photo of yours",
        description=DESCRIPTION,
        usage="%(prog)s PHOTO [options]",  # after --foil it would be taken for a class
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("-h", "--help", action=_Help, nargs=0, help="show this help message and exit")
    parser.add_argument(
        "photo",
        type=types.path,
        metavar="PHOTO",
        help=("an image, in any format that Pillow reads; comes first"),
    )
    preferred = ", ".join(assets.preferred_networks())
    parser.add_argument(
        "--network",
        type=types.name,
        metavar="NAME",
        help=(f"default: the first of these whose weights are there: {preferred}"),
    )
    parser.add_argument(
        "--method",
        type=types.name,
        metavar="NAME",
        help=(
            f"default: {DEFAULT_METHOD}, for a Vision Transformer its form for tokens; all are listed below"
        ),
    )
    parser.add_argument(
        "--contrast",
        type=types.name,
        metavar="NAME",
        help=(f"default: {DEFAULT_CONTRAST}, or among if there is a --foil"),
    )
    parser.add_argument(
        "--target",
        dest="targets",
        type=types.name,
        metavar="CLASS",
        nargs="+",
        action="extend",
        default=[],
        help=(
            "the class to explain: its name, an unambiguous part of it, or its index; default: the most "
            "probable one. Several for a contrast of a group"
        ),
    )
    parser.add_argument(
        "--foil",
        dest="foils",
        type=types.name,
        metavar="CLASS",
        nargs="+",
        action="extend",
        default=[],
        help=(
            "contrast with these classes only (implies --contrast among); may be repeated. "
            f'"{SIMILAR}" stands for the classes with the nearest logits'
        ),
    )
    parser.add_argument(
        "--foil-count",
        type=types.positive,
        metavar="N",
        help=(
            f"how many similar classes, for --foil {SIMILAR} and for contrasts that choose them themselves"
        ),
    )
    parser.add_argument(
        "--strength",
        type=float,
        metavar="X",
        help=("the weight of the foils together, for contrasts that have one, such as among"),
    )
    parser.add_argument(
        "--layer",
        type=types.name,
        metavar="NAME",
        help=("the layer whose activations the map is made from; default: the last feature map"),
    )
    parser.add_argument(
        "--top", type=types.positive, default=5, metavar="N", help=("classes to print (default: 5)")
    )
    parser.add_argument(
        "-o",
        "--output",
        type=types.path,
        metavar="FILE",
        help=(
            "the image to write; default: the name of the photo, the method and the contrast, in this folder"
        ),
    )
    parser.set_defaults(func=run)


def _networks() -> str:
    """The networks of the registry with their titles, grouped by their classes."""
    groups: dict[str, list[assets.Network]] = {}
    for network in assets.networks().values():
        groups.setdefault(network.classes.what, []).append(network)
    width = max(map(len, assets.networks()))
    lines = []
    for classes, networks in groups.items():
        lines += [f"  for {classes}:"]
        lines += [f"    {network.name:{width}}  {network.title}" for network in networks]
    return "\n".join(lines)


class _Help(argparse.Action):
    """Print the help. What it lists is imported only then, because torch is slow to import."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print the help and exit."""
        parser.epilog = EPILOG.format(networks=_networks(), methods=methods_help(), contrasts=_contrasts())
        parser.print_help()
        parser.exit()


def _contrasts() -> str:
    """The contrasts with their descriptions, one per line."""
    from contrastlib.contrasts import CONTRASTS

    width = max(map(len, CONTRASTS))
    return "\n".join(f"  {name:{width}}  {record.about}" for name, record in CONTRASTS.items())


def methods_help() -> str:
    """The methods with their descriptions, one per line, grouped by what their maps are made of.

    >>> print(methods_help())
      coarse maps, from the activations of a layer
        gradcam                     Each channel of a layer, weighted by its mean gradient.
        ...
    """
    from contrastlib.explainers import EXPLAINERS, SPACES, select

    width = max(map(len, EXPLAINERS))
    lines = []
    for space, words in SPACES.items():
        methods = select(space=space).items()
        lines += [f"  {words}", *(f"    {name:{width}}  {record.about}" for name, record in methods)]
    return "\n".join(lines)


def run(arguments: argparse.Namespace) -> int:
    """Print the most probable classes and write the map.

    Returns:
        The exit status, 0.

    Raises:
        DataError: Weights are missing or corrupt, or the map cannot be written.
        ValueError: An argument is wrong, or the photo cannot be read.
        TypeError: The network does not support the method.
        IndexError: A target or a foil is not a class.
        ArithmeticError: Numbers overflow.
    """
    import contrastlib
    from contrastlib.autograd import predict
    from contrastlib.datasets.pictures import open_photo

    contrast = _contrast(arguments)
    output = output_path(arguments.photo, arguments.output, arguments.method or DEFAULT_METHOD, contrast)
    photo = open_photo(arguments.photo)
    network = load_network(arguments.network)
    image = network.preprocess(photo)
    logits = predict(network, image[None])[0]
    options = _options(arguments, network, logits, contrast)
    if not arguments.output:  # a Transformer has another method
        output = output_path(arguments.photo, None, options["method"], contrast)
    heat = contrastlib.explain(network, image[None], **options)[0]
    _print_classes(logits, network, arguments.top)
    text = question(
        logits,
        network.class_names,
        contrast or DEFAULT_CONTRAST,
        options["target"],
        _foils(logits, contrast, options),
    )
    save(draw(photo, image, heat, network, text, caption(network, options)), output)
    print(f"\n{text}\nThe map is in {output}.")
    if not heat.any():
        print("It is zero everywhere: this contrast of these classes does not depend on the layer.")
    call = ", ".join(f"{name}={value!r}" for name, value in options.items())
    print(
        f"\nThe same map in Python:\n"
        f"  import contrastlib, contrastlib.models, PIL.Image\n"
        f"  network = contrastlib.models.load({network.name!r})\n"
        f"  image = network.preprocess(PIL.Image.open({str(arguments.photo)!r}))\n"
        f"  maps = contrastlib.explain(network, image[None], {call})"
    )
    return 0


def _contrast(arguments: argparse.Namespace) -> str:
    """The name of the contrast; "" if the method has its own, and the user asks for none.

    Raises:
        ValueError: The name of the contrast or of the method is unknown.
    """
    from contrastlib.contrasts import by_name
    from contrastlib.explainers import EXPLAINERS, select

    check_choice("method", arguments.method or DEFAULT_METHOD, EXPLAINERS)
    contrast = arguments.contrast or DEFAULT_CONTRAST
    if arguments.foils and not arguments.contrast:
        contrast = "among"
    by_name(contrast)
    asked_for = arguments.contrast or arguments.foils
    return "" if arguments.method in select(contrast=False) and not asked_for else contrast


def _options(
    arguments: argparse.Namespace,
    network: Classifier,
    logits: Tensor,
    contrast: str,
) -> dict[str, Any]:
    """The keyword arguments of ``contrastlib.explain``.

    Raises:
        ValueError: A class is unknown or ambiguous, or the network has no layer for the method.
    """
    from contrastlib.contrasts import CONTRASTS, by_name
    from contrastlib.models.class_names import class_index

    names = network.class_names
    targets = [class_index(each, names) for each in arguments.targets] or [int(logits.argmax())]
    takes_group = bool(contrast) and by_name(contrast).takes_group
    if len(targets) > 1 and not takes_group:
        groups = " or ".join(name for name, each in CONTRASTS.items() if each.takes_group)
        raise ValueError(f"{len(targets)} target classes are a group: name one, or add --contrast {groups}")
    options = {"target": targets if takes_group else targets[0], "method": _method(network, arguments.method)}
    if contrast:
        options["contrast"] = contrast
    if SIMILAR in (foil.strip().casefold() for foil in arguments.foils or ()):
        if len(arguments.foils) > 1:
            raise ValueError(f"--foil {SIMILAR} stands for the nearest classes: name it alone")
        options["foils"] = SIMILAR
    elif arguments.foils:
        options["foils"] = [class_index(foil, names) for foil in arguments.foils]
    for name in ("foil_count", "strength"):
        if getattr(arguments, name) is not None:
            options[name] = getattr(arguments, name)
    if arguments.layer:
        options["layer"] = arguments.layer
    _check_layer(network, options["method"], arguments.layer)
    return options


def _foils(logits: Tensor, contrast: str, options: dict[str, Any]) -> Sequence[int]:
    """The indices of the foils that a contrast takes, also of those that are chosen by their logits."""
    from contrastlib.contrasts import CONTRASTS, similar_foils

    record = CONTRASTS.get(contrast)
    foils = options.get("foils", SIMILAR if record and record.takes_foils else [])
    if foils != SIMILAR:
        return foils
    count = options.get("foil_count", min(record.similar_count, len(logits) - 1))
    return similar_foils(logits[None], options["target"], count)[0].tolist()


def load_network(name: str | None) -> Classifier:
    """The network of this name; for None, the first of ``models.PREFERRED`` whose weights are there.

    Raises:
        ValueError: The name is unknown; the message suggests the nearest ones.
        DataError: The weights are missing or corrupt.
    """
    from contrastlib import models

    if name is not None:
        return models.load(name)
    for preferred in models.PREFERRED:
        try:
            return models.load(preferred)
        except assets.MissingFile:
            continue
    remedy = assets.remedy("efficientnet-lite0-57934424.pth")
    raise assets.MissingFile(
        f"there is no network for photographs. {remedy} Or name one that can be downloaded, such as "
        "--network torchvision/mobilenet_v2 (14 MB); or set CONTRASTLIB_DATA to the folder that has "
        "mobilenet_v2, squeezenet1_1 or squeezenet1_0: `python -m contrastlib data` lists the files."
    )


def _method(network: Classifier, name: str | None) -> str:
    """The name of the method; for None, the default one for this kind of network."""
    from contrastlib.explainers import EXPLAINERS
    from contrastlib.explainers.vit import is_transformer

    if name:
        return name
    return EXPLAINERS[DEFAULT_METHOD].for_transformers if is_transformer(network) else DEFAULT_METHOD


def _check_layer(network: Classifier, method: str, layer: str | None) -> None:
    """Check that there is a layer for maps of a layer.

    Raises:
        ValueError: The method needs one, and neither the network nor the user names one.
    """
    from contrastlib.explainers import select

    if method in select(space="layer") and layer is None and network.layer is None:
        others = [*select(space="tokens"), *select(space="pixels", needs="pass")]
        raise ValueError(
            f"{network.name} has no layer for maps of the usual form (channels, height, width): "
            f"use --method {' or '.join(others)}, or name a layer with --layer"
        )


def _print_classes(logits: Tensor, network: Classifier, count: int) -> None:
    """Print the most probable classes."""
    from contrastlib.plotting import percent

    probabilities = logits.double().softmax(dim=0)
    print(f"{network.name}\n{'probability':>11}  {'logit':>6}  {'index':>5}  class")
    for index in logits.argsort(descending=True)[:count].tolist():
        numbers = f"{percent(probabilities[index]):>11}  {logits[index]:6.2f}  {index:5}"
        print(f"{numbers}  {network.class_names[index]}")
