"""Images that cannot be read: named, and skipped and counted only if asked to."""

import pandas as pd
import pytest
import torch
from torch import nn

from contrastlib import datasets, models
from contrastlib.assets import CorruptFile
from contrastlib.datasets.base import Example, ImageSet
from contrastlib.models.classifier import Classifier
from contrastlib.report import studies
from contrastlib.report.computing import batches
from contrastlib.report.results.provenance import card

CORRUPT = {7, 40}
SETTINGS = {"iterations": [1], "epsilons": [0.01]}


class Album(ImageSet):
    """Random images, some of which are corrupt."""

    name, checksum, class_names = "album", "album-1", ["a", "b", "c"]

    def __init__(self, corrupt=CORRUPT, length=100):
        self.corrupt, self.length = corrupt, length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        if index in self.corrupt:
            raise CorruptFile(f"{index}.png of album cannot be read as an image: broken data stream.")
        image = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(index))
        return Example(image, index % 3, index, f"{index}.png")


@pytest.fixture
def table(tmp_path, monkeypatch):
    """``table(album)``: a study of its images."""

    def classifier(name):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
        )
        return Classifier(
            network, name=name, class_names="abc", layer="network.1", input_size=16, checksum="1"
        )

    def call(album, skip=False):
        batches.load_dataset.cache_clear()
        monkeypatch.setattr(datasets, "load", lambda name, **options: album)
        monkeypatch.setenv(batches.SKIP_UNREADABLE, str(int(skip)))
        return studies.run(studies.sign_perturbation, {"net": ["album", None]}, cache=tmp_path, **SETTINGS)

    monkeypatch.setattr(models, "load", classifier)
    batches.load_network.cache_clear()
    yield call
    batches.load_network.cache_clear()
    batches.load_dataset.cache_clear()


def test_a_corrupt_image_among_many(table, capsys):
    with pytest.raises(CorruptFile, match=r"^7\.png of album cannot be read as an image"):
        table(Album())
    skipping = table(Album(), skip=True)
    assert set(skipping["image"]) == set(range(100)) - CORRUPT
    record = skipping.attrs["provenance"]
    assert [name.split()[0] for name in record["skipped"]] == ["40.png", "7.png"]
    assert card(skipping).loc["images that cannot be read, skipped"].item() == 2
    assert "sign_perturbation: 2 images are skipped:" in capsys.readouterr().err


def test_the_other_images_are_not_affected(table):
    """Each has the same row as in a set without corrupt images, up to the sums of smaller batches."""
    skipping, whole = table(Album(), skip=True), table(Album(corrupt=()))
    keys = ["contrast", "image"]
    whole = whole[~whole["image"].isin(CORRUPT)].sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(skipping.sort_values(keys, ignore_index=True), whole, rtol=1e-4, atol=1e-6)


def test_a_result_without_corrupt_images_says_nothing_of_them(table):
    made = table(Album(corrupt=()))
    assert "skipped" not in made.attrs["provenance"]
    assert "images that cannot be read, skipped" not in card(made).index


def test_no_image_is_left(table):
    with pytest.raises(CorruptFile, match=r"none of 4 images can be read: 0\.png of album"):
        table(Album(corrupt=range(4), length=4), skip=True)
