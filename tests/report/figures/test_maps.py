"""What the page on maps says, on tables and images whose answer is known."""

import pandas as pd
import pytest
import torch
from PIL import Image

from contrastlib import models
from contrastlib.datasets.birds import differing_parts
from contrastlib.report.computing import batches
from contrastlib.report.figures import map_images, maps


def cosines(**values):
    """A table of similarities with one network at each value, whose interval is as wide as 0.02."""
    rows = [{"network": name, "method": "gradcam", "contrast": contrast, "mean": value, "low": value - 0.01}
            for name, value in values.items() for contrast in ("original", "weighted")]  # fmt: skip
    return pd.DataFrame(rows)


def energies(**gains):
    """A table of energies: 0.2 of the original map, and that much more of the weighted one."""
    rows = [
        {"network": name, "method": "gradcam", "contrast": contrast, "image": i, "group": i}
        | {"area": 0.1, "energy": energy}
        for name, gain in gains.items()
        for i in (3, 4)
        for contrast, energy in (("original", 0.2), ("weighted", 0.2 + gain))
    ]
    return pd.DataFrame(rows)


def test_split_decisions_are_those_above_the_threshold():
    model, birds = models.load("birds_resnet"), batches.load_dataset("birds", 128)
    found = list(map_images.split_decisions(model, "birds", 0.3, range(30)))
    second = [model(birds[i].image[None]).softmax(1).topk(2).values[0, 1].item() for i in range(30)]
    assert found == [i for i in range(30) if second[i] > 0.3] and 0 < len(found) < 30


def test_no_image_passes():
    said = map_images.top_two("efficientnet_lite0", "photographs", 3, 0.49)
    assert (
        said.data == "No image of photographs of scikit-image passes the threshold with EfficientNet-Lite0."
    )


def test_two_maps_and_one_part():
    """The bird's own species is one of the two, and they differ in the part that is named."""
    model = models.load("birds_vgg")
    bird = map_images.one_part_apart(model, 0.1)
    assert differing_parts(*bird.found.classes[:2]) == (bird.part,)
    assert batches.load_dataset("birds", 128)[bird.index].label in bird.found.classes[:2]
    first, second = bird.found.maps[1]
    cosine = (first * second).sum() / first.norm() / second.norm()
    assert bird.found.cosines["weighted"] == pytest.approx(cosine.item(), abs=1e-5)
    assert 0 < bird.energy["weighted"] < 1 and bird.area < 0.1
    assert bird.part in map_images.part_in_words(bird)


def test_networks_that_reach_the_bound_are_named():
    said = maps.complementary_in_words({"quick": cosines(birds_vgg=-0.945, birds_resnet=-0.5)})
    assert "quick: small VGG, of 2; the means are -0.94 (small VGG) to -0.50 (small ResNet)" in said
    assert "none, of 1" in maps.complementary_in_words({"quick": cosines(birds_resnet=-0.5)})


def test_networks_are_grouped_by_what_they_know():
    said = maps.likeness_in_words({"real": cosines(birds_vgg=0.9, cifar10_resnet20=0.5, birds_resnet=0.8)})
    assert (
        "real, the 30 species that contrastlib draws itself: +0.80 (small ResNet) to +0.90 (small VGG)"
        in said
    )
    assert "real, the 10 classes of CIFAR-10: +0.50 (ResNet-20)" in said


def test_gains_in_words_and_for_the_landing_page():
    truth = energies(birds_vgg=0.012, birds_resnet=-0.05)
    said = maps.parts_in_words(truth, 100)
    assert "+1.2 percentage points" in said and "more than 21.2%" in said
    table = maps.parts_table(truth, 100).data
    assert table.loc[("small ResNet", "GC"), "difference"].startswith("-0.050")
    cat = map_images.TwoMaps(
        torch.zeros(1), torch.ones(2, 2, 3, 3), [1, 2, 3], ["a", "b", "c"], [0.5, 0.3, 0.1]
    )
    values = maps.values_of_cat(cat)
    assert (values["cat_first"], values["cat_p_3"], values["cat_cosine_weighted"]) == (
        "a",
        0.1,
        pytest.approx(1),
    )
    values = maps.values_of_parts(truth)
    assert (
        values["energy_birds_vgg_gradcam_weighted"] == pytest.approx(0.212)
        and values["energy_images_birds_vgg"] == 2
    )
    assert maps.values_of_parts(energies(birds_resnet=0)) == {}


def test_the_answer_is_saved_where_a_book_is_made(tmp_path, monkeypatch):
    found = map_images.TwoMaps(
        torch.rand(1, 3, 8, 8), torch.rand(2, 2, 3, 3), [1, 2, 3], ["a", "b", "c"], [0.5, 0.3, 0.1]
    )
    map_images.save_answer(found)
    monkeypatch.setenv("CONTRASTLIB_PICTURES", str(tmp_path))
    map_images.save_answer(found)
    wide, narrow = (Image.open(tmp_path / name).size for name in ("answer.png", "answer-narrow.png"))
    assert wide[0] > 3 * wide[1] and narrow[0] < narrow[1] and narrow[0] <= 150 * 3.6
