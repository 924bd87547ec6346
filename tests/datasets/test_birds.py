"""The drawn birds: what they promise about species, pictures, annotations and determinism."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from contrastlib.datasets.base import Example, ImageSet
from contrastlib.datasets.birds import (
    PARTS,
    SPECIES,
    BirdScenes,
    SyntheticBirds,
    differing_parts,
    species_index,
)
from contrastlib.datasets.birds.raster import coverage, soften

GOLDEN = "8d26043037e9ac26bffc1ad7ba13da1b4bed0e315eb0e93843b5b6cdacb6d38e"


def digest():
    """Checksum of pictures and masks of both sets, at two sizes."""
    content = hashlib.sha256()
    for size in (48, 128):
        for images in (SyntheticBirds("test", size), BirdScenes("train", size, seed=5)):
            for index in range(0, 60, 7):
                content.update(images.picture(index).tobytes())
                notes = images.annotations(index)
                for note in notes if isinstance(images, BirdScenes) else (notes,):
                    content.update(repr((sorted(note.parts), note.box, note.label)).encode())
                    for part in sorted(note.parts):
                        content.update(np.packbits(note.parts[part]).tobytes())
    return content.hexdigest()


@pytest.mark.slow
def test_two_processes_give_the_golden_bytes():
    code = "import test_birds; print(test_birds.digest())"
    command = [sys.executable, "-c", code]
    here = Path(__file__).parent
    other = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digest() == GOLDEN


def test_catalogue():
    assert len(SPECIES) >= 24 and len(PARTS) >= 8
    assert len({each.name for each in SPECIES}) == len(SPECIES)
    assert len({tuple(each.traits.values()) for each in SPECIES}) == len(SPECIES)
    assert all(tuple(each.traits) == PARTS for each in SPECIES)
    differences = [len(differing_parts(a, b)) for a in range(len(SPECIES)) for b in range(a)]
    assert min(differences) == 1 and max(differences) >= 10
    assert differences.count(1) >= 20


def test_species_are_found_by_label_name_and_record():
    assert species_index(4) == species_index(SPECIES[4].name) == species_index(SPECIES[4]) == 4
    with pytest.raises(ValueError, match="Ash-crowned Finch"):
        species_index("Dodo")
    with pytest.raises(ValueError, match="0 .. 29"):
        species_index(30)


def test_examples_follow_the_contract():
    birds = SyntheticBirds("validation", 64)
    assert isinstance(birds, ImageSet) and birds.name == "birds"
    example = birds[33]
    assert isinstance(example, Example)
    assert example.image.shape == (3, 64, 64) and example.image.dtype == torch.float32
    assert 0 <= float(example.image.min()) and float(example.image.max()) <= 1
    assert torch.equal(
        (example.image * 255).round().byte().permute(1, 2, 0), torch.from_numpy(birds.picture(33))
    )
    assert (example.label, example.group) == (3, 33)
    assert torch.equal(birds[-1].image, birds[len(birds) - 1].image)
    with pytest.raises(IndexError):
        birds[len(birds)]
    assert sum(1 for _ in SyntheticBirds("test", 32, length=5)) == 5


def test_labels_are_balanced():
    birds = SyntheticBirds("train", length=300)
    assert (np.bincount([birds.labels(i)[0] for i in range(300)]) == 10).all()
    scenes = BirdScenes("train", length=30 * 29)
    pairs = [scenes.labels(i) for i in range(len(scenes))]
    assert len(set(pairs)) == 30 * 29
    assert all(first != second for first, second in pairs)


@pytest.mark.slow
def test_splits_and_seeds_share_no_picture():
    pictures = [
        SyntheticBirds(split, 32, seed=seed).picture(index).tobytes()
        for split in ("train", "validation", "test") for seed in (0, 1) for index in range(30)
    ]  # fmt: skip
    assert len(set(pictures)) == len(pictures)
    names = {SyntheticBirds(split, 32, seed=seed).checksum for split in ("train", "test") for seed in (0, 1)}
    assert len(names) == 4


@pytest.mark.parametrize("index", range(0, 90, 3))
def test_masks_are_disjoint_and_fill_the_box(index):
    birds = SyntheticBirds("test", 128)
    parts, (x0, y0, x1, y1), label = birds.annotations(index)
    assert label == birds[index].label
    total = sum(mask.astype(int) for mask in parts.values())
    assert total.max() == 1
    ys, xs = np.nonzero(total)
    assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == (x0, y0, x1, y1)
    assert len(parts) >= 6 and total.sum() > 200


def test_every_part_is_seen_and_most_are_in_most_pictures():
    birds = SyntheticBirds("test", 96)
    seen = [set(birds.annotations(index).parts) for index in range(60)]
    for part in PARTS:
        wearers = [
            names
            for index, names in enumerate(seen)
            if part != "crest" or SPECIES[index % 30].traits["crest"]
        ]
        assert sum(part in names for names in wearers) > 0.75 * len(wearers), part


ONE_PART_PAIRS = [(a, b) for a in range(30) for b in range(a) if len(differing_parts(a, b)) == 1]


@pytest.mark.parametrize("pair", ONE_PART_PAIRS)
def test_species_that_differ_in_one_part_look_different_only_there(pair):
    (part,) = differing_parts(*pair)
    found = 0
    for index in range(8):
        birds = SyntheticBirds("test", 128)
        one, other = (birds.picture(index, species=label).astype(float) for label in pair)
        change = np.abs(one - other).sum(axis=2)
        masks = [_masks(birds, index, label).get(part, np.zeros((128, 128), bool)) for label in pair]
        near = soften((masks[0] | masks[1]).astype(np.float32), 2) > 0
        assert change[~near].sum() <= 0.04 * change.sum()  # seams: pixels that parts share
        found += int((change > 0).sum() > 8)
    assert found >= 4


def _masks(birds, index, label):
    from contrastlib.datasets.birds.sets import _read

    return _read(birds.scene(index).render([SPECIES[label]], birds.size)[1], 0, label).parts


def test_leaves_in_front_are_taken_off_the_masks():
    birds = SyntheticBirds("test", 96)
    hidden = 0
    for index in range(30):
        scene = birds.scene(index)
        kinds = [SPECIES[birds.labels(index)[0]]]
        bare = type(scene)(scene.backdrop, scene.background, scene.birds, [], scene.light)
        _, whole = bare.render(kinds, 96)
        _, visible = scene.render(kinds, 96)
        assert ((visible == whole) | (visible == 0)).all()
        hidden += int((whole > 0).sum() - (visible > 0).sum())
        if not scene.foreground:
            assert (visible == whole).all()
    assert hidden > 1000


def test_a_picture_that_is_changed_in_place_is_drawn_as_before():
    birds = SyntheticBirds("test")
    before, mask = birds.picture(7).copy(), birds.annotations(7).parts["breast"].copy()
    birds.picture(7)[:] = 0
    birds.annotations(7).parts["breast"][:] = False
    assert (birds.picture(7) == before).all() and before.any()
    assert (birds.annotations(7).parts["breast"] == mask).all() and mask.any()
    assert (SyntheticBirds("test", seed=1).picture(7) != before).any()
    assert (birds.picture(7, species=3) != before).any()


@pytest.mark.parametrize("size", [32, 64, 256])
def test_a_scene_is_the_same_at_every_size(size):
    large = SyntheticBirds("test", 128)
    other = SyntheticBirds("test", size)
    step = min(size, 64)
    for index in range(4):
        one, two = (_reduced(images.picture(index), step) for images in (large, other))
        assert np.abs(one - two).mean() < 3 + 128 / size
        boxes = np.array([np.array(images.annotations(index).box) / images.size for images in (large, other)])
        assert np.abs(boxes[0] - boxes[1]).max() <= 4 / min(
            size, 128
        )  # legs thinner than half a pixel own none


def _reduced(picture, step):
    block = len(picture) // step
    return picture.reshape(step, block, step, block, 3).mean((1, 3))


def test_objects_of_a_scene_fill_the_birds_boxes():
    scenes = BirdScenes("test", 64, length=5)
    for index in range(5):
        for (label, region), bird in zip(scenes.objects(index), scenes.annotations(index)):
            x0, y0, x1, y1 = bird.box
            assert label == bird.label and region.shape == (64, 64)
            assert region[y0:y1, x0:x1].all() and region.sum() == (x1 - x0) * (y1 - y0)


def test_two_birds_in_a_scene():
    scenes = BirdScenes("test", 96, length=40)
    lefts = []
    for index in range(40):
        first, second = scenes.annotations(index)
        assert (first.label, second.label) == scenes.labels(index)
        for part in set(first.parts) & set(second.parts):
            assert not (first.parts[part] & second.parts[part]).any()
        centres = [(each.box[0] + each.box[2]) / 2 for each in (first, second)]
        assert abs(centres[0] - centres[1]) > 20
        lefts.append(centres[0] < centres[1])
    assert 8 < sum(lefts) < 32


@pytest.mark.parametrize(
    ("options", "remedy"),
    [({"split": "dev"}, "train, validation, test"), ({"size": 16}, "32"), ({"seed": -1}, "negative")],
)
def test_bad_arguments_say_what_is_allowed(options, remedy):
    with pytest.raises(ValueError, match=remedy):
        SyntheticBirds(**options)


@pytest.mark.parametrize(("sides", "angle"), [((0.3, 0.2), 0.0), ((0.31, 0.17), 0.4), ((0.11, 0.4), 1.3)])
def test_coverage_is_the_area(sides, angle):
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * sides
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    polygon = corners @ turn + 0.5
    for each in (polygon, polygon[::-1]):
        area = coverage(each, 64, (0, 64, 0, 64)).sum() / 64**2
        assert area == pytest.approx(4 * sides[0] * sides[1], abs=2e-3)


def test_coverage_is_cut_at_the_box():
    polygon = np.array([(-0.5, -0.5), (1.5, -0.5), (1.5, 1.5), (-0.5, 1.5)])
    assert (coverage(polygon, 8, (2, 6, 1, 8)) == 1).all()


@pytest.mark.parametrize("make", [SyntheticBirds, BirdScenes])
def test_a_sample_holds_all_species_alike(make):
    birds = make("test", size=32)
    for count in (60, 90, 300):
        labels = [birds.labels(i)[0] for i in birds.sample(count)]
        assert np.bincount(labels, minlength=len(SPECIES)).tolist() == [count // len(SPECIES)] * len(SPECIES)
    assert birds.sample(None) == birds.sample(10**6) == list(range(len(birds)))
