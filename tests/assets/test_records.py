"""Entries of a registry file: what is wrong with one is told with the file, the entry and the field."""

import os

import pytest
import yaml

from contrastlib import assets
from contrastlib.assets.records import DataSet, Network, imported, read
from contrastlib.report.lab import working_copy
from contrastlib.report.notebooks import execution

FILE = {"what": "weights", "bytes": 3, "sha256": "0" * 64}
NETWORK = {
    "title": "Toy", "family": "toys", "builder": "toys:make",
    "classes": {"what": "two birds", "names": ["owl", "wren"]},
    "input_size": 8, "source": "here", "licence": "MIT", "made": "by hand",
    "files": {"toy.safetensors": FILE},
}  # fmt: skip
SET = {"title": "Toys", "what": "drawings", "loader": "toys:load", "source": "here", "licence": "MIT"}


def written(tmp_path, **content):
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_an_entry_becomes_a_record(tmp_path):
    found = read(written(tmp_path, networks={"toy": NETWORK}, datasets={"toys": SET}))
    network, images = found["networks"]["toy"], found["datasets"]["toys"]
    assert (
        isinstance(network, Network) and network.name == "toy" and network.classes.listed() == ["owl", "wren"]
    )
    assert isinstance(images, DataSet) and images.name == "toys" and not images.drawn
    file = network.files["toy.safetensors"]
    assert (file.name, file.source, file.made, file.licence, file.needed_by) == (
        "toy.safetensors",
        "here",
        "by hand",
        "MIT",
        ("toy",),
    )
    with pytest.raises(AttributeError):
        network.title = "another"


def test_whole_numbers_are_numbers(tmp_path):
    network = read(written(tmp_path, networks={"toy": NETWORK | {"mean": [0, 0.5, 0], "std": [1, 1, 1]}}))[
        "networks"
    ]["toy"]
    assert network.mean == (0.0, 0.5, 0.0) and {type(each) for each in (*network.mean, *network.std)} == {
        float
    }


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"titel": "Toy"}, "toy: there is no field 'titel'; did you mean title"),
        ({"title": None}, "toy: the field 'title' is missing"),
        ({"input_size": "large"}, "toy: input_size is 'large', and must be of type int"),
        ({"input_size": True}, "toy: input_size is True, and must be of type int"),
        ({"mean": [0.5, "half"]}, "toy: mean is 'half', and must be of type float"),
        ({"mean": [True]}, "toy: mean is True, and must be of type float"),
        ({"preferred": 1}, "toy: preferred is 1, and must be of type bool"),
        ({"layer": 3}, "toy: layer is 3, and must be of type str"),
        ({"classes": "birds"}, "toy: classes: 'birds' must be fields with values"),
        ({"classes": {"what": "birds"}}, "toy: classes: the field 'names' is missing"),
        ({"classes": {"what": "birds", "names": 3}}, "toy: classes: names is 3, and must be of type str"),
        ({"files": None}, "toy: give either files, the weights first, or training"),
        ({"training": {"images": "birds"}}, "toy: give either files, the weights first, or training"),
        (
            {"files": {"toy.safetensors": {"bytes": 3}}},
            "toy: files: toy.safetensors: the field 'what' is missing",
        ),
        (
            {"files": {"toy.safetensors": "weights"}},
            "toy: files: toy.safetensors: 'weights' must be fields with values",
        ),
        ({"arguments": "depth"}, "toy: arguments is 'depth', and must be of type dict"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, complaint):
    entry = {key: value for key, value in {**NETWORK, **change}.items() if value is not None}
    with pytest.raises(ValueError, match=f"own.yaml: {complaint}"):
        read(written(tmp_path, networks={"toy": entry}))


def test_an_unknown_part(tmp_path):
    with pytest.raises(
        ValueError, match="own.yaml: there is a part 'nets'; a registry has networks and datasets"
    ):
        read(written(tmp_path, nets={}))


@pytest.mark.parametrize("path", ["contrastlib.nothing:load", "contrastlib.models:nothing", "not a path"])
def test_an_import_path_that_leads_nowhere(path):
    with pytest.raises(ValueError, match=path.partition(":")[0]):
        imported(path)


def test_a_key_that_is_there_twice(tmp_path):
    (tmp_path / "own.yaml").write_text("networks:\n  toy: {title: Toy, title: Another}\n")
    with pytest.raises(ValueError, match=r"own\.yaml.*'title' is there twice"):
        read(tmp_path / "own.yaml")


def test_files_of_one_name_and_another_content(tmp_path, monkeypatch):
    """The second entry would be given the weights of the first one."""
    paths = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
    for path, digit in zip(paths, "01"):
        entry = NETWORK | {"files": {"toy.safetensors": FILE | {"sha256": digit * 64}}}
        path.write_text(yaml.safe_dump({"networks": {f"toy{digit}": entry}}))
    monkeypatch.setenv("CONTRASTLIB_REGISTRY", os.pathsep.join(map(str, paths)))
    with pytest.raises(ValueError, match=r"toy1 and toy0 have a file toy\.safetensors of another content"):
        assets.files()
    monkeypatch.setenv("CONTRASTLIB_REGISTRY", str(paths[0]))
    assert "toy.safetensors" in assets.files()


def test_paths_for_processes_in_other_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CONTRASTLIB_DATA", "downloads")
    monkeypatch.setenv("CONTRASTLIB_REGISTRY", os.pathsep.join(["own.yaml", "~/other.yaml"]))
    other = str(tmp_path / "home" / "other.yaml")
    assert assets.environment() == {
        "CONTRASTLIB_DATA": str(tmp_path / "downloads"),
        "CONTRASTLIB_REGISTRY": os.pathsep.join([str(tmp_path / "own.yaml"), other]),
    }
    with execution.kernel_environment({}):
        assert os.environ["CONTRASTLIB_REGISTRY"].startswith(str(tmp_path / "own.yaml"))
    assert working_copy.environment(tmp_path)["CONTRASTLIB_DATA"] == str(tmp_path / "downloads")
    monkeypatch.delenv("CONTRASTLIB_REGISTRY")
    assert list(assets.environment()) == ["CONTRASTLIB_DATA"]
