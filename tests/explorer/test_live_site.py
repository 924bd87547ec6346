"""The folder of live networks: its files, and what is said if one cannot be written."""

import copy
import json
import re

import pytest
from torch import nn
from torchvision.transforms import InterpolationMode

from contrastlib import models
from contrastlib.assets.writing import CannotWrite
from contrastlib.explorer import bird
from contrastlib.explorer.live import Shown, site
from contrastlib.explorer.ranking import NoRanking


@pytest.fixture
def runtime(tmp_path):
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in site.RUNTIME.values():
        (folder / name).write_bytes(b"runtime")
    return folder


def test_scripts_and_runtime(tmp_path, runtime):
    assert site.write(tmp_path / "live", runtime, []) == site.read_headers(tmp_path / "live") == {}
    made = {path.relative_to(tmp_path / "live").as_posix() for path in (tmp_path / "live").rglob("*.*")}
    assert {
        *site.RUNTIME.values(),
        "index.html",
        "live.json",
        "onnxruntime-web.LICENSE.txt",
        "code/elements.js",
        "code/live/main.js",
        "code/live/worker.js",
        "code/live/live.css",
    } <= made


def test_a_folder_that_cannot_be_made(tmp_path, runtime):
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite, match="live.* cannot be written"):
        site.write(tmp_path / "file" / "live", runtime, [])


def test_a_file_that_cannot_be_written(tmp_path, runtime):
    (tmp_path / "live" / "code" / "live" / "main.js").mkdir(parents=True)
    with pytest.raises(CannotWrite, match=r"main\.js cannot be written: Is a directory"):
        site.write(tmp_path / "live", runtime, [])


@pytest.mark.slow
def test_a_network_that_is_shown_twice(tmp_path, runtime):
    """Each element has its own name and picture, and both use one file."""
    found = site.write(
        tmp_path / "live", runtime, [Shown("birds_vgg", bird(31)), Shown("birds_vgg", bird(4))]
    )
    assert list(found) == ["live", "live-birds_vgg"] == [data["name"] for data in found.values()]
    assert found["live"]["picture"]["title"] != found["live-birds_vgg"]["picture"]["title"]
    html = (tmp_path / "live" / "index.html").read_text(encoding="utf-8")
    assert 'id="live"' in html and 'id="live-birds_vgg"' in html
    assert [path.name for path in (tmp_path / "live").glob("*.onnx")] == ["birds_vgg.onnx"]


@pytest.mark.slow
def test_networks_whose_names_end_alike(tmp_path, runtime, monkeypatch):
    """As those that are fine-tuned on one data set: each has a file of its own."""
    load = models.load

    def named(name):
        classifier = load({"resnet/birds": "birds_resnet", "vgg/birds": "birds_vgg"}[name])
        classifier.name = name
        return classifier

    monkeypatch.setattr(models, "load", named)
    found = site.write(
        tmp_path / "live", runtime, [Shown("resnet/birds", bird(31)), Shown("vgg/birds", bird(31))]
    )
    assert len(found) == 2
    made = sorted(path.name for path in (tmp_path / "live").glob("*.onnx"))
    assert made == ["resnet-birds.onnx", "vgg-birds.onnx"]
    named = [re.findall(r"[\w-]+\.onnx", json.dumps(data)) for data in found.values()]
    assert [set(each) for each in named] == [{made[0]}, {made[1]}]


def own(name, classes=4, interpolation=InterpolationMode.BICUBIC):
    """A small network with random weights."""
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, classes),
    )
    return models.Classifier(
        network,
        name=name,
        class_names=[f"class {i}" for i in range(classes)],
        layer="network.1",
        input_size=64,
        checksum="none",
        interpolation=interpolation,
    )


@pytest.mark.slow
def test_a_classifier_of_the_reader(tmp_path, runtime):
    """Its interpolation is told, its name is written in ASCII, and no code claims to load it."""
    network = own("naïve", interpolation=InterpolationMode.BILINEAR)
    found = site.write(tmp_path / "live", runtime, [Shown(network, bird(31))] * 2)
    assert list(found) == ["live", "live-na-ve"]
    told = found["live-na-ve"]["network"]
    assert told["interpolation"] == "bilinear"
    assert told["code"] == "# network: your own classifier, naïve"
    assert told["files"]["network"].startswith("na-ve.onnx?")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["same", "sa/me"])
def test_different_networks_with_one_file(tmp_path, runtime, name):
    shown = [Shown(own("sa-me" if name == "sa/me" else name), bird(31)), Shown(own(name), bird(31))]
    with pytest.raises(ValueError, match=r"written to sa-?me\.onnx: name them differently"):
        site.write(tmp_path / "live", runtime, shown)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("class_names", ["owl"]),
        ("layer", "network.0"),
        ("input_size", 32),
        ("resize", 96),
        ("interpolation", InterpolationMode.BILINEAR),
    ],
)
def test_a_network_that_differs_in_what_a_page_tells_is_another_one(attribute, value):
    first = own("same")
    second = copy.deepcopy(first)
    assert site._same(first, second)
    setattr(second, attribute, value)
    assert not site._same(first, second)


@pytest.mark.slow
def test_a_network_with_one_logit(tmp_path, runtime):
    with pytest.raises(NoRanking, match="at least two classes"):
        site.write(tmp_path / "live", runtime, [Shown(own("one", classes=1), bird(31))])


def test_an_interpolation_that_no_page_has(tmp_path, runtime):
    with pytest.raises(ValueError, match="by nearest interpolation, and a page only by bicubic or bilinear"):
        site.write(
            tmp_path / "live",
            runtime,
            [Shown(own("near", interpolation=InterpolationMode.NEAREST), bird(31))],
        )
