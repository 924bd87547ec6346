"""Training the small networks, from a fixed seed, an epoch at a time.

On one machine the same seed gives the same weights, also when a run was interrupted and resumed.
Another machine, library version or number of threads rounds sums differently, so its weights differ
a little; what was used is on the card that is written beside the weights.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from contrastlib import assets
from contrastlib.datasets.base import ImageSet
from contrastlib.models import build
from contrastlib.models.classifier import Normalise


@dataclass(frozen=True)
class Recipe:
    """What decides the weights, besides the pictures."""

    epochs: int = 14
    seed: int = 0
    batch: int = 32
    peak_rate: float = 1.5e-3
    weight_decay: float = 0.02
    shift: int = 0
    """pixels that a picture is moved by at most, each way, its edges mirrored"""
    label_smoothing: float = 0.0
    stored_as: str = "float32"
    """precision that the finished weights are rounded to"""


def recipe_of(name: str) -> Recipe:
    """The recipe of a network that the project trains, by its entry in the registry.

    >>> recipe_of("birds_vit").shift, recipe_of("birds_vgg") == Recipe()
    (8, True)
    """
    return Recipe(**assets.networks()[name].training.recipe)


class Pictures(NamedTuple):
    """A data set in memory."""

    images: Tensor
    """(N, 3, H, W), uint8"""
    labels: Tensor
    """(N,), int64"""


def render(pictures: ImageSet) -> Pictures:
    """Draw or read every picture of a set, all of one size, with a progress bar.

    >>> from contrastlib.datasets.birds import SyntheticBirds
    >>> render(SyntheticBirds("test", size=32, length=3)).images.shape
    torch.Size([3, 3, 32, 32])
    """
    images = torch.empty(len(pictures), *pictures[0].image.shape, dtype=torch.uint8)
    labels = torch.empty(len(pictures), dtype=torch.int64)
    for index in tqdm(range(len(pictures)), desc=pictures.name, unit="picture"):
        image, labels[index], *_ = pictures[index]
        images[index] = (image * 255).round()
    return Pictures(images, labels)


def held_out(pictures: Pictures, every: int = 50) -> tuple[Pictures, Pictures]:
    """All pictures but each `every`-th, for training, and those, for validation.

    >>> numbers = torch.arange(100)
    >>> [len(part.labels) for part in held_out(Pictures(numbers, numbers))]
    [98, 2]
    """
    kept = torch.arange(len(pictures.labels)) % every > 0
    return tuple(Pictures(pictures.images[part], pictures.labels[part]) for part in (kept, ~kept))


def fit(
    network: nn.Module, pictures: Pictures, validation: Pictures, recipe: Recipe, checkpoint: Path
) -> pd.DataFrame:
    """Train a network in place: AdamW, one cycle of the learning rate, pictures mirrored and moved by chance.

    After each epoch the state is written to `checkpoint`; when that file is there at the start, training
    goes on from it. Random numbers of an epoch depend on the seed and the epoch only.

    Returns:
        The log: one row per epoch.

    Raises:
        ValueError: the checkpoint was written by another recipe, or with another number of pictures.
    """
    network.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), recipe.peak_rate, weight_decay=recipe.weight_decay)
    steps = -(-len(pictures.labels) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.peak_rate, total_steps=recipe.epochs * steps
    )
    parts = {"network": network, "optimiser": optimiser, "schedule": schedule}
    log = _restore(checkpoint, recipe, parts)
    for epoch in range(len(log), recipe.epochs):
        start = time.perf_counter()
        torch.manual_seed(1000 * recipe.seed + epoch)
        row = {"epoch": epoch + 1, "learning_rate": schedule.get_last_lr()[0]}
        title = f"epoch {epoch + 1} of {recipe.epochs}"
        row |= _epoch(network, pictures, recipe, optimiser, schedule, title)
        scores = evaluate(network, validation)
        row |= {"validation_loss": scores["loss"], "validation_accuracy": scores["accuracy"]}
        log.append(row | {"seconds": round(time.perf_counter() - start, 1)})
        _save(checkpoint, recipe, parts, log)
    network.to(memory_format=torch.contiguous_format).eval()
    return pd.DataFrame(log)


def evaluate(network: nn.Module, pictures: Pictures, batch: int = 100) -> dict[str, float]:
    """Loss and accuracy, and the shares of pictures whose second and third probability exceed 0.1."""
    network.eval()
    with torch.no_grad():
        logits = torch.cat([network(_ready(images)) for images in pictures.images.split(batch)]).double()
    return scores(logits, pictures.labels)


def scores(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Loss, accuracy, and the shares of second and third probabilities above 0.1, of logits (N, C).

    >>> scores(torch.tensor([[2., 1., 0.], [9., 0., 0.]]), torch.tensor([0, 1]))["share_p2_above_0.1"]
    0.5
    """
    ordered = logits.softmax(1).sort(1, descending=True).values
    return {
        "loss": functional.cross_entropy(logits, labels).item(),
        "accuracy": (logits.argmax(1) == labels).double().mean().item(),
        "share_p2_above_0.1": (ordered[:, 1] > 0.1).double().mean().item(),
        "share_p3_above_0.1": (ordered[:, 2:3] > 0.1).double().sum(1).mean().item(),
    }


def train(
    name: str, output: Path, recipe: Recipe, pictures: Pictures, validation: Pictures, test: ImageSet
) -> dict:
    """Train a network by its name and write NAME.safetensors, NAME.csv (the log) and NAME.json (its card).

    Returns:
        What the JSON file holds: checksum, licence, source and preprocessing of the weights, scores on the test
        pictures, recipe, data, class names.
    """
    output.mkdir(parents=True, exist_ok=True)
    checkpoint = output / f"{name}.checkpoint"
    torch.manual_seed(recipe.seed)
    network, said = build(name, len(test.class_names)), assets.networks()[name]
    log = fit(network, pictures, validation, recipe, checkpoint)
    network.to(getattr(torch, recipe.stored_as)).float()
    path = output / f"{name}.safetensors"
    save_file({key: _stored(value, recipe.stored_as) for key, value in network.state_dict().items()}, path)
    card = {
        "network": name,
        "sha256": assets.sha256(path),
        "licence": said.licence,
        "source": said.source,
        "preprocessing": f"RGB in 0..1, ImageNet mean and standard deviation, {said.input_size}x{said.input_size}",
        "test": evaluate(network, render(test)),
        "test_set": test.checksum,
        "train_pictures": len(pictures.labels),
        "recipe": asdict(recipe),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "trained_in": "bfloat16 autocast" if _has_bfloat16() else "float32",
        "class_names": test.class_names,
    }
    log.round(6).to_csv(output / f"{name}.csv", index=False)
    (output / f"{name}.json").write_text(json.dumps(card, indent=2) + "\n")
    checkpoint.unlink()
    return card


def _stored(weights, precision):
    weights = weights.contiguous()
    return weights.to(getattr(torch, precision)) if weights.is_floating_point() else weights


def _epoch(network, pictures, recipe, optimiser, schedule, title):
    network.train()
    loss_sum = correct = 0.0
    count = len(pictures.labels)
    for chosen in tqdm(torch.randperm(count).split(recipe.batch), desc=title, unit="batch", leave=False):
        images, labels = pictures.images[chosen], pictures.labels[chosen]
        mirrored = torch.rand(len(chosen)) < 0.5
        images[mirrored] = images[mirrored].flip(3)
        if recipe.shift:
            images = _shifted(images, recipe.shift)
        # Each is up to twice as fast: bfloat16, and attention without the fused kernel (its backward is slow).
        with torch.autocast("cpu", torch.bfloat16, enabled=_has_bfloat16()), sdpa_kernel(SDPBackend.MATH):
            logits = network(_ready(images))
        loss = functional.cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        loss_sum += loss.item() * len(chosen)
        correct += (logits.argmax(1) == labels).sum().item()
    return {"train_loss": loss_sum / count, "train_accuracy": correct / count}


def _shifted(images, most):
    """Each of the pictures (B, 3, H, W) moved by its own random offset."""
    count, _, height, width = images.shape
    padded = functional.pad(images.float(), [most] * 4, mode="reflect")
    rows = torch.randint(2 * most + 1, (count, 1)) + torch.arange(height)
    columns = torch.randint(2 * most + 1, (count, 1)) + torch.arange(width)
    moved = padded[torch.arange(count)[:, None, None], :, rows[:, :, None], columns[:, None]]
    return moved.permute(0, 3, 1, 2)


def _has_bfloat16():
    """Whether this processor multiplies in bfloat16; emulated, it would be slower than float32."""
    return any(torch.cpu.get_capabilities().get(name, False) for name in ("avx512_bf16", "bf16"))


def _ready(images):
    return Normalise()(images.float() / 255).contiguous(memory_format=torch.channels_last)


def _save(checkpoint, recipe, parts, log):
    state = {key: part.state_dict() for key, part in parts.items()}
    unfinished = checkpoint.with_suffix(".part")
    torch.save(state | {"recipe": asdict(recipe), "log": log}, unfinished)
    unfinished.replace(checkpoint)


def _restore(checkpoint, recipe, parts):
    """Load the parts from a checkpoint if there is one; the log so far."""
    if not checkpoint.exists():
        return []
    state = torch.load(checkpoint, weights_only=True)
    steps, planned = state["schedule"]["total_steps"], parts["schedule"].total_steps
    if (state["recipe"], steps) != (asdict(recipe), planned):
        raise ValueError(
            f"{checkpoint} was written by {state['recipe']} in {steps} steps, not by {asdict(recipe)} "
            f"in {planned}: delete it to start anew"
        )
    for key, part in parts.items():
        part.load_state_dict(state[key])
    return state["log"]
