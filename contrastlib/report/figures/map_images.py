"""Figures of 03_maps with maps of single images, and sentences about them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from IPython.display import Markdown, display
from matplotlib.figure import Figure
from torch import Tensor, nn

from contrastlib import assets, datasets, explainers, models, plotting
from contrastlib.autograd import forward
from contrastlib.datasets.birds import differing_parts
from contrastlib.evaluation import masking
from contrastlib.evaluation.energy import energy_in
from contrastlib.report.computing import batches
from contrastlib.report.figures import shared
from contrastlib.report.studies.dataset_evaluations import differing_region

METHODS = {
    explainers.EXPLAINERS[name].title: name for name in ("gradcam", "linear_approximation", "xgradcam")
}
"""Title -> method."""
SCHEMES = ("original", "weighted")
SPLIT_BIRDS = (12, 28, 37, 55)
"""Photographs of birds with which the search begins."""
ONE_IMAGE = (
    "Maps of the two most probable classes of image {image} by {method} at {layer}: the original ones above, "
    "{contrast} below."
)


@dataclass(frozen=True)
class TwoMaps:
    """An image, and GradCAM maps of its two most probable classes.

    Attributes:
        image: Image (1, 3, H, W) in [0, 1].
        maps: Maps (2, 2, h, w), original and weighted, of the first and of the second class.
        classes: The three most probable classes.
        names: Their names.
        probabilities: Their probabilities.
    """

    image: Tensor
    maps: Tensor
    classes: list[int]
    names: list[str]
    probabilities: list[float]

    @property
    def cosines(self) -> dict[str, float]:
        """Contrast -> cosine of the maps of the two classes."""
        return dict(zip(SCHEMES, torch.cosine_similarity(*self.maps.flatten(-2).unbind(1), dim=-1).tolist()))


@dataclass(frozen=True)
class OnePart:
    """A drawn bird whose two most probable species differ in one part.

    Attributes:
        index: Index in the test set.
        found: The image and its maps.
        part: Name of the part.
        area: Share of the image that the part covers.
        energy: Contrast -> share of the absolute values of the map of the first class on the part.
    """

    index: int
    found: TwoMaps
    part: str
    area: float
    energy: dict[str, float]


def split_decisions(
    model: models.Classifier,
    dataset: str,
    threshold: float,
    candidates: Iterable[int] | None = None,
    count: int | None = None,
) -> Iterator[int]:
    """Images of a set, in order, whose second-highest probability is above the threshold.

    Args:
        model: The classifier.
        dataset: Name of the data set.
        threshold: As in :func:`contrastlib.report.figures.shared.split_decisions`.
        candidates: As there.
        count: As there.

    Returns:
        Iterator of indices of images.
    """
    images = batches.load_dataset(dataset, model.input_size)
    return shared.split_decisions(model, images, threshold, candidates, count)


def top_two(name: str, dataset: str, count: int, threshold: float) -> Figure | Markdown:
    """Figure 4 of Wang & Wang 2022 for the first split decisions of a set, or a sentence if there is none.

    Args:
        name: Name of the network.
        dataset: Name of the data set.
        count: Largest number of images.
        threshold: Threshold of the second-highest probability of an image.

    Returns:
        The figure, or the sentence.
    """
    model = models.load(name)
    return _figure_4(model, dataset, list(split_decisions(model, dataset, threshold, count=count)))


def photographs(count: int, threshold: float) -> None:
    """Show :func:`top_two` for the photographs of scikit-image, and name their authors."""
    model, entries = models.load("efficientnet_lite0"), batches.load_dataset("photographs").entries
    chosen = list(split_decisions(model, "photographs", threshold, count=count))
    display(_figure_4(model, "photographs", chosen))
    if chosen:
        display(shared.credits(*(entries[index][0] for index in chosen)))


def bird_photographs(count: int, threshold: float) -> None:
    """Show :func:`top_two` for photographs of birds and a network for 964 species.

    If files are missing, a note is shown.
    """
    files = shared.files_of("imagenet-birds", "mobilenet_v2_birds")
    if not all(map(assets.available, files)):
        what = "The same for photographs of birds, and a network for 964 species"
        display(shared.left_out(what, *files))
        return
    model = models.load("mobilenet_v2_birds")
    centres = range(0, len(batches.load_dataset("imagenet-birds")), 5)
    candidates = sorted(centres, key=lambda index: index // 5 not in SPLIT_BIRDS)
    chosen = list(split_decisions(model, "imagenet-birds", threshold, candidates, count))
    display(_figure_4(model, "imagenet-birds", chosen))


def one_image(model: models.Classifier, dataset: str, threshold: float) -> tuple[Callable[..., Figure], dict]:
    """Function that draws the maps of one image of a set, and the choices of its parameters.

    Args:
        model: The classifier.
        dataset: Name of the data set.
        threshold: Threshold of the second-highest probability of the image that is drawn first.

    Returns:
        A function of the index of an image and the names of a method, a contrast and a layer; and name of a
        parameter -> its choices.
    """
    images = batches.load_dataset(dataset, model.input_size)
    layers = [name for name, module in model.named_modules() if isinstance(module, nn.Conv2d)]
    first = next(split_decisions(model, dataset, threshold), 0)

    def draw(
        image: int = first, method: str = "xgradcam", contrast: str = "maximum", layer: str = layers[-1]
    ) -> Figure:
        pixels = images[image].image[None]
        maps, titles = _maps(model, pixels, [method], ["original", contrast], layer)
        with plt.rc_context({"figure.dpi": 75}):
            return shared.map_blocks(
                pixels.permute(0, 2, 3, 1).numpy(), maps[None].numpy(), ["original", contrast], [titles]
            )

    contrasts = ["mean", "maximum", "weighted", "probability"]
    choices = {
        "image": (0, len(images) - 1),
        "method": METHODS,
        "contrast": contrasts,
        "layer": list(dict.fromkeys([*layers, model.layer])),
    }
    return draw, choices


def two_maps(model: models.Classifier, image: Tensor) -> TwoMaps:
    """GradCAM maps of the two most probable classes of an image (1, 3, H, W)."""
    record = forward(model, image, model.layer)
    top = record.logits.softmax(1).topk(3)
    maps = masking.explanations(record, top.indices[:, :2], ("gradcam",), SCHEMES)[0, :, :, 0]
    classes = top.indices[0].tolist()
    return TwoMaps(image, maps, classes, [model.class_names[c] for c in classes], top.values[0].tolist())


def answer(found: TwoMaps, part: str | None = None, narrow: bool = False) -> Figure:
    """The image and its maps next to each other.

    Args:
        found: The image and its maps.
        part: Part in which the two classes differ, if known.
        narrow: Whether the image stands above its maps.

    Returns:
        The figure.
    """
    pixels = found.image[0].permute(1, 2, 0).numpy()
    maps = explainers.upsample(found.maps, found.image.shape[-2:]).numpy()
    return shared.answer(pixels, maps, found.names, found.probabilities, part, narrow)


def save_answer(found: TwoMaps) -> None:
    """Save :func:`answer` for the landing page in $CONTRASTLIB_PICTURES, if that is set.

    The files are answer.png, and answer-narrow.png for telephones.
    """
    if folder := os.environ.get("CONTRASTLIB_PICTURES"):
        for name, narrow in {"answer.png": False, "answer-narrow.png": True}.items():
            figure = answer(found, narrow=narrow)
            shared.legible(figure).savefig(Path(folder, name), dpi=150, metadata={"Software": None})
            plt.close(figure)


def one_part_apart(model: models.Classifier, threshold: float) -> OnePart:
    """The first drawn bird with a split decision between two species that differ in a single part.

    It is an image of the test set, and its species is one of the two.

    Args:
        model: Network.
        threshold: Threshold of the second-highest probability.

    Returns:
        The bird.

    Raises:
        LookupError: There is no such bird.
    """
    birds = batches.load_dataset("birds", model.input_size)
    for index in split_decisions(model, "birds", threshold):
        found = two_maps(model, birds[index].image[None])
        pair = found.classes[:2]
        parts = differing_parts(*pair)
        if len(parts) == 1 and birds[index].label in pair:
            region = torch.from_numpy(differing_region(birds.annotations(index), *pair))
            maps = explainers.upsample(found.maps[:, 0], region.shape)
            return OnePart(
                index,
                found,
                parts[0],
                region.double().mean().item(),
                dict(zip(SCHEMES, energy_in(maps, region).tolist())),
            )
    raise LookupError(
        f"no split decision of {model.name} above {threshold:g} is between two species "
        "that differ in one part; lower the threshold"
    )


def cat_in_words(cat: TwoMaps) -> str:
    """The three most probable classes, and the cosines of the maps of the first two, in Markdown."""
    classes = ", ".join(f"*{name}* with {p:.0%}" for name, p in zip(cat.names, cat.probabilities))
    return (
        f"The network's three most probable classes are {classes}. The maps of the logits of the first two "
        f"have cosine {cat.cosines['original']:+.2f}, those of each class against the others "
        f"{cat.cosines['weighted']:+.2f}. The latter are not opposite, since each class is set against the "
        "third one as well."
    )


def part_in_words(bird: OnePart) -> str:
    """Cosines of the two maps, and shares of them on the part that differs, in Markdown."""
    cosines, energy = bird.found.cosines, bird.energy
    return (
        f"The cosine of the two maps is {cosines['original']:+.2f} from the logits and "
        f"{cosines['weighted']:+.2f} against the others. The species differ in one part, the {bird.part}. "
        f"It covers {bird.area:.1%} of the picture and holds {energy['original']:.1%} "
        r"of $\sum|\phi|$ of the *original* map of the more probable species and "
        f"{energy['weighted']:.1%} of the *weighted* one. "
        "Over many images the two shares are compared [below](#differing-parts)."
    )


def _figure_4(model: models.Classifier, dataset: str, indices: Sequence[int]) -> Figure | Markdown:
    if not indices:
        what = f"{datasets.title(dataset)} passes the threshold with {models.title(model.name)}"
        return Markdown(f"No image of {what}.")
    images = batches.load_dataset(dataset, model.input_size)
    pixels = torch.stack([images[index].image for index in indices])
    maps, titles = zip(*(_maps(model, each[None], METHODS.values(), SCHEMES, model.layer) for each in pixels))
    rows = [f"{method} {contrast}" for method in ("GradCAM", "LA", "XGradCAM") for contrast in SCHEMES]
    shown = pixels.permute(0, 2, 3, 1).numpy()
    return shared.finished(shared.map_blocks(shown, torch.stack(maps).numpy(), rows, titles))


def _maps(
    model: models.Classifier, pixels: Tensor, methods: Iterable[str], contrasts: Sequence[str], layer: str
) -> tuple[Tensor, list[str]]:
    """Maps (methods * contrasts, 2, H, W) of the two most probable classes, and titles of the classes."""
    record = forward(model, pixels, layer)
    top = record.logits.softmax(1).topk(2)
    maps = masking.explanations(record, top.indices, list(methods), contrasts)[:, :, :, 0].flatten(0, 1)
    titles = [plotting.class_title(model.class_names[c], p) for c, p in zip(top.indices[0], top.values[0])]
    return explainers.upsample(maps, pixels.shape[-2:]), titles
