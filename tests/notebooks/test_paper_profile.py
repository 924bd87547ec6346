"""The profile of the papers' scale: names that exist, and the papers' own numbers."""

import numpy as np
import pytest

from contrastlib import assets, datasets, models
from contrastlib.datasets.sources import papers
from contrastlib.models import torchvision_hub
from contrastlib.report.notebooks import execution

PROFILE = execution.profile("paper")
STUDIED = [
    (stem, name, dataset, options[0] if options else {})
    for stem, values in PROFILE.items() for chosen in values.values() if isinstance(chosen, dict)
    for name, (dataset, _, *options) in chosen.items()
]  # fmt: skip
SCORING = {options["scoring_model"] for *_, options in STUDIED if "scoring_model" in options}
NETWORKS = sorted({name for _, name, _, _ in STUDIED} | SCORING)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_exist(name, tmp_path, monkeypatch):
    """A network of torchvision, or one that is missing here but known."""
    monkeypatch.setenv("CONTRASTLIB_DATA", str(tmp_path))
    if name.startswith(torchvision_hub.PREFIX):
        assert name in torchvision_hub.names()
        return
    with pytest.raises(assets.MissingFile, match=f"of the network {name}"):
        models.load(name)


def test_networks_meet_the_images_they_are_for():
    assert STUDIED
    for _, name, dataset, options in STUDIED:
        of_imagenet = name.startswith(torchvision_hub.PREFIX)
        assert dataset in datasets.DATASETS
        if not (of_imagenet and dataset == "zebra-elephant"):  # that archive is no set of the papers' sources
            assert dataset in papers() and dataset == (
                "imagenet-val" if of_imagenet else name.partition("/")[2]
            )
        assert options.get("scoring_model", name).partition("/")[2] == name.partition("/")[2]


def test_numbers_of_the_papers():
    assert len(PROFILE["02_input_space"]["networks"]) == 9
    assert PROFILE["02_input_space"]["epsilons"] == [1e-3, 3e-3]
    fine_grained = {"cub200", "fgvc-aircraft", "food101", "flowers102", "stanford-cars"}
    assert set(PROFILE["04_masking"]["networks"]) == {
        f"{name}/{s}" for name in ("vgg16_bn", "alexnet") for s in fine_grained
    }
    _, images, options = PROFILE["07_dominance"]["slopes_of"]["torchvision/vgg16"]
    ends, step = options["ends"], options["step"]
    assert images == 1000 and len(np.unique(np.r_[:ends, ends:1000:step, 1000 - ends : 1000])) == 145
    assert all(count is None for _, count in PROFILE["19_pointing"]["boxed"].values()), (
        "the pointing game takes all images"
    )
    *_, last = PROFILE["03_maps"]["networks"]["vgg16_bn/cub200"][2]["layers"]
    assert last == "network.features.40"
