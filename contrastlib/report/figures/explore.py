"""Images of 11_explore, none of them chosen by its map, and sentences about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from IPython.display import display

from contrastlib import assets, models
from contrastlib.autograd import predict
from contrastlib.datasets.birds import differing_parts
from contrastlib.evaluation import relevance_mass
from contrastlib.explorer import Explorer, Picture, bird, bird_scene, of_set
from contrastlib.report.computing import batches
from contrastlib.report.figures import map_images, shared

SPLIT = 0.25
"""Smallest second-highest probability of a split decision."""
ONE, SEVERAL = (
    f"The decision is split; the two species differ in {count}" for count in ("one part", "several parts")
)
KINDS: dict[str, tuple[int, Callable]] = {
    ONE: (5, lambda each: each.split and len(each.apart) == 1),
    SEVERAL: (2, lambda each: each.split and len(each.apart) > 2),
    "One class dominates": (2, lambda each: each.probabilities[0] > 0.999),
    "A confident mistake": (1, lambda each: each.probabilities[0] > 0.9 and not each.right),
}
"""Kind -> number of images that are shown, and function that tells whether a decision is of that kind."""
SCENES = 4
"""Number of scenes that are shown."""
PANES = ({"contrast": "original"}, {"contrast": "weighted"})


@dataclass(frozen=True)
class Decision:
    """Classification of a drawn image by a network.

    Attributes:
        index: Index in the test set.
        species: Species in the image.
        classes: The two most probable classes.
        probabilities: Their probabilities.
    """

    index: int
    species: tuple[int, ...]
    classes: tuple[int, int]
    probabilities: tuple[float, float]

    @property
    def apart(self) -> tuple[str, ...]:
        """The parts in which the two most probable species differ."""
        return differing_parts(*self.classes)

    @property
    def right(self) -> bool:
        """Whether the most probable species is in the image."""
        return self.classes[0] in self.species

    @property
    def split(self) -> bool:
        """Whether the second class is likely and the first species of the image is one of the two."""
        return self.probabilities[1] > SPLIT and self.species[0] in self.classes


def bird_network(*names: str) -> str:
    """The first of some networks that knows the drawn species. If none does, birds_vgg.

    >>> bird_network("efficientnet_lite0", "birds_resnet"), bird_network("efficientnet_lite0")
    ('birds_resnet', 'birds_vgg')
    """
    species = models.MODELS["birds_vgg"].classes
    known = (name for name in names if name in models.MODELS and models.MODELS[name].classes == species)
    return next(known, "birds_vgg")


class DrawnBirds:
    """First test images of each kind for a network, and scenes in which it finds both birds.

    Args:
        network: Name for :func:`contrastlib.models.load`, of a network with the drawn species as classes.
        searched: Number of images, and number of scenes, that are searched.

    Attributes:
        kinds: Kind -> decisions, as many as ``KINDS`` specifies if that many are found.
        scenes: Indices of the scenes whose two most probable classes are their two birds.
    """

    def __init__(self, network: str, searched: int) -> None:
        self.model, self.searched = models.load(network), searched
        single = _decisions(self.model, "birds", searched)
        self.kinds = {kind: list(filter(fits, single))[:count] for kind, (count, fits) in KINDS.items()}
        both = _decisions(self.model, "bird-scenes", searched)
        self.scenes = [each.index for each in both if set(each.species) == set(each.classes)]

    def pictures(self) -> list[Picture]:
        """Images of all kinds with captions, followed by scenes."""
        single = [self._captioned(kind, each) for kind, decisions in self.kinds.items() for each in decisions]
        return single + [bird_scene(index) for index in self.scenes[:SCENES]]

    def in_words(self) -> str:
        """Number of images of each kind, in Markdown."""
        counts = [f"{kind}: {len(decisions)}" for kind, decisions in self.kinds.items()]
        counts.append(f"Two birds, and both are found: {len(self.scenes[:SCENES])}")
        title = models.title(self.model.name)
        return f"Pictures of each kind, as {title} decides:\n\n" + "\n".join(f"- {each}." for each in counts)

    def likeness(self) -> str:
        """Similarity of the maps of the two classes of the first image, in Markdown.

        It is empty if there is no image.
        """
        if not self.kinds[ONE]:
            return ""
        image = batches.load_dataset("birds", self.model.input_size)[self.kinds[ONE][0].index].image[None]
        cosines = map_images.two_maps(self.model, image).cosines
        return (
            f"The *original* maps of the two most probable species of the first picture have cosine "
            f"{cosines['original']:.2f}, the *weighted* ones {cosines['weighted']:.2f} "
            f"(GradCAM, {models.title(self.model.name)})."
        )

    def red_in_boxes(self) -> str:
        """Share of positive values in the box of the explained bird, in Markdown.

        It is empty if there is no scene.
        """
        if not self.scenes:
            return ""
        scenes = batches.load_dataset("bird-scenes", self.model.input_size)
        birds = [scenes.annotations(index) for index in self.scenes]
        size = self.model.input_size
        boxes = [torch.stack([relevance_mass.region([b.box], size) for b in two]) for two in birds]
        boxes = torch.stack(boxes, dim=1)
        table = relevance_mass.compare(
            self.model,
            torch.stack([scenes[index].image for index in self.scenes]),
            torch.tensor([[b.label for b in two] for two in birds]).T,
            boxes,
            ["gradcam/original", "gradcam/maximum"],  # maximum is pairwise here: the two are most probable
        )
        share = table.groupby("method")[["own", "other"]].mean()
        own, other = share.loc["gradcam/maximum"]
        alone, beside = share.loc["gradcam/original"]
        return (
            f"Over the {len(birds)} of the first {self.searched} scenes whose two most probable classes are "
            f"their two birds, {own:.0%} of the red lies in the box of the bird that is asked for and "
            f"{other:.0%} in the other's. With *original* it is {alone:.0%} and {beside:.0%}. A box covers "
            f"{boxes.double().mean():.0%} of the picture on average."
        )

    def _captioned(self, kind: str, found: Decision) -> Picture:
        apart = f" ({', '.join(found.apart)})" if kind in (ONE, SEVERAL) else ""
        return bird(found.index, caption=f"{kind}{apart}: a {self.model.class_names[found.species[0]]}.")


def pictures_of(dataset: str, indices: Sequence[int]) -> list[Picture]:
    """Pictures of an image set with these indices. Readers see drawn birds larger than networks do.

    >>> [picture.title for picture in pictures_of("birds", [31])]
    ['Rust-crowned Finch']
    """
    return [bird(index) if dataset == "birds" else of_set(dataset, index) for index in indices]


def five_photographs() -> list[Picture]:
    """The photographs that may be shown, with their authors."""
    names = [name for name, _ in batches.load_dataset("photographs").entries]
    return [of_set("photographs", i, f"Photograph: {shared.maker(name)}.") for i, name in enumerate(names)]


def bird_photographs(count: int, classes: int) -> None:
    """Show an explorer with photographs of birds and a network for 964 species.

    If files are missing, a note is shown.
    """
    networks, methods = ["mobilenet_v2_birds"], ["gradcam", "input_x_gradient"]
    what, name = "Birds, and a network for 964 species", "explore-bird-photographs"
    options = {"networks": networks, "methods": methods, "classes": classes, "name": name}
    _show(what, "imagenet-birds", count, **options)


def imagenet_photographs(count: int, classes: int) -> None:
    """Show an explorer with photographs of ImageNet and two networks.

    If files are missing, a note is shown.
    """
    networks, methods = ["squeezenet1_1", "mobilenet_v2"], ["gradcam", "linear_approximation", "xgradcam"]
    what = "Photographs of anything, and two networks for the 1,000 classes of ImageNet"
    options = {"networks": networks, "methods": methods, "classes": classes, "name": "explore-imagenet"}
    _show(what, "imagenet-sample", count, **options)


def _show(what: str, dataset: str, count: int, *, networks: Sequence[str], **options: Any) -> None:
    """Show photographs that the first network cannot decide; a folded line where a file is missing."""
    files = shared.files_of(dataset, *networks)
    if not all(map(assets.available, files)):
        display(shared.left_out(what, *files))
        return
    images = batches.load_dataset(dataset)
    crops = getattr(images, "crops", 1)
    centres = range(0, len(images), crops)
    spread = centres[:: max(1, len(centres) // 60)]
    split = map_images.split_decisions(models.load(networks[0]), dataset, 0.1, spread, count)
    loading = {"crops": crops} if crops > 1 else {}
    display(Explorer([of_set(dataset, i, **loading) for i in split], networks, panes=PANES, **options))


def _decisions(model: models.Classifier, dataset: str, count: int) -> list[Decision]:
    images = batches.load_dataset(dataset, model.input_size)
    found = []
    for index in images.sample(count):
        top = predict(model, images[index].image[None])[0].softmax(dim=0).topk(2)
        classes, probabilities = tuple(top.indices.tolist()), tuple(top.values.tolist())
        found.append(Decision(index, images.labels(index), classes, probabilities))
    return found
