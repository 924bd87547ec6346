"""The pictures of the page Explore are of the kinds that their captions say."""

import pytest

from contrastlib import datasets, models
from contrastlib.report.figures import explore


@pytest.fixture(scope="module")
def birds():
    return explore.DrawnBirds("birds_resnet", 60)


def test_kinds(birds):
    images, network = datasets.load("birds", split="test", size=128), models.load("birds_resnet")
    one, several, sure, mistaken = birds.kinds.values()
    assert (
        one
        and sure
        and all(len(each.apart) == 1 for each in one)
        and all(len(each.apart) > 2 for each in several)
    )
    for found in [*one, *several, *sure, *mistaken]:
        top = network(images[found.index].image[None])[0].softmax(0).topk(2)
        assert found.classes == tuple(top.indices.tolist())
        assert found.probabilities == pytest.approx(top.values.tolist(), abs=1e-4)
    assert all(
        each.probabilities[1] > 0.25 and images[each.index].label in each.classes for each in one + several
    )
    assert all(each.probabilities[0] > 0.999 for each in sure) and not any(each.right for each in mistaken)


def test_pictures_have_captions_and_counts(birds):
    pictures = birds.pictures()
    single = sum(map(len, birds.kinds.values()))
    assert len(pictures) == single + min(len(birds.scenes), explore.SCENES)
    part = birds.kinds[explore.ONE][0].apart[0]
    assert pictures[0].caption.startswith(f"{explore.ONE} ({part}): a ")
    assert f"{explore.ONE}: {len(birds.kinds[explore.ONE])}." in birds.in_words()


def test_scenes_are_those_whose_birds_are_found(birds):
    scenes, network = datasets.load("bird-scenes", split="test", size=128), models.load("birds_resnet")
    for index in birds.scenes:
        assert set(network(scenes[index].image[None]).topk(2).indices[0].tolist()) == set(
            scenes.labels(index)
        )
    assert f"Over the {len(birds.scenes)} of the first 60 scenes" in birds.red_in_boxes()


def test_pictures_of_sets():
    drawn, photo = explore.pictures_of("birds", [31])[0], explore.pictures_of("photographs", [0])[0]
    assert drawn.shown([]).shape == (3, 256, 256) and "'birds', split='test'" in drawn.code
    assert photo.truth == "tabby" and photo.caption == "tabby (image 0 of photographs of scikit-image)."


def test_files_that_are_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("CONTRASTLIB_DATA", str(tmp_path))
    shown = []
    monkeypatch.setattr(explore, "display", shown.append)
    explore.bird_photographs(1, 5)
    explore.imagenet_photographs(1, 5)
    assert ["not part of this build" in each.data for each in shown] == [True, True]
