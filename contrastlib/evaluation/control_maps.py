"""Control maps: maps that know less than an explanation should, to be scored beside it.

A measure says something about a map only if maps that cannot know the answer score lower. The records are in
``CONTROLS``. The first three do not look at the network. The last two are maps of the same method and
contrast, of another picture and of another class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from contrastlib._choices import check_choice
from contrastlib.evaluation.maps_of_contrasts import enlarged, explanations
from contrastlib.evaluation.seeding import image_seed

OURS = "map"
"""Name of the map itself in the column of the controls."""
CONTRASTS = ("original", "maximum", "weighted")
METHODS = ("gradcam", "vit_gradcam")
Row = tuple[str, str, str]
"""Method, contrast and control of a map."""


@dataclass(frozen=True)
class Material:
    """What controls are made from."""

    images: Tensor
    """(B, K, H, W)"""
    maps: Tensor
    """maps (N, B, h, w) of the target class of each image, by N contrasts"""
    random_class: Tensor
    """maps (N, B, h, w) of a random other class"""
    seed: int = 0


@dataclass(frozen=True)
class Control:
    """A control map.

    Attributes:
        name: Its name.
        title: The name for tables and figures.
        question: What is learned if a map scores no higher.
        function: Function of the material that returns maps (B, h, w) of any resolution.
        per_contrast: Whether it returns maps (N, B, h, w) of each contrast instead.
    """

    name: str
    title: str
    question: str
    function: Callable[[Material], Tensor]
    per_contrast: bool = False


def noise(material: Material) -> Tensor:
    """Normal random numbers at the resolution of the map, so that they are as smooth when enlarged.

    Args:
        material: The material. The seed of an image also depends on its pixels, but not on its batch.

    Returns:
        Maps (B, h, w).

    >>> material = Material(torch.rand(2, 3, 8, 8), torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4))
    >>> noise(material).shape
    torch.Size([2, 4, 4])
    """

    def drawn(image: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(image_seed(image, material.seed))
        return torch.randn(material.maps.shape[-2:], generator=generator, dtype=material.maps.dtype)

    return torch.stack([drawn(image) for image in material.images]).to(material.maps.device)


def centre(material: Material, width: float = 0.25) -> Tensor:
    """A Gaussian blob at the centre, whose standard deviation is ``width`` times each side.

    Args:
        material: The material.
        width: Standard deviation over the side.

    Returns:
        Maps (B, H, W).

    >>> images = torch.zeros(1, 3, 5, 5)
    >>> blob = centre(Material(images, images[:, :1], images[:, :1]))
    >>> blob[0, 2, 2].item(), (blob[0] == blob[0].T).all().item()
    (1.0, True)
    """
    rows, columns = (
        torch.exp(-((torch.linspace(-0.5, 0.5, side) / width) ** 2) / 2)
        for side in material.images.shape[-2:]
    )
    return (rows[:, None] * columns).to(material.maps).expand(len(material.images), -1, -1)


def edges(material: Material) -> Tensor:
    """Size of the Sobel gradient of the grey image, sqrt((g_x^2 + g_y^2) / 2), as in scikit-image.

    Args:
        material: The material. The grey image is the mean of the channels.

    Returns:
        Maps (B, H, W).

    >>> maps, others = torch.tensor([[[[0.0]], [[1.0]]]]), torch.tensor([[[[2.0]], [[3.0]]]])
    >>> material = Material(torch.ones(2, 3, 8, 8), maps, others)
    >>> edges(material).any().item()  # one colour has none
    False
    """
    grey = F.pad(material.images.mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    slope = torch.outer(torch.tensor([1.0, 2.0, 1.0]), torch.tensor([1.0, 0.0, -1.0])) / 4
    kernels = torch.stack([slope, slope.T])[:, None].to(grey)
    return (F.conv2d(grey, kernels).square().sum(dim=1) / 2).sqrt()


def other_picture(material: Material) -> Tensor:
    """The map of the next image of the batch, and of the first one for the last; (N, B, h, w).

    >>> maps, others = torch.tensor([[[[0.0]], [[1.0]]]]), torch.tensor([[[[2.0]], [[3.0]]]])
    >>> material = Material(torch.ones(2, 3, 8, 8), maps, others)
    >>> other_picture(material).flatten().tolist()
    [1.0, 0.0]
    """
    return material.maps.roll(-1, dims=1)


def random_class(material: Material) -> Tensor:
    """The map of a random other class of the same image; (N, B, h, w).

    >>> maps, others = torch.tensor([[[[0.0]], [[1.0]]]]), torch.tensor([[[[2.0]], [[3.0]]]])
    >>> material = Material(torch.ones(2, 3, 8, 8), maps, others)
    >>> random_class(material).flatten().tolist()
    [2.0, 3.0]
    """
    return material.random_class


CONTROLS = {
    control.name: control
    for control in (
        Control("noise", "smooth noise", "Is the map better than chance?", noise),
        Control("centre", "blob at the centre", "Is it more than that objects are in the middle?", centre),
        Control("edges", "edge detector", "Is it more than that objects have edges?", edges),
        Control(
            "other_picture", "map of another picture", "Does it depend on the picture?", other_picture, True
        ),
        Control("random_class", "map of a random class", "Does it depend on the class?", random_class, True),
    )
}
"""All controls by name."""


def with_controls(
    model: nn.Module,
    images: Tensor,
    logits: Tensor,
    target: Tensor,
    methods: Sequence[str] = METHODS,
    contrasts: Sequence[str] = CONTRASTS,
    controls: Sequence[str] = tuple(CONTROLS),
    layer: str | None = None,
    seed: int = 0,
) -> Iterator[tuple[list[Row], Tensor]]:
    """Maps of a class by several methods and contrasts, and their controls, enlarged to the images.

    Args:
        model: The network.
        images: Images (B, K, H, W), at least two.
        logits: Their logits (B, C).
        target: Class of each image (B,).
        methods: Names of explainers; those for another architecture are left out.
        contrasts: Names of contrasts.
        controls: Names of controls.
        layer: Layer of the methods that explain one. None stands for their default.
        seed: Seed of the noise and of the random class.

    Yields:
        Rows (method, contrast, control) that share a map, and the maps (B, H, W). The control of the map
        itself is ``OURS``.

    Raises:
        ValueError: A name is unknown, or there is a single image, which has no other picture.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> images, target = torch.rand(2, 3, 8, 8), torch.tensor([0, 3])
    >>> controls = ["noise", "other_picture"]
    >>> made = with_controls(net, images, net(images), target, ["gradcam"], ["weighted"], controls)
    >>> for rows, maps in made:
    ...     print(rows, tuple(maps.shape))
    [('gradcam', 'weighted', 'map')] (2, 8, 8)
    [('gradcam', 'weighted', 'noise')] (2, 8, 8)
    [('gradcam', 'weighted', 'other_picture')] (2, 8, 8)
    """
    for name in controls:
        check_choice("control", name, CONTROLS)
    if len(images) < 2:
        raise ValueError("a control is the map of another picture: give two images or more")
    other = other_classes(images, target, logits.shape[1], seed)
    options = {"methods": methods, "contrasts": contrasts, "layer": layer}
    pairs = zip(explanations(model, images, target, **options), explanations(model, images, other, **options))
    for (keys, maps), (_, foreign) in pairs:
        made = {OURS: maps} | {
            name: CONTROLS[name].function(Material(images, maps, foreign, seed)) for name in controls
        }
        for control, each in made.items():
            rows = [(*key, control) for key in keys]
            if control == OURS or CONTROLS[control].per_contrast:
                yield from zip([[row] for row in rows], enlarged(each, images.shape[-2:]))
            else:
                yield rows, enlarged(each[None], images.shape[-2:])[0]


def other_classes(images: Tensor, target: Tensor, classes: int, seed: int = 0) -> Tensor:
    """Draw a class of each image other than its target.

    Args:
        images: Images (B, K, H, W). The draw depends on their pixels, but not on their batch.
        target: Class of each image (B,).
        classes: Number of classes, C.
        seed: Seed of the draw.

    Returns:
        Classes (B,).

    >>> target = torch.tensor([0, 1, 2])
    >>> (other_classes(torch.rand(3, 1, 2, 2), target, classes=3) == target).any().item()
    False
    """
    generators = [torch.Generator().manual_seed(image_seed(image, seed + 1)) for image in images]
    steps = torch.stack([torch.randint(1, classes, (), generator=each) for each in generators])
    return (target + steps.to(target.device)) % classes
