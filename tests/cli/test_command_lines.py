"""Command lines of all kinds: each ends in a result or in one line on what is wrong, never in a traceback."""

import os
import re

import pytest
import torch
from PIL import Image
from torch import nn

from contrastlib import models
from contrastlib.__main__ import main
from contrastlib.cli import run as run_command
from contrastlib.datasets.birds import SyntheticBirds
from contrastlib.training import from_scratch

LONG = "a" * 400


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with pictures and what is no picture, and a network called tiny. No notebook is executed."""
    Image.fromarray(SyntheticBirds("test", size=64).picture(0)).save(tmp_path / "bird.png")
    (tmp_path / "note.txt").write_text("no picture")
    (tmp_path / "köttbullar 🐦.png").write_bytes((tmp_path / "bird.png").read_bytes())
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling.png").symlink_to("nowhere.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "taken").write_text("a file")
    os.mkfifo(tmp_path / "pipe.png")
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(54, 3)
    )
    tiny = models.Classifier(
        network,
        name="tiny",
        class_names=["owl", "wren", "ibis"],
        layer="network.1",
        input_size=32,
        checksum="none",
    )
    load = models.load
    monkeypatch.setattr(models, "load", lambda name: tiny if name == "tiny" else load(name))
    monkeypatch.setattr(run_command, "_update", lambda plan, arguments: None)
    monkeypatch.setattr(from_scratch, "train", lambda *_: pytest.fail("it began"))
    monkeypatch.setattr(from_scratch, "render", lambda *_: pytest.fail("it began"))
    monkeypatch.setenv("CONTRASTLIB_DATA", str(tmp_path / "downloads"))
    monkeypatch.delenv("CONTRASTLIB_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def outcome(words, capsys):
    """Exit status and what was printed to standard error, without the usage that argparse prints first."""
    try:
        status = main(words)
    except SystemExit as end:
        status = end.code
    captured = capsys.readouterr()
    assert "Traceback" not in captured.out + captured.err
    error = re.sub(r"(?m)\Ausage: .*\n( .*\n)*", "", captured.err)
    assert status in (0, 1, 2, 130) and (error == "") == (status == 0)
    if status:
        assert error.startswith("contrastlib") and error.count("\n") == 1 and "bug" not in error
    return status, error


EXPLAIN = [
    ([], None),
    (["--top", "999999999"], None),
    (["--top", "0"], "not a positive whole number"),
    (["--top", "-1"], "not a positive whole number"),
    (["--top", "nan"], "not a positive whole number"),
    (["--top", "9" * 5000], "too large"),
    (["--top", "99999999999999999999"], "too large"),
    (["--top", ""], "not a positive whole number"),
    (["--top", "3", "--top", "1"], None),
    (["--method", ""], "argument --method: the name is empty"),
    (["--method", " "], "argument --method: the name is empty"),
    (["--contrast", ""], "argument --contrast: the name is empty"),
    (["--network", ""], "argument --network: the name is empty"),
    (["--target", ""], "argument --target: the name is empty"),
    (["--layer", ""], "argument --layer: the name is empty"),
    (["--foil", ""], "argument --foil: the name is empty"),
    (["--foil", "owl", ""], "argument --foil: the name is empty"),
    (["-o", ""], "the path is empty"),
    (["--top", "a\nb"], r"'a\\nb' is not a positive whole number"),
    (["-o", "/"], "/ is a folder: name a file with -o"),
    (["-o", "."], ". is a folder: name a file with -o"),
    (["--method", LONG], "unknown method"),
    (["--method", "☃"], "unknown method '☃'"),
    (["--method", "gradcam", "--method", "gradient"], None),
    (["--network", LONG], "unknown network"),
    (["--network", "torchvision/"], "unknown network 'torchvision/'"),
    (["--network", "/"], "unknown network '/'"),
    (["--network", "a/b/c"], "unknown network 'a/b/c'"),
    (["--network", "vgg16_bn/cub200"], "cub200.safetensors, of the network vgg16_bn/cub200, is not there"),
    (["--network", "../../etc/passwd"], "unknown network"),
    (["--target", "1e3"], "no class is called '1e3'"),
    (["--target", "-1"], "-1 is not a class"),
    (["--target", "nan"], "no class is called 'nan'"),
    (["--target", "9" * 5000], "is not a class"),
    (["--target", "٣"], "is not a class"),
    (["--target", "²"], "no class is called"),
    (["--target", "owl", "--foil", "wren", "wren", "--foil", "1"], None),
    (["--foil", "owl", "wren", "ibis"], "the target is among its own foils"),
    (["--layer", "network.99"], "no layer 'network.99'"),
    (["--layer", "network"], "not .B, K, h, w."),
    (["-o", "why.pgf"], "why.pgf cannot be written: give a name that ends in"),
    (["-o", "why.doc"], "why.doc cannot be written: give a name that ends in"),
    (["-o", "folder"], "folder is a folder: name a file with -o"),
    (["-o", "folder/"], "folder is a folder: name a file with -o"),
    (["-o", "taken/why.png"], "there is no folder taken"),
    (["-o", "dangling.png"], None),  # a link to nowhere.png, which is made
    (["-o", "loop.png"], None),  # the same
    (["-o", f"{LONG}.png"], "File name too long"),
    (["-o", "~nosuchuser/why.png"], "there is no folder ~nosuchuser"),
    (["-o", "ü ñ.svg"], None),
    (["-o", "pipe.png"], None),  # replaced, as any file
    (["-o", "why.PDF"], None),
    (["--nonsense"], "unrecognized arguments: --nonsense"),
    (["--top"], "expected one argument"),
]
PHOTOS = [
    ("köttbullar 🐦.png", None),
    ("", "the path is empty"),
    (" ", "the path is empty"),
    ("absent.jpg", "there is no file absent.jpg"),
    (".", "is a folder"),
    ("folder", "folder is a folder"),
    ("note.txt", "note.txt is not a picture"),
    ("empty.png", "empty.png is not a picture"),
    ("dangling.png", "there is no file dangling.png"),
    ("loop.png", "loop.png"),
    ("pipe.png", "pipe.png is not a file"),
    ("/dev/null", "/dev/null is not a file"),
    ("taken/bird.png", "taken/bird.png"),
    ("~nosuchuser/bird.png", "there is no file ~nosuchuser/bird.png"),
    (f"{LONG}.png", "File name too long"),
    ("a\0b.png", "no path has the character 0"),
    ("bird.png\udcff", "there is no file"),
]
RUN = [
    ([], None),
    (["01_theory", "01", "theory", "01_theory"], None),
    (["99_none"], "no notebook '99_none'"),
    ([""], "the name is empty"),
    ([LONG], "no notebook 'aaa"),
    (["../01_theory"], None),  # a path, of which the name counts
    (["☃"], "no notebook '☃'"),
    (["--profile", "none"], "no profile 'none'; there are paper, quick, real"),
    (["--profile", ""], "the name is empty"),
    (["--profile", LONG], "no profile"),
    (["--profile", "../profiles/quick"], "no profile"),
    (["--profile", "real"], None),
    (["--save", "--profile", "real"], "--save keeps the quick outputs"),
    (["--save", "-p", "steps", "2"], "--save keeps the quick outputs"),
    (["01", "-p", "steps"], "expected 2 arguments"),
    (["01", "-p", "none", "1"], "01_theory has no parameter 'none'"),
    (["01", "-p", "", "1"], "01_theory has no parameter ''"),
    (["01", "-p", "steps", "-1e-3"], None),
    (["01", "-p", "steps", "1", "-p", "steps", "2"], None),
    (["01", "-p", "steps", "None"], None),
    (["01", "-p", "steps", ""], "has no value: write null"),
    (["01", "-p", "steps", "#5"], "has no value: write null"),
    (["01", "-p", "steps", "2024-01-01"], None),
    (["01", "-p", "steps", "!!timestamp 2024-01-01"], "a tag .!. stands before a value"),
    (["01", "-p", "steps", "!!set {a, b}"], "a tag .!. stands before a value"),
    (["01", "-p", "steps", "!!python/object/apply:os.system [ls]"], "a tag .!. stands before a value"),
    (["01", "-p", "steps", "&a [*a]"], "nested too deeply"),
    (["01", "-p", "steps", "[" * 1000], "nested too deeply"),
    (["01", "-p", "steps", "[" * 100 + "]" * 100], "nested too deeply"),
    (
        [
            "01",
            "-p",
            "steps",
            "&a [&b [&c [&d [1,1,1,1,1,1,1,1,1,1]" + ",*d" * 10 + "]" + ",*c" * 10 + "]" + ",*b" * 10 + "]",
        ],
        "more than 10,000 values",
    ),
    (["01", "-p", "steps", "{1: 2}"], "the key 1 is a number"),
    (["01", "-p", "steps", "{[1]: 2}"], "unhashable"),
    (["01", "-p", "steps", "{null: 2}"], "the key None is nothing"),
    (["01", "-p", "steps", "*a"], "undefined alias"),
    (["01", "-p", "steps", "!!int abc"], "is no YAML"),
    (["01", "-p", "steps", "!!bool abc"], "is no YAML"),
    (["01", "-p", "steps", "9" * 5000], "is no YAML"),
    (["01", "-p", "steps", "a\0b"], "is no YAML"),
    (["01", "-p", "steps", "\udcff"], "is no YAML"),
    (["01", "-p", "steps", "1\n...\n2"], "is no YAML"),
    (["12", "-p", "photo", "absent.png"], "-p photo 'absent.png': there is no file .*absent.png"),
    (["12", "-p", "photo", LONG], "there is no file"),
    (["12", "-p", "photo", "~nosuchuser/a.png"], "there is no file"),
    (["12", "-p", "photo", "bird.png"], None),
    (["12", "-p", "photo", "null"], None),
    (["13", "-p", "measurements", "folder"], None),
]
OTHERS = [
    ([], "required: COMMAND"),
    ([""], "invalid choice: ''"),
    (["nonsense"], "invalid choice: 'nonsense'"),
    (["arguments"], "invalid choice: 'arguments'"),  # a module of cli that is no command
    (["data"], None),
    (["data", "fetch"], "required: NAME"),
    (["data", "fetch", ""], "the name is empty"),
    (["data", "fetch", LONG], "unknown file, data set or network"),
    (["data", "fetch", "☃"], "unknown file, data set or network '☃'"),
    (["data", "fetch", "birds", "birds"], None),
    (["data", "fetch", "torchvision/none"], "unknown network 'torchvision/none'"),
    (["data", "fetch", "torchvision/"], "unknown network 'torchvision/'"),
    (["data", "verify", "none"], "unknown file, data set or network 'none'"),
    (["data", "verify", "birds_vgg"], None),
    (["data", "nonsense"], "invalid choice: 'nonsense'"),
    (["train", ""], "the name is empty"),
    (["train", "birds_rnn"], "no small network is called 'birds_rnn'"),
    (["train", LONG], "no small network is called"),
    (["train", "birds_vgg", "--epochs", "0"], "not a positive whole number"),
    (["train", "birds_vgg", "--epochs", "1e3"], "not a positive whole number"),
    (["train", "birds_vgg", "--epochs", "99999999999"], "too large"),
    (["train", "birds_vgg", "--pictures", "nan"], "not a positive whole number"),
    (["train", "birds_vgg", "--seed", "-1"], "not a whole number from 0|expected one argument"),
    (["train", "birds_vgg", "--seed", "0.5"], "not a whole number from 0"),
    (["train", "birds_vgg", "--seed", "99999999999999999999"], "too large"),
    (["train", "birds_vgg", "--output", ""], "the path is empty"),
    (["train", "birds_vgg", "--output", "taken"], "nothing can be written in taken: File exists"),
    (
        ["train", "birds_vgg", "--output", "taken/weights"],
        "nothing can be written in taken/weights: Not a directory",
    ),
    (["train", "birds_vgg", "--output", LONG], "File name too long"),
    (["train", "birds_vgg", "--output", "loop.png"], "nothing can be written in loop.png"),
    (["finetune"], "required: NETWORK, DATASET"),
    (["finetune", "vgg16_bn", ""], "the name is empty"),
    (["finetune", "vgg16_bn", "none"], "unknown data set to fine-tune on 'none'"),
    (["finetune", "none", "cub200"], "unknown network 'torchvision/none'"),
    (["finetune", "vgg16_bn", "cub200", "--rate", "nan"], "nan is not a learning rate"),
    (["finetune", "vgg16_bn", "cub200", "--rate", "0"], "0 is not a learning rate"),
    (["finetune", "vgg16_bn", "cub200", "--rate=-1e-3"], "-1e-3 is not a learning rate"),
    (["finetune", "vgg16_bn", "cub200", "--rate", "inf"], "inf is not a learning rate"),
    (["finetune", "vgg16_bn", "cub200", "--rate", "fast"], "fast is not a learning rate"),
    (["finetune", "vgg16_bn", "cub200", "--momentum", "1.5"], "1.5 is not a momentum"),
    (["finetune", "vgg16_bn", "cub200", "--weight-decay=-1"], "-1 is not a weight decay"),
    (["finetune", "vgg16_bn", "cub200", "--workers=-1"], "not a whole number from 0"),
    (["finetune", "vgg16_bn", "cub200", "--workers", "1000000"], "too many"),
    (["finetune", "vgg16_bn", "cub200", "--precision", ""], "invalid choice: ''"),
    (["finetune", "vgg16_bn", "cub200", "--batch", "0"], "not a positive whole number"),
    (["finetune", "vgg16_bn", "cub200", "--size", "-5"], "not a positive whole number|expected one argument"),
    (["finetune", "vgg16_bn", "cub200", "--output", "taken"], "nothing can be written in taken: File exists"),
    (["live", "page", "--runtime", "nowhere"], "nowhere/ort.wasm.bundle.min.mjs is not there: run `npm ci`"),
    (["live", "page", "--bird=-1"], "not a whole number from 0|expected one argument"),
    (["live", "page", "--network", ""], "the name is empty"),
    (["lab", "--prepare"], None),
    (["lab", "--prepare", "--nonsense"], "unrecognized arguments"),
]


def identified(cases):
    return [
        pytest.param(
            *case, id=f"{index}-{repr(case[0])[:50]}".encode("ascii", "replace").decode().replace("\0", "?")
        )
        for index, case in enumerate(cases)
    ]


def check(words, complaint, capsys):
    status, error = outcome(words, capsys)
    assert (status == 0) == (complaint is None), error
    if complaint:
        assert re.search(complaint, error)


@pytest.mark.parametrize("words, complaint", identified(EXPLAIN))
def test_explain(here, capsys, words, complaint):
    check(["explain", "bird.png", "--network", "tiny", *words], complaint, capsys)


@pytest.mark.parametrize("photo, complaint", identified(PHOTOS))
def test_photos(here, capsys, photo, complaint):
    check(["explain", photo, "--network", "tiny"], complaint, capsys)


@pytest.mark.parametrize("words, complaint", identified(RUN))
def test_run(here, capsys, words, complaint):
    check(["run", *words], complaint, capsys)


@pytest.mark.parametrize("words, complaint", identified(OTHERS))
def test_other_commands(here, capsys, monkeypatch, words, complaint):
    from contrastlib.report.lab import working_copy

    monkeypatch.setattr(working_copy, "prepare", list)
    check(words, complaint, capsys)
