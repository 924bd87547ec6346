"""The drawn birds as data sets: images of one bird, and scenes with two birds."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch

from contrastlib.datasets.base import Example, ImageSet
from contrastlib.datasets.birds.bird import BIRD_STEP, CODES
from contrastlib.datasets.birds.scene import Scene, sample_pair, sample_scene
from contrastlib.datasets.birds.species import SPECIES, Species, species_index, species_names

VERSION = 1
"""Version of the images, to be raised whenever any of them changes."""
SPLITS = {"train": 9000, "validation": 900, "test": 1500}
"""Number of images of each split."""
_SMALLEST, _LARGEST = 32, 1024
_CACHED_SIZE = 128  # larger images are rendered each time


class Annotations(NamedTuple):
    """The annotations of one bird of an image."""

    parts: dict[str, np.ndarray]
    """Mask (H, W) of the visible pixels of each part, by name. Parts without visible pixels are left out.

    A part whose trait is None, such as a missing wing bar, has a mask too. Its pixels have the colours of the
    part around it. A missing crest has no mask.
    """
    box: tuple[int, int, int, int]
    """Box (x0, y0, x1, y1) around all visible pixels, with x1 and y1 exclusive."""
    label: int
    """Species of the bird, an index into ``SPECIES`` and ``class_names``."""


class _Synthetic(ImageSet):
    """Base class of both data sets: sizes, splits, seeds and the rendering of scenes."""

    key = 0  # gives each data set its own streams of random numbers

    def __init__(
        self, split: str = "train", size: int = 128, seed: int = 0, length: int | None = None, start: int = 0
    ) -> None:
        """Check the arguments."""
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}: it must be one of {', '.join(SPLITS)}")
        if not _SMALLEST <= size <= _LARGEST:
            raise ValueError(f"size is {size}: it must lie between {_SMALLEST} and {_LARGEST} pixels")
        if seed < 0:
            raise ValueError(f"seed is {seed}: it must not be negative")
        self.split, self.size, self.seed = split, size, seed
        self.length = SPLITS[split] if length is None else length
        if not 0 <= start < max(self.length, 1):
            raise ValueError(f"start is {start}: it must be an index of the {self.length} images")
        self.start = start
        self.class_names = species_names()
        self.checksum = f"{self.name} version {VERSION}, {split}, seed {seed}, {size} px"

    def __len__(self) -> int:
        """Return the number of images."""
        return self.length

    def __getitem__(self, index: int) -> Example:
        """Return one image with its label, group and name."""
        index = self._checked(index)
        image = torch.from_numpy(self.picture(index)).permute(2, 0, 1).contiguous().float() / 255
        return Example(image, self.labels(index)[0], index, f"{self.split}-{index:06d}")

    def sample(self, count: int | None) -> list[int]:
        """Return the first ``count`` indices from ``start`` on, or all of these for None.

        The species alternate, so they are equally frequent among these.
        """
        return list(range(self.start, len(self)))[:count]

    def labels(self, index: int) -> tuple[int, ...]:
        """Return the species of each bird of an image."""
        raise NotImplementedError

    def scene(self, index: int) -> Scene:
        """Return the scene of an image: everything except the species."""
        raise NotImplementedError

    def _checked(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            where = f"{self.name} ({self.split}), which has {len(self)}"
            raise IndexError(f"there is no picture {index} in {where}")
        return index % len(self)

    def _entropy(self, index: int) -> tuple[int, tuple[int, ...]]:
        """Return seed and key of the random numbers of an image."""
        return self.seed, (self.key, list(SPLITS).index(self.split), index)

    def _render(self, index: int, labels: tuple[int, ...]) -> tuple[np.ndarray, ...]:
        render = _cached if self.size <= _CACHED_SIZE else _Synthetic._draw
        return tuple(array.copy() for array in render(self, index, labels))

    def _draw(self, index: int, labels: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        return self.scene(index).render([SPECIES[label] for label in labels], self.size)

    def _annotations(self, index: int) -> tuple[Annotations, ...]:
        labels = self.labels(index)
        _, owners = self._render(self._checked(index), labels)
        return tuple(_read(owners, number, label) for number, label in enumerate(labels))


@lru_cache(maxsize=2000)  # at most 130 MB, with 4 bytes for each pixel; networks and pages share the images
def _cached(images: _Synthetic, index: int, labels: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    return images._draw(index, labels)


def _read(owners: np.ndarray, number: int, label: int) -> Annotations:
    """Return the annotations of one bird, given the codes of the parts that all pixels show."""
    masks = {part: owners == code + number * BIRD_STEP for part, code in CODES.items()}
    masks = {part: mask for part, mask in masks.items() if mask.any()}
    ys, xs = np.nonzero((owners > number * BIRD_STEP) & (owners < (number + 1) * BIRD_STEP))
    box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
    return Annotations(masks, box, label)


class SyntheticBirds(_Synthetic):
    """Images of one perched bird each, of thirty invented species, rendered on demand.

    Image i shows species i mod 30, so 30 successive images show each species once. Pose, size, position,
    illumination, background and occluders are random functions of (seed, split, i). They do not depend on the
    species or on the size in pixels. The same arguments give the same bytes on every platform.

    Args:
        split: "train", "validation" or "test". The splits use different streams of random numbers, so they
            are disjoint.
        size: Side of the images in pixels, 32 to 1024.
        seed: Seed of the random numbers.
        length: Number of images. The default is 9,000, 900 and 1,500 for the three splits.
        start: Index of the first image of a sample.

    Attributes:
        split: As given.
        size: As given.
        seed: As given.
        length: Number of images.
        start: As given.

    Raises:
        ValueError: The split is unknown, the size or the start is out of range, or the seed is negative.

    >>> birds = SyntheticBirds("test", size=64)
    >>> image, label, group, name = birds[31]
    >>> image.shape, birds.class_names[label], name
    (torch.Size([3, 64, 64]), 'Rust-crowned Finch', 'test-000031')
    >>> parts, box, _ = birds.annotations(31)
    >>> parts["crown"].shape, bool(parts["crown"].any())
    ((64, 64), True)

    The same scene with another species differs only in the parts that distinguish the two:

    >>> plain = birds.picture(31, species="Ash-crowned Finch")
    >>> changed = (plain != birds.picture(31)).any(axis=2)
    >>> bool((changed & parts["crown"]).sum() > 0.9 * parts["crown"].sum())
    True
    """

    name = "birds"

    def labels(self, index: int) -> tuple[int]:
        """Return the species of the bird, a tuple of one label."""
        return (self._checked(index) % len(SPECIES),)

    def scene(self, index: int) -> Scene:
        """Return the scene of an image: everything except the species."""
        return sample_scene(*self._entropy(self._checked(index)))

    def picture(self, index: int, species: int | str | Species | None = None) -> np.ndarray:
        """Render an image with its own or another species.

        Args:
            index: Index of the image.
            species: Label, name or record of the species. None stands for its own species.

        Returns:
            The image, uint8 (H, W, 3).

        Raises:
            ValueError: The species is unknown.
            IndexError: There is no such image.
        """
        index = self._checked(index)
        labels = self.labels(index) if species is None else (species_index(species),)
        return self._render(index, labels)[0]

    def annotations(self, index: int) -> Annotations:
        """Return the part masks, the box and the label of the bird."""
        return self._annotations(index)[0]


class BirdScenes(_Synthetic):
    """Images of two birds of different species, one in each half of the image.

    The label of an example is that of its first bird, species i mod 30. The second bird has another species.
    Either may be on the left. Arguments, determinism and errors are those of :class:`SyntheticBirds`.

    >>> scenes = BirdScenes("test", size=64, length=60)
    >>> first, second = scenes.annotations(7)
    >>> scenes.labels(7) == (first.label, second.label), first.label != second.label
    (True, True)
    >>> scenes[7].label == first.label
    True
    """

    name = "bird-scenes"
    key = 1

    def labels(self, index: int) -> tuple[int, int]:
        """Return the species of the two birds, two different labels."""
        index = self._checked(index)
        first, kinds = index % len(SPECIES), len(SPECIES)
        # 30 · 29 successive images show every ordered pair once
        return first, (first + 1 + (index // kinds + 11 * first) % (kinds - 1)) % kinds

    def scene(self, index: int) -> Scene:
        """Return the scene of an image: everything except the species."""
        return sample_pair(*self._entropy(self._checked(index)))

    def picture(self, index: int) -> np.ndarray:
        """Render an image, uint8 (H, W, 3)."""
        index = self._checked(index)
        return self._render(index, self.labels(index))[0]

    def annotations(self, index: int) -> tuple[Annotations, Annotations]:
        """Return the annotations of both birds. The bird that the example is labelled with comes first."""
        return self._annotations(index)

    def objects(self, index: int) -> list[tuple[int, torch.Tensor]]:
        """Return species and region of both birds, the labelled one first.

        The region is a boolean mask (H, W) of the bird's box.
        """
        return [(bird.label, _filled(bird.box, self.size)) for bird in self.annotations(index)]


def _filled(box: tuple[int, int, int, int], size: int) -> torch.Tensor:
    """Return a boolean mask (size, size) that is true in a box."""
    x0, y0, x1, y1 = box
    region = torch.zeros(size, size, dtype=torch.bool)
    region[y0:y1, x0:x1] = True
    return region
