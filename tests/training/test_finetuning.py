"""Fine-tuning on a small tree like CUB-200: resumed is the same as uninterrupted, files, errors."""

import hashlib
import json
import os
import subprocess
import sys

import pandas as pd
import paper_trees as trees
import pytest
import torch
import torchvision
from accelerate.state import AcceleratorState
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from contrastlib import assets, datasets, models
from contrastlib.__main__ import main
from contrastlib.models import torchvision_hub
from contrastlib.training import finetuning, loop
from contrastlib.training.checkpoint import Checkpoint, CheckpointError
from contrastlib.training.recipe import FineTuningRecipe

RECIPE = FineTuningRecipe(epochs=2, batch=4, rate=0.01, augment=True, size=32)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Data with a small CUB-200, and random weights of squeezenet1_1 in torch's cache."""
    monkeypatch.setenv("CONTRASTLIB_DATA", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    trees.cub(tmp_path, count=14)
    cache = tmp_path / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(torchvision.models.squeezenet1_1().state_dict(), cache / "weights")
    beginning = hashlib.sha256((cache / "weights").read_bytes()).hexdigest()[:8]
    (cache / "weights").rename(cache / f"squeezenet1_1-{beginning}.pth")
    weights = torchvision.models.SqueezeNet1_1_Weights.DEFAULT.value
    monkeypatch.setattr(weights, "url", f"https://example.org/squeezenet1_1-{beginning}.pth")
    return tmp_path


@pytest.fixture
def photographs(root):
    return [datasets.load("cub200", split=split, resize="squeeze", crop=32) for split in ("train", "test")]


def tiny():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(),
        nn.Dropout(0.5), nn.Linear(36, 2),
    )  # fmt: skip


def fit(network, photographs, checkpoint, recipe=RECIPE, workers=0):
    return finetuning.fit(
        loop.devices(recipe, recipe.precision), network, *photographs, recipe, checkpoint, workers
    )


def test_two_precisions_in_one_process():
    loop.devices(RECIPE, "no")
    with pytest.raises(ValueError, match="another precision than bf16.*start a new process"):
        loop.devices(RECIPE, "bf16")


def test_a_run_that_was_killed_resumes_to_the_same_weights(photographs, tmp_path, monkeypatch):
    whole = tiny()
    log = fit(whole, photographs, tmp_path / "whole.checkpoint")

    save = Checkpoint.save

    def save_and_die(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoint, "save", save_and_die)
        fit(tiny(), photographs, tmp_path / "broken.checkpoint")

    torch.manual_seed(99)
    resumed = tiny()
    nn.init.zeros_(resumed[0].weight)
    resumed_log = fit(resumed, photographs, tmp_path / "broken.checkpoint", workers=2)
    for key, weights in whole.state_dict().items():
        assert torch.equal(weights, resumed.state_dict()[key]), key
    pd.testing.assert_frame_equal(log.drop(columns="seconds"), resumed_log.drop(columns="seconds"))
    assert list(log.epoch) == [1, 2]


def test_one_step_is_that_of_plain_sgd(photographs, tmp_path):
    """One epoch of a single batch: gradient, weight decay and rate as torch alone has them."""
    recipe = FineTuningRecipe(epochs=1, batch=64, rate=0.1, weight_decay=0.2, size=32)
    trained, expected = tiny().eval(), tiny().eval()
    trained[5] = expected[5] = nn.Identity()
    log = fit(trained, photographs, tmp_path / "it.checkpoint", recipe)
    images = torch.stack([example.image for example in photographs[0]])
    labels = torch.tensor([example.label for example in photographs[0]])
    expected.train()
    loss = nn.functional.cross_entropy(expected(models.classifier.Normalise()(images)), labels)
    loss.backward()
    for key, weights in expected.named_parameters():
        step = weights - 0.1 * (weights.grad + 0.2 * weights)
        torch.testing.assert_close(trained.get_parameter(key), step, atol=1e-5, rtol=1e-5)
    assert log.train_loss.item() == pytest.approx(loss.item(), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name, first, last", [
    ("alexnet", "features.0", "classifier.6"), ("vgg16_bn", "features.0", "classifier.6"),
    ("vit_b_16", "conv_proj", "heads.head"),
])  # fmt: skip
def test_a_step_of_the_papers_networks(name, first, last, tmp_path, monkeypatch):
    """At their own size; two photographs are one batch. Their checkpoints would be a gigabyte each."""
    monkeypatch.setenv("CONTRASTLIB_DATA", str(tmp_path))
    monkeypatch.setattr(Checkpoint, "save", lambda *_: None)
    trees.cub(tmp_path, count=3)
    photographs = [
        datasets.load("cub200", split=split, resize="squeeze", crop=224) for split in ("train", "test")
    ]
    torch.manual_seed(0)
    network = torchvision.models.get_model(name, weights=None)
    torchvision_hub.replace_head(network, 2)
    before = {layer: network.get_submodule(layer).weight.detach().clone() for layer in (first, last)}
    recipe = FineTuningRecipe(epochs=1, batch=2, rate=0.01)
    log = fit(network, photographs, tmp_path / "none", recipe)
    assert 0.01 < log.train_loss.item() < 10 and not network.training
    for layer, weights in before.items():
        change = (network.get_submodule(layer).weight - weights).abs()
        assert 0 < change.max() < 1 and change.isfinite().all(), layer


def test_mixed_precision_is_near_and_is_used(photographs, tmp_path):
    losses = {}
    for precision in ("no", "bf16"):
        recipe = FineTuningRecipe(epochs=2, batch=5, rate=0.01, size=32, precision=precision)
        network = tiny()
        losses[precision] = fit(network, photographs, tmp_path / f"{precision}.checkpoint", recipe).train_loss
        assert all(weights.dtype == torch.float32 for weights in network.parameters())
        AcceleratorState._reset_state(reset_partial_state=True)
    assert 0 < (losses["no"] - losses["bf16"]).abs().max() < 0.02


def test_views_depend_on_seed_epoch_and_image_alone(photographs):
    views = finetuning.Augmented(photographs[0], RECIPE)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = views[3][0]
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    assert torch.equal(views[3][0], first) and first.shape == (3, 32, 32)
    assert 0 <= first.min() and first.max() <= 1
    other = finetuning.Augmented(photographs[0], FineTuningRecipe(augment=True, size=32, seed=1))
    assert not torch.equal(other[3][0], first)
    views.epoch = 1
    assert not torch.equal(views[3][0], first)
    plain = finetuning.Augmented(photographs[0], FineTuningRecipe(size=32))
    assert torch.equal(plain[3][0], photographs[0][3].image)


@pytest.mark.parametrize(
    "error", [Image.DecompressionBombError("too large"), ValueError("no such mode"), OSError("cut off")]
)
def test_a_photograph_that_no_view_can_be_made_of(photographs, monkeypatch, error):
    def broken(name):
        raise error

    monkeypatch.setattr(photographs[0], "open", broken)
    with pytest.raises(
        assets.CorruptFile, match=f"of cub200 cannot be read as an image: {error}. Replace the file"
    ):
        finetuning.Augmented(photographs[0], RECIPE)[3]


def test_a_checkpoint_of_another_recipe_or_of_other_photographs_is_refused(photographs, tmp_path):
    checkpoint, short = tmp_path / "it.checkpoint", FineTuningRecipe(epochs=1, batch=8, size=32)
    fit(tiny(), photographs, checkpoint, short)
    with pytest.raises(CheckpointError, match=r"written with recipe .*delete it to start again"):
        fit(tiny(), photographs, checkpoint, FineTuningRecipe(epochs=2, batch=8, size=32))
    with pytest.raises(CheckpointError, match="written with images"):
        fit(tiny(), photographs[::-1], checkpoint, short)


def test_divergence_is_an_error(photographs, tmp_path):
    recipe = FineTuningRecipe(epochs=3, batch=4, rate=1e30, size=32)
    with pytest.raises(
        loop.DivergenceError, match="the loss is nan, so training diverged: lower the learning rate"
    ):
        fit(tiny(), photographs, tmp_path / "it.checkpoint", recipe)


OPTIONS = ["--epochs", "2", "--batch", "4", "--size", "40", "--workers", "0"]
COMMAND = ["finetune", "squeezenet1_1", "cub200", *OPTIONS]


def test_the_command_makes_a_network_that_loads(root, capsys):
    assert main([*COMMAND, "--augment"]) == 0
    said = capsys.readouterr().out
    folder = root / "finetuned" / "squeezenet1_1"
    written = {f"cub200.{end}" for end in ("safetensors", "csv", "json")}
    assert {path.name for path in folder.iterdir()} == written
    card = json.loads((folder / "cub200.json").read_text())
    assert card["recipe"]["momentum"] == 0.9
    assert card["libraries"]["torch"] == torch.__version__.partition("+")[0]
    assert (card["train_images"], card["test_images"]) == (10, 4)
    assert card["class_names"] == ["Snow Owl", "Reed Wren"]
    assert list(pd.read_csv(folder / "cub200.csv").epoch) == [1, 2]

    network = models.load("squeezenet1_1/cub200")
    assert (network.layer, network.input_size) == ("network.features.12", 40)
    images = datasets.load("cub200", crop=40)
    with torch.no_grad():
        answers = network(torch.stack([example.image for example in images])).argmax(1)
    right = (answers == torch.tensor([example.label for example in images])).double().mean().item()
    assert card["test"]["accuracy"] == right and f"test accuracy {right:.1%}" in said
    torch.testing.assert_close(network.preprocess(images.open(images.entries[1][0])), images[1].image)

    assert network.checksum == card["sha256"] == assets.sha256(folder / "cub200.safetensors")
    changed = (folder / "cub200.safetensors").stat().st_mtime_ns
    assert main([*COMMAND, "--augment"]) == 0  # finished: nothing is computed again
    assert (folder / "cub200.safetensors").stat().st_mtime_ns == changed
    assert main(COMMAND) == 2
    assert "is there already, made with" in capsys.readouterr().err


@pytest.fixture
def finetuned(root):
    """Weights of squeezenet1_1/cub200 and their card, in the format of the command."""
    folder = root / "finetuned" / "squeezenet1_1"
    folder.mkdir(parents=True)
    weights, network = folder / "cub200.safetensors", torchvision.models.squeezenet1_1(num_classes=2)
    save_file(network.state_dict(), weights)
    about = {
        "class_names": ["a", "b"],
        "recipe": {"size": 32},
        "resize": "squeeze",
        "interpolation": "bicubic",
    }
    weights.with_suffix(".json").write_text(json.dumps(about | {"sha256": assets.sha256(weights)}))
    return weights


def test_a_flipped_bit_in_finetuned_weights(finetuned):
    assert models.load("squeezenet1_1/cub200").class_names == ["a", "b"]
    content = bytearray(finetuned.read_bytes())
    content[-5] ^= 1
    finetuned.write_bytes(content)
    with pytest.raises(
        assets.CorruptFile,
        match="cub200.safetensors has another content: its SHA-256 is not that of its card",
    ):
        models.load("squeezenet1_1/cub200")


@pytest.mark.parametrize(
    "change, says",
    [
        (
            lambda text: text.replace("sha256", "other"),
            'does not have the SHA-256 .* if you know that they are whole, add "sha256": "[0-9a-f]{64}"',
        ),
        (lambda text: text[:20], "cub200.json is not a card of weights: .*train again"),
        (lambda text: "[]", "cub200.json is not a card of weights: it lacks class_names, recipe"),
        (lambda text: text.replace("recipe", "other"), "it lacks recipe"),
        (lambda text: "3", "cub200.json is not a card of weights"),
    ],
)
def test_a_card_that_is_damaged(finetuned, change, says):
    card = finetuned.with_suffix(".json")
    card.write_text(change(card.read_text()))
    with pytest.raises(assets.CorruptFile, match=says):
        models.load("squeezenet1_1/cub200")


# what each process does first: it takes the weights that are there, and notes the sizes of its batches
BEGINNING = """
import os

if "RANK" in os.environ:
    import torch, torchvision

    torchvision.models.SqueezeNet1_1_Weights.DEFAULT.value.url = {url!r}

    def note(network, inputs):
        if isinstance(network, torchvision.models.SqueezeNet):
            with open({notes!r} + os.environ["RANK"], "a") as file:
                print("train" if network.training else "test", len(inputs[0]), file=file)

    torch.nn.modules.module.register_module_forward_pre_hook(note)
"""


@pytest.mark.slow
def test_two_processes_divide_the_batch_and_write_one_result(root):
    """By the launcher that accelerate takes for several GPUs: its own `launch --cpu` starts one process."""
    url = torchvision.models.SqueezeNet1_1_Weights.DEFAULT.value.url
    (root / "sitecustomize.py").write_text(BEGINNING.format(url=url, notes=str(root / "process")))
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "contrastlib",
    ]
    environment = os.environ | {"PYTHONPATH": str(root), "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [*launch, *COMMAND], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("test accuracy") == 1
    for rank in "01":  # ten photographs by four and four of them to test, half of each batch here
        assert (root / f"process{rank}").read_text().splitlines() == (3 * ["train 2"] + ["test 2"]) * 2
    folder = root / "finetuned" / "squeezenet1_1"
    assert {path.name for path in folder.iterdir()} == {
        f"cub200.{end}" for end in ("safetensors", "csv", "json")
    }
    card = json.loads((folder / "cub200.json").read_text())
    assert (card["devices"], card["train_images"], card["test_images"]) == (2, 10, 4)
    assert list(pd.read_csv(folder / "cub200.csv").epoch) == [1, 2]
    images = datasets.load("cub200", crop=40)
    with torch.no_grad():
        logits = models.load("squeezenet1_1/cub200")(torch.stack([example.image for example in images]))
    alone = loop.scores(logits, torch.tensor([example.label for example in images]))
    assert card["test"] == pytest.approx(alone, abs=1e-4)


def test_a_network_that_is_not_there(root):
    with pytest.raises(assets.MissingFile, match=r"vgg16_bn/cub200.safetensors.*finetune vgg16_bn cub200"):
        models.load("vgg16_bn/cub200")
    with pytest.raises(ValueError, match=r"unknown network 'vgg16_bn/cub20'.*'vgg16_bn/cub200'"):
        models.load("vgg16_bn/cub20")


@pytest.mark.parametrize("words, says", [
    (["squeezenet1_1", "cub20"], "unknown data set to fine-tune on 'cub20': did you mean 'cub200'"),
    (["squeezenet1_1", "imagenet-val"], "unknown data set to fine-tune on 'imagenet-val'"),
    (["squeezenet", "cub200"], "unknown network 'torchvision/squeezenet'"),
    (["squeezenet1_1", "food101"], "food101 (101,000 photographs of 101 dishes) is not complete"),
    (["squeezenet1_1", "cub200", "--size", "0"], "0 is not a positive whole number"),
    (["squeezenet1_1", "cub200", "--precision", "fp8"], "invalid choice: 'fp8'"),
    pytest.param(["squeezenet1_1", "cub200", "--precision", "fp16"], "fp16 needs a GPU: choose bf16 or no",
                 marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")),
])  # fmt: skip
def test_the_command_says_what_is_wrong(root, capsys, words, says):
    try:
        assert main(["finetune", *words, "--workers", "0"]) == 2
    except SystemExit as error:
        assert error.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("name, head", [
    ("alexnet", "classifier.6"), ("resnet18", "fc"), ("mobilenet_v3_small", "classifier.3"),
    ("mnasnet1_0", "classifier.1"), ("efficientnet_b1", "classifier.1"), ("densenet121", "classifier"),
    ("googlenet", "fc"), ("squeezenet1_0", "classifier.1"), ("vit_b_16", "heads.head"),
    ("vgg11", "classifier.6"),
])  # fmt: skip
def test_the_last_layer_is_replaced(name, head):
    with torch.device("meta"):
        network = torchvision.models.get_model(name, weights=None, **torchvision_hub.PRETRAINED.get(name, {}))
        before = network.get_submodule(head)
        torchvision_hub.replace_head(network, 7)
    after = network.get_submodule(head)
    assert after is not before and type(after) is type(before) and after.weight.shape[0] == 7
    assert after.weight.shape[1:] == before.weight.shape[1:]
