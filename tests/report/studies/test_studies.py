"""Studies: every image in its place, whatever the batches and shards."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from contrastlib import datasets, models
from contrastlib.assets import registry
from contrastlib.datasets.base import Example, ImageSet
from contrastlib.evaluation import ablation, masking, perturbation, pointing_game
from contrastlib.models.classifier import Classifier
from contrastlib.report import studies
from contrastlib.report.computing import batches
from contrastlib.report.studies import execution, records


class Noise(ImageSet):
    """Two crops each of 70 random photographs, of 7 classes."""

    name, checksum, class_names = "noise", "noise-1", [str(i) for i in range(7)]

    def __len__(self):
        return 140

    def __getitem__(self, index):
        image = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(index))
        return Example(image, index // 20, index // 2, f"{index}.png")


def small_classifier(name):
    torch.manual_seed(len(name))
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 7)
    )
    return Classifier(
        network, name=name, class_names=Noise.class_names, layer="network.1", input_size=16, checksum=name
    )


@pytest.fixture(autouse=True)
def registries(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "load", lambda name, **options: Noise())
    monkeypatch.setattr(models, "load", small_classifier)
    monkeypatch.setattr(execution, "RESULTS", tmp_path / "results")
    for cached in (batches.load_network, batches.load_dataset):
        cached.cache_clear()
    yield
    for cached in (batches.load_network, batches.load_dataset):
        cached.cache_clear()


def of_net(study, count=None, dataset="noise", **options):
    """A study of the network "net"."""
    return studies.run(study, {"net": [dataset, count]}, **options)


OPTIONS = {"iterations": [1, 2], "epsilons": [0.01]}


@pytest.mark.parametrize("name, study", studies.STUDIES.items())
def test_records(name, study):
    assert getattr(studies, name) is study and study.name == name
    assert study.reproduces and study.version >= 1
    with pytest.raises(FrozenInstanceError, match="version"):
        study.version = 0


def test_rows_know_their_image_photograph_and_label(tmp_path):
    table = of_net(studies.sign_perturbation, cache=tmp_path, **OPTIONS)
    assert len(table) == 140 * 4 * 2 and sorted(table["image"].unique()) == list(range(140))
    assert (table["group"] == table["image"] // 2).all() and (table["label"] == table["image"] // 20).all()
    assert table.attrs["provenance"]["shards"] == 3


def test_values_are_those_of_the_evaluation_itself(tmp_path):
    table = of_net(studies.sign_perturbation, cache=tmp_path, **OPTIONS)
    chosen = [3, 77, 139]
    examples = [Noise()[i] for i in chosen]
    direct = perturbation.changes(
        small_classifier("net"),
        torch.stack([e.image for e in examples]),
        torch.tensor([e.label for e in examples]),
        **OPTIONS,
    )
    keys = ["contrast", "epsilon", "iterations", "image"]
    direct = direct.assign(image=np.array(chosen)[direct["image"]]).set_index(keys).sort_index()
    found = table[table["image"].isin(chosen)].set_index(keys).sort_index()
    for column in ("p_t", "y_t", "p_t_before", "y_t_before"):
        np.testing.assert_allclose(found[column], direct[column], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [7, 64])
def test_shards_do_not_change_the_table(tmp_path, monkeypatch, size):
    whole = of_net(studies.sign_perturbation, count=20, cache=tmp_path / "a", **OPTIONS)
    monkeypatch.setattr(batches, "SHARD", size)
    parts = of_net(studies.sign_perturbation, count=20, cache=tmp_path / "b", **OPTIONS)
    whole, parts_in_order = (
        table.sort_values(["image", "contrast", "iterations"], ignore_index=True) for table in (whole, parts)
    )
    pd.testing.assert_frame_equal(whole, parts_in_order, check_exact=False, rtol=1e-4, atol=1e-6)
    assert parts.attrs["provenance"]["shards"] == -(-20 // size)


def test_masking_keeps_the_images_that_pass_the_threshold(tmp_path):
    def table(**options):
        return of_net(
            studies.masking_table,
            count=40,
            cache=tmp_path,
            mask_rules=["by_sign"],
            baselines=["black"],
            methods=["gradcam"],
            **options,
        )

    threshold = table(threshold=0.0)["p_2"].median().item()
    above, below = table(threshold=threshold), table(threshold=threshold, above=False)
    assert (above["p_2"] > threshold).all() and (below["p_2"] <= threshold).all()
    assert set(above["image"]) | set(below["image"]) == set(Noise().sample(40))
    assert not set(above["image"]) & set(below["image"])
    none = table(threshold=1.0)
    assert none.empty and set(none.columns) == set(above.columns)


def test_a_shard_without_images_above_the_threshold_adds_no_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "SHARD", 10)
    options = {"mask_rules": ["by_sign"], "baselines": ["black"], "methods": ["gradcam"]}
    p_2 = of_net(studies.masking_table, count=40, cache=tmp_path, threshold=0.0, **options)["p_2"]
    threshold = np.sort(p_2.unique())[-3].item()
    few = of_net(studies.masking_table, count=40, cache=tmp_path, threshold=threshold, **options)
    assert few["image"].nunique() == 2 and few["image"].dtype.kind == "i"


@pytest.mark.parametrize(
    "study, options",
    [
        (studies.map_statistics, {}),
        (studies.precision_table, {}),
        (studies.dominance_table, {}),
        (studies.mean_of_classes, {"draws": 2}),
        (studies.gradient_norms, {"ends": 1, "step": 3}),
        (studies.three_class_maps, {"threshold": 0.0}),
        (studies.fullgrad_maps, {}),
        (studies.integrated_readings, {"steps": 2}),
        (studies.ablation_table, {"methods": ["random", "clrp1"], "sizes": [3]}),
        (studies.dominated_masking, {"threshold": 1.0, "mask_rules": ["by_sign"], "baselines": ["black"]}),
    ],
)
def test_descriptions(tmp_path, study, options):
    table = of_net(study, count=30, cache=tmp_path, **options)
    assert sorted(table["image"].unique()) == Noise().sample(30)
    assert (table["group"] == table["image"] // 2).all()


@pytest.mark.slow
def test_choices_share_their_images_and_only_photographs_are_resized_otherwise(tmp_path, monkeypatch):
    options = {"count": 30, "cache": tmp_path, "threshold": 0.0, "mask_rules": ["by_sign"]}
    drawn = of_net(studies.masking_choices, **options)
    assert set(drawn["choice"]) == set(records.MASKING_CHOICES)
    published = of_net(studies.masking_table, methods=["gradcam"], baselines=["blur"], **options)
    assert drawn[drawn["choice"] == "as published"].drop(columns="choice").equals(published)

    loaded = []
    monkeypatch.setattr(datasets, "load", lambda name, **options: loaded.append(options) or Noise())
    other = {"squeezed": {"resize": "squeeze"}}
    photographs = replace(registry.datasets()["photographs"], other_resizings=other)
    monkeypatch.setattr(execution, "datasets", lambda: {"photographs": photographs})
    squeezed = of_net(studies.perturbation_choices, dataset="photographs", count=10, cache=tmp_path)
    assert {"resize": "squeeze"} in loaded and set(squeezed["choice"]) == {
        *records.PERTURBATION_CHOICES,
        *other,
    }
    assert (
        squeezed.groupby("choice")["image"].unique().map(sorted).map(tuple) == tuple(Noise().sample(10))
    ).all()


def test_results_of_several_networks_are_kept_and_read_back(tmp_path):
    networks = {"one": ["noise", 10], "another": ["noise", 8, {"iterations": [1]}]}
    made = studies.run(
        studies.sign_perturbation,
        networks,
        profile="real",
        cache=tmp_path,
        epsilons=[0.01],
        contrasts=["weighted"],
    )
    assert made.groupby("network")["image"].nunique().to_dict() == {"one": 10, "another": 8}
    assert set(made.loc[made["network"] == "another", "iterations"]) == {1}
    kept = studies.recorded(studies.sign_perturbation)
    keys = ["network", "image", "iterations"]
    pd.testing.assert_frame_equal(
        kept.sort_values(keys, ignore_index=True), made.sort_values(keys, ignore_index=True)
    )
    assert kept.attrs["provenance"]["shards"] == 2 and kept.attrs["provenance"]["seconds"] > 0


def test_quick_results_are_not_kept(tmp_path):
    studies.run(studies.precision_table, {"one": ["noise", 4]}, cache=tmp_path)
    with pytest.raises(FileNotFoundError, match="no real results of precision_table.*make real"):
        studies.recorded(studies.precision_table)


def test_the_ablation_takes_the_mean_image_of_its_set(tmp_path):
    options = {"methods": ["lrp"], "sizes": [3]}
    table = of_net(studies.ablation_table, count=6, cache=tmp_path, **options)
    pictures = torch.stack([example.image for example in (Noise()[i] for i in range(140))])
    chosen = Noise().sample(6)
    labels = torch.tensor([Noise()[i].label for i in chosen])
    direct = ablation.ablation(small_classifier("net"), pictures[chosen], labels, pictures.mean(0), **options)
    np.testing.assert_allclose(table["y_t"], direct["y_t"], rtol=1e-5)
    assert (table["y_t"] != table["y_t_before"]).all()


def test_only_a_study_of_objects_depends_on_boxes(monkeypatch):
    monkeypatch.setattr(Noise, "annotation_checksum", "boxes-1")
    read = {
        name
        for name, study in studies.STUDIES.items()
        if "boxes of noise" in batches.checksums(study.evaluation, "net", "noise", {})
    }
    assert read == {"pointing", "two_objects"}
    monkeypatch.setattr(Noise, "annotation_checksum", "")
    assert "boxes of noise" not in batches.checksums(studies.pointing.evaluation, "net", "noise", {})


def test_objects_are_those_of_each_image(tmp_path, monkeypatch):
    """Image i has an object where i is even, in its upper rows; batches and shards do not mix them up."""
    region = torch.zeros(16, 16, dtype=torch.bool)
    region[:4] = True
    monkeypatch.setattr(
        Noise, "objects", lambda self, index: [(index % 7, region)] * (index % 2 == 0), raising=False
    )
    monkeypatch.setattr(batches, "SHARD", 10)
    table = of_net(studies.pointing, count=40, cache=tmp_path, methods=["gradient"], thresholds=[0.5])
    chosen = [i for i in Noise().sample(40) if i % 2 == 0]
    assert table["image"].tolist() == chosen
    pixels, labels = torch.stack([Noise()[i].image for i in chosen]), torch.tensor(chosen) % 7
    masks = region.expand(len(chosen), -1, -1)
    expected = pointing_game.pointing_game(
        small_classifier("net"), pixels, labels, masks, ["gradient"], [0.5]
    )
    np.testing.assert_allclose(table["energy"], expected["energy"], rtol=1e-5)


def test_the_same_masking_in_a_study_and_alone(tmp_path):
    options = {
        "mask_rules": ["equal_as_described"],
        "baselines": ["mean"],
        "methods": ["xgradcam"],
        "threshold": 0.0,
    }
    table = of_net(studies.masking_table, count=5, cache=tmp_path, **options)
    chosen = Noise().sample(5)
    direct = masking.relative_probabilities(
        small_classifier("net"), torch.stack([Noise()[i].image for i in chosen]), **options
    )
    np.testing.assert_allclose(table["relative_probability"], direct["relative_probability"], rtol=1e-5)
    assert (table["image"] == np.array(chosen)[direct["image"]]).all()


def test_other_networks_are_loaded_by_their_names_and_recorded(tmp_path):
    others = {"twin": "net", "another": "other net"}
    table = of_net(studies.data_randomisation, count=5, cache=tmp_path, compared_with=others)
    likeness = table.groupby("other", sort=False)["spearman"].mean()
    assert list(likeness.index) == ["twin", "another"] and likeness["twin"] == pytest.approx(1)
    assert likeness["another"] < 0.9
    assert table.attrs["provenance"]["data"].keys() == {"net", "other net", "noise"}
    assert batches.registered("net", "birds_vgg") != batches.registered("net")
    assert batches.other_networks({"scoring_model": "a", "compared_with": {"x": "b"}}) == ["a", "b"]
    assert batches.other_networks({"scoring_model": None}) == []


def test_a_study_that_draws_says_from_which_seed(tmp_path):
    first, again, other = (
        of_net(studies.mean_of_classes, count=6, cache=tmp_path, draws=3, **options)
        for options in ({}, {"seed": 0}, {"seed": 1})
    )
    assert [t.attrs["provenance"]["seed"] for t in (first, again, other)] == [0, 0, 1]
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other) and len(list(tmp_path.iterdir())) == 2
    drawn_nothing = of_net(studies.precision_table, count=6, cache=tmp_path)
    assert drawn_nothing.attrs["provenance"]["seed"] is None


def test_recorded_results_are_added_only_if_there_are_any(tmp_path):
    study, options = studies.sign_perturbation, OPTIONS | {"cache": tmp_path}
    assert studies.measure_or_recall(study, {}, "quick", **options) == {}
    assert list(studies.measure_or_recall(study, {"net": ["noise", 2]}, "quick", **options)) == ["quick"]
    studies.run(study, {"net": ["noise", 4]}, "real", **options)
    found = studies.measure_or_recall(study, {"net": ["noise", 2]}, "quick", **options)
    assert {scale: table["image"].nunique() for scale, table in found.items()} == {"quick": 2, "real": 4}
    assert list(studies.measure_or_recall(study, {}, "quick", **options)) == ["real"]
