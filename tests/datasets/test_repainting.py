"""Repainted birds: the bytes of a full rendering, for every part, species and background."""

from dataclasses import replace

import numpy as np
import pytest

from contrastlib.datasets.birds import PARTS, SPECIES, BirdScenes, SyntheticBirds, Trait
from contrastlib.datasets.birds import bird as anatomy
from contrastlib.datasets.birds.repainting import (
    BACKGROUND,
    WHOLE_BIRD,
    Repainter,
    other_traits,
    repainted_versions,
)


@pytest.mark.parametrize(("index", "size"), [(3, 128), (40, 64), (87, 112)])
def test_every_trait_of_every_part_is_drawn_as_in_a_full_rendering(index, size):
    birds = SyntheticBirds("validation", size)
    species, scene = SPECIES[index % 30], birds.scene(index)
    painter = Repainter(scene, species, size)
    for part in PARTS:
        for trait in other_traits(part, species.traits[part]):
            whole, _ = scene.render([replace(species, traits=species.traits | {part: trait})], size)
            assert (painter.with_trait(part, trait) == whole).all(), (part, trait)
    for other in SPECIES[::7]:
        assert (painter.as_species(other) == scene.render([other], size)[0]).all()
    assert (painter.as_species(species) == birds.picture(index)).all()
    elsewhere = birds.scene(index + 1)
    changed = scene.with_background_of(elsewhere)
    assert (painter.before(elsewhere) == changed.render([species], size)[0]).all()
    assert (changed.birds, changed.foreground, changed.light) == (scene.birds, scene.foreground, scene.light)
    assert changed.backdrop is elsewhere.backdrop and changed.background[-1] is scene.background[-1]


def test_repainting_a_part_changes_nothing_that_is_far_from_it():
    birds = SyntheticBirds("validation", 128)
    painter, before = Repainter(birds.scene(0), SPECIES[0], 128), birds.picture(0)
    mask = birds.annotations(0).parts["breast"]
    changed = (painter.with_trait("breast", Trait("violet")) != before).any(axis=2)
    ys, xs = np.nonzero(mask)
    near = np.zeros_like(mask)
    near[ys.min() - 8 : ys.max() + 9, xs.min() - 8 : xs.max() + 9] = True
    assert changed[mask].mean() > 0.95 and not changed[~near].any()


def test_the_steps_hold_every_part_once():
    assert sorted(part for step in anatomy.STEPS for part in step) == sorted(PARTS)


def test_other_traits_are_those_of_the_catalogue():
    for part in PARTS:
        own = SPECIES[0].traits[part]
        others = other_traits(part, own)
        assert own not in others and {*others, own} == {species.traits[part] for species in SPECIES}
        assert len(others) == len(set(others)) >= 1


def test_versions_are_nested_and_of_all_that_is_asked():
    birds = SyntheticBirds("validation", 48)
    painter, others = Repainter(birds.scene(5), SPECIES[5], 48), [birds.scene(i) for i in (8, 9, 10)]
    two, three = (
        repainted_versions(painter, ["eye", "crown"], others, n, np.random.default_rng(1)) for n in (2, 3)
    )
    assert list(three) == ["eye", "crown", WHOLE_BIRD, BACKGROUND]
    assert [len(images) for images in three.values()] == [1, 3, 3, 3]
    for part, images in two.items():
        assert all((a == b).all() for a, b in zip(images, three[part]))


def test_what_cannot_be_repainted():
    scenes = BirdScenes("test", 48)
    with pytest.raises(ValueError, match="a scene of one bird can be repainted, and this one has 2"):
        Repainter(scenes.scene(0), SPECIES[0], 48)
    birds = SyntheticBirds("test", 48)
    with pytest.raises(ValueError, match="no part is called 'knee'; the names are: beak"):
        Repainter(birds.scene(0), SPECIES[0], 48).with_trait("knee", None)


def test_a_sample_can_begin_anywhere():
    birds = SyntheticBirds("test", 48, start=1498)
    assert birds.sample(5) == birds.sample(None) == [1498, 1499] and birds.sample(1) == [1498]
    assert (birds.picture(3) == SyntheticBirds("test", 48).picture(3)).all()
    with pytest.raises(ValueError, match="start is 1500: it must be an index of the 1500 images"):
        SyntheticBirds("test", 48, start=1500)
