"""Kept results: used again where the same computation would give them, computed anew where it would not."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from contrastlib.datasets.base import ImageSet
from contrastlib.report import studies
from contrastlib.report.computing import batches
from contrastlib.report.results import kept, provenance, storage
from contrastlib.report.studies import execution

COMMITTED = storage.RESULTS / "real"


class Pictures(ImageSet):
    name = "pictures"

    def __init__(self, length, checksum="pictures-1"):
        self.length, self.checksum = length, checksum

    def __len__(self):
        return self.length


def evaluation(model, images, labels, steps=1, seed=0):
    """Never called: the batches are replaced."""


STUDY = studies.Study("counting", evaluation, "nothing", 4)
MODEL = SimpleNamespace(checksum="net-1", input_size=8)


@pytest.fixture
def count(tmp_path, monkeypatch):
    """``count()``: how many images a run at another scale than quick evaluated.

    With "hidden" there are other shards each time.
    """
    evaluated, number = [], iter(range(100))

    def evaluate(function, network, dataset, images, **asked):
        evaluated.extend(images)
        return pd.DataFrame({"image": images, "value": 0.5})

    def call(study=STUDY, images=20, network="net", force=False, **options):
        evaluated.clear()
        table = studies.run(
            study, {network: ["pictures", images]}, "real", force, tmp_path / str(next(number)), **options
        )
        assert len(table) == images
        return len(evaluated)

    monkeypatch.setattr(execution, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(batches, "evaluate", evaluate)
    monkeypatch.setattr(batches, "load_network", lambda name: MODEL)
    monkeypatch.setattr(batches, "load_dataset", lambda name, size, **loading: Pictures(100))
    return call


def test_the_same_again_is_not_computed(count, capsys):
    assert count() == 20 and "kept" not in capsys.readouterr().out
    assert count() == 0
    assert capsys.readouterr().out == "counting of net: the kept real result fits and is not computed again\n"
    assert count(force=True) == 20
    assert count() == 0


@pytest.mark.parametrize(
    "other",
    [
        {"study": replace(STUDY, version=2)},
        {"images": 21},
        {"steps": 2},
        {"seed": 1},
        {"loading": {"resize": "squeeze"}},
    ],
    ids=["version", "sample", "option", "seed", "loading"],
)
def test_what_differs_is_computed(count, other):
    count()
    assert count(**other) == other.get("images", 20)
    assert count(**other) == 0


def test_other_shards_and_batches_ask_the_same(count, monkeypatch):
    count()
    monkeypatch.setattr(batches, "SHARD", 7)
    assert count(study=replace(STUDY, batch=1)) == 0


def test_other_data_and_libraries_are_computed(count, monkeypatch):
    count()
    monkeypatch.setattr(batches, "load_network", lambda name: SimpleNamespace(checksum="net-2", input_size=8))
    assert count() == 20
    monkeypatch.setattr(batches, "load_dataset", lambda name, size: Pictures(100, "pictures-2"))
    assert count() == 20
    installed = provenance.version
    monkeypatch.setattr(provenance, "version", lambda name: "999.0" if name == "scipy" else installed(name))
    assert count() == 20 and count() == 0


def test_each_choice_counts(count, tmp_path):
    study, cache = replace(STUDY, choices={"as published": {}, "finer": {"steps": 2}}), tmp_path / "shards"
    networks = {"net": ["pictures", 10]}
    table = studies.run(study, networks, "real", cache=cache)
    assert table.groupby("choice").size().to_dict() == {"as published": 10, "finer": 10}
    pd.testing.assert_frame_equal(studies.run(study, networks, "real", cache=cache), table, check_dtype=False)
    assert count(replace(study, choices={"as published": {}}), images=10) == 10


def test_a_choice_that_means_something_else_is_computed(count, tmp_path, capsys):
    """The images and settings are the same, but the labels of the rows are not."""

    def is_kept(choices):
        study = replace(STUDY, choices=choices)
        studies.run(study, {"net": ["pictures", 10]}, "real", cache=tmp_path / "shards")
        return "fits and is not computed again" in capsys.readouterr().out

    choices = {"a": {"steps": 2}, "b": {"steps": 3}}
    assert not is_kept(choices) and is_kept(choices)
    assert not is_kept({"a": {"steps": 3}, "b": {"steps": 2}})
    assert not is_kept({"c": {"steps": 3}, "b": {"steps": 2}})


def test_the_batch_counts_where_its_images_belong_together(count):
    study = replace(STUDY, whole_batches=True)
    assert count(study) and not count(study) and count(replace(study, batch=2))


def test_a_damaged_table_is_computed(count, capsys):
    """And said to be damaged. Pages that only read it get an error."""
    count()
    (path,) = (execution.RESULTS / "real").glob("*.parquet")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(
        storage.DamagedResult, match=f"{path} is damaged.*`git checkout -- {path}`.*run again what made it"
    ):
        studies.recorded(STUDY)
    capsys.readouterr()
    assert count() == 20 and f"{path} is damaged, computed again\n" in capsys.readouterr().out
    assert count() == 0 and len(studies.recorded(STUDY)) == 20


SETS = {"imagenet-sample": 1000, "cifar10-test": 10_000}


@pytest.mark.parametrize(
    "study, network, chosen",
    [
        (studies.sign_perturbation, "squeezenet1_1", ["imagenet-sample", None]),
        (
            studies.map_statistics,
            "efficientnet_lite1",
            ["imagenet-sample", 300, {"loading": {"resize": 272, "crop": 240}}],
        ),
        (studies.mean_of_classes, "cifar10_resnet56", ["cifar10-test", 500]),
        (studies.masking_choices, "mobilenet_v2", ["imagenet-sample", None]),
        (
            studies.masking_scored_by_second_network,
            "mobilenet_v2",
            ["imagenet-sample", 300, {"scoring_model": "squeezenet1_1"}],
        ),
        (studies.float32_masking, "cifar10_resnet56", ["cifar10-test", 2000]),
    ],
    ids=lambda each: getattr(each, "name", None),
)
def test_a_committed_table_is_used_again(monkeypatch, study, network, chosen):
    """Of the real profile, on a machine without shards: even without the data, which lend their checksums."""
    made = storage.load(kept.path_of(study.name, network, COMMITTED)).attrs["provenance"]

    def computed(*_, **__):
        raise AssertionError("it is computed again")

    monkeypatch.setattr(execution, "sharded", computed)
    monkeypatch.setattr(
        batches, "load_network", lambda name: SimpleNamespace(checksum=made["data"][name], input_size=224)
    )
    monkeypatch.setattr(
        batches, "load_dataset", lambda name, size, **loading: Pictures(SETS[name], made["data"][name])
    )
    monkeypatch.setattr(provenance, "version", made["libraries"].get)  # those of the environment may be newer
    table = studies.run(study, {network: chosen}, "real")
    assert table.attrs["provenance"]["commit"] == made["commit"] and set(table["network"]) == {network}
    with pytest.raises(AssertionError, match="computed again"):
        studies.run(replace(study, version=study.version + 1), {network: chosen}, "real")
