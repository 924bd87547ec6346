"""The synthetic birds as data sets: pictures of one bird, and scenes with two."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch

from ..base import Example, ImageSet
from .bird import BIRD_STEP, CODES
from .scene import sample_pair, sample_scene
from .species import SPECIES, species_index, species_names

VERSION = 1  # to be raised whenever any picture changes
SPLITS = {"train": 9000, "validation": 900, "test": 1500}
_SMALLEST, _LARGEST = 32, 1024
_KEPT_SIZE = 128  # larger pictures are drawn anew


class Annotations(NamedTuple):
    """What the drawing knows about one bird of a picture."""

    parts: dict
    """part name -> bool array (H, W) of the pixels that show it, not those hidden; none is empty.

    A part worn plain (trait None: no wing bar, no eye stripe …) still has the pixels where it would
    be, painted like what surrounds it; a missing crest has none.
    """
    box: tuple
    """(x0, y0, x1, y1) around all its visible pixels, x1 and y1 exclusive"""
    label: int
    """its species, an index into ``SPECIES`` and ``class_names``"""


class _Drawn(ImageSet):
    """What the two sets share: sizes, splits, seeds, and scenes that are drawn when asked for."""

    key = 0  # keeps the random streams of the two sets apart

    def __init__(self, split="train", size=128, seed=0, length=None):
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}: it must be one of {', '.join(SPLITS)}")
        if not _SMALLEST <= size <= _LARGEST:
            raise ValueError(f"size is {size}: it must lie between {_SMALLEST} and {_LARGEST} pixels")
        if seed < 0:
            raise ValueError(f"seed is {seed}: it must not be negative")
        self.split, self.size, self.seed = split, size, seed
        self.length = SPLITS[split] if length is None else length
        self.class_names = species_names()
        self.checksum = f"{self.name} version {VERSION}, {split}, seed {seed}, {size} px"

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        index = self._checked(index)
        image = torch.from_numpy(self.picture(index)).permute(2, 0, 1).contiguous().float() / 255
        return Example(image, self.labels(index)[0], index, f"{self.split}-{index:06d}")

    def sample(self, count):
        """The first ``count`` indices, all when None: species take turns, so these hold them all alike."""
        return list(range(len(self) if count is None else min(count, len(self))))

    def _checked(self, index):
        if not -len(self) <= index < len(self):
            raise IndexError(f"picture {index} of {self.name} ({self.split}), which has {len(self)}")
        return index % len(self)

    def _entropy(self, index):
        return self.seed, (self.key, list(SPLITS).index(self.split), index)

    def _render(self, index, labels):
        render = _kept if self.size <= _KEPT_SIZE else _Drawn._draw
        return tuple(part.copy() for part in render(self, index, labels))

    def _draw(self, index, labels):
        return self.scene(index).render([SPECIES[label] for label in labels], self.size)

    def _annotations(self, index):
        labels = self.labels(index)
        _, owners = self._render(self._checked(index), labels)
        return tuple(_read(owners, number, label) for number, label in enumerate(labels))


@lru_cache(maxsize=2000)  # at 4 bytes a pixel 130 MB at most; several networks and pages look at the same pictures
def _kept(images, index, labels):
    return images._draw(index, labels)


def _read(owners, number, label):
    """The annotations of bird `number` from the map of who owns each pixel."""
    masks = {part: owners == code + number * BIRD_STEP for part, code in CODES.items()}
    masks = {part: mask for part, mask in masks.items() if mask.any()}
    ys, xs = np.nonzero((owners > number * BIRD_STEP) & (owners < (number + 1) * BIRD_STEP))
    box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
    return Annotations(masks, box, label)


class SyntheticBirds(_Drawn):
    """Pictures of one perched bird each, of thirty invented species, drawn when asked for.

    Picture i shows species i mod 30, so every run of 30 pictures holds each species once. Pose, size,
    place, light, background and what stands in front are drawn from (seed, split, i) and do not
    depend on the species or on the size in pixels. The same arguments give the same bytes on every
    platform.

    Parameters
    ----------
    split : {"train", "validation", "test"}
        Splits draw from different random streams, so they are disjoint.
    size : int
        Side of the pictures in pixels, 32 to 1024.
    seed : int
        Another seed gives other pictures of the same species.
    length : int, optional
        How many pictures; 9000, 900 and 1500 for the three splits by default.

    Raises
    ------
    ValueError
        For an unknown split, a size out of range or a negative seed.

    Examples
    --------
    >>> birds = SyntheticBirds("test", size=64)
    >>> image, label, group, name = birds[31]
    >>> image.shape, birds.class_names[label], name
    (torch.Size([3, 64, 64]), 'Rust-crowned Finch', 'test-000031')
    >>> parts, box, _ = birds.annotations(31)
    >>> parts["crown"].shape, bool(parts["crown"].any())
    ((64, 64), True)

    The same scene with another species differs only at the parts that set the two apart:

    >>> plain = birds.picture(31, species="Ash-crowned Finch")
    >>> changed = (plain != birds.picture(31)).any(axis=2)
    >>> bool((changed & parts["crown"]).sum() > 0.9 * parts["crown"].sum())
    True
    """

    name = "birds"

    def labels(self, index):
        """The species shown, a tuple of one label."""
        return (self._checked(index) % len(SPECIES),)

    def scene(self, index):
        """The `Scene` of a picture: all but the species."""
        return sample_scene(*self._entropy(self._checked(index)))

    def picture(self, index, species=None):
        """The picture as uint8 array (H, W, 3), with its own species or another one in the same scene.

        `species` is a label, a name or a `Species`; an unknown one raises ValueError.
        """
        index = self._checked(index)
        labels = self.labels(index) if species is None else (species_index(species),)
        return self._render(index, labels)[0]

    def annotations(self, index):
        """The masks of the parts, the box and the label (`Annotations`) of the bird in a picture."""
        return self._annotations(index)[0]


class BirdScenes(_Drawn):
    """Pictures of two birds of different species, each in a half of the picture.

    The label of an example is that of its first bird, which is species i mod 30; the second is any
    other species, and either may sit on the left. Parameters, determinism and errors are those of
    `SyntheticBirds`.

    Examples
    --------
    >>> scenes = BirdScenes("test", size=64, length=60)
    >>> first, second = scenes.annotations(7)
    >>> scenes.labels(7) == (first.label, second.label), first.label != second.label
    (True, True)
    >>> scenes[7].label == first.label
    True
    """

    name = "bird-scenes"
    key = 1

    def labels(self, index):
        """The species of the two birds, a tuple of two different labels."""
        index = self._checked(index)
        first, kinds = index % len(SPECIES), len(SPECIES)
        # steps through the other species so that every 30 · 29 pictures hold every ordered pair once
        return first, (first + 1 + (index // kinds + 11 * first) % (kinds - 1)) % kinds

    def scene(self, index):
        """The `Scene` of a picture: all but the species."""
        return sample_pair(*self._entropy(self._checked(index)))

    def picture(self, index):
        """The picture as uint8 array (H, W, 3)."""
        index = self._checked(index)
        return self._render(index, self.labels(index))[0]

    def annotations(self, index):
        """The annotations of both birds, the labelled one first."""
        return self._annotations(index)

    def objects(self, index):
        """Species and region of both birds, the labelled one first; the region is a bird's box, boolean (H, W)."""
        return [(bird.label, _filled(bird.box, self.size)) for bird in self.annotations(index)]


def _filled(box, size):
    x0, y0, x1, y1 = box
    region = torch.zeros(size, size, dtype=torch.bool)
    region[y0:y1, x0:x1] = True
    return region
