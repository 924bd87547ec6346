"""Fine-tuning torchvision's classifiers on the papers' data sets, on one device or several.

The settings are those of Eriksson et al. 2025, sec. 3.2, and of its code: SGD with a constant learning rate,
weights of the last epoch.
"""

from __future__ import annotations

import json
import platform
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader

from contrastlib import assets, datasets
from contrastlib.assets.writing import write
from contrastlib.datasets import sources
from contrastlib.datasets.base import SQUEEZE, Photographs
from contrastlib.models import torchvision_hub
from contrastlib.training import loop
from contrastlib.training.augmentation import Augmented
from contrastlib.training.checkpoint import Checkpoint, replacing_weights
from contrastlib.training.recipe import FineTuningRecipe

LIBRARIES = ("torch", "torchvision", "accelerate", "pillow")


def finetune(name: str, dataset: str, output: Path, recipe: FineTuningRecipe, workers: int = 0) -> dict:
    """Fine-tune a classifier of torchvision and write NAME/DATASET.safetensors, .csv (log) and .json (card).

    Args:
        name: The classifier, such as "vgg16_bn".
        dataset: One of the papers' fine-grained sets; its first split is trained on, its last one tests.
        output: A folder; ``models.load("NAME/DATASET")`` reads ``assets.root() / "finetuned"``.
        recipe: All settings.
        workers: The number of processes that read photographs, for each device.

    Returns:
        The card: scores on the test split, recipe, classes, checksums, versions. If the same recipe was
        finished before, its card.

    Raises:
        ValueError: A name is unknown, or there is a result or a checkpoint of another recipe, or the loss
            diverged.
        DataError: Photographs or pretrained weights are missing or corrupt.
    """
    known = {key: [*record.splits] for key, record in sources.papers().items() if len(record.splits) > 1}
    if dataset not in known:
        raise assets.unknown("data set to fine-tune on", dataset, known)
    path = output / name / f"{dataset}.safetensors"
    if path.exists():
        return _finished(path, recipe)
    accelerator = loop.devices(recipe, recipe.precision)
    with accelerator.main_process_first():
        network, checksum = torchvision_hub.pretrained(torchvision_hub.PREFIX + name)
    options = {"resize": SQUEEZE, "crop": recipe.size}
    splits = known[dataset]
    images, test = (datasets.load(dataset, split=split, **options) for split in (splits[0], splits[-1]))
    torch.manual_seed(recipe.seed)
    torchvision_hub.replace_head(network, len(images.class_names))
    log = fit(accelerator, network, images, test, recipe, path.with_suffix(".checkpoint"), workers)
    card = {"network": name, "dataset": dataset, "train_split": splits[0], "test_split": splits[-1]}
    card |= _card(log, images, test, recipe, checksum) | _environment(accelerator, log)
    if accelerator.is_main_process:
        _write(path, network, log, card)
    accelerator.wait_for_everyone()
    return card


def fit(
    accelerator: Accelerator,
    network: nn.Module,
    images: Photographs,
    test: Photographs,
    recipe: FineTuningRecipe,
    checkpoint: Path,
    workers: int = 0,
) -> pd.DataFrame:
    """Train a network in place with SGD at a constant learning rate; it ends on the CPU, in evaluation mode.

    Args:
        accelerator: See :func:`contrastlib.training.loop.devices`.
        network: normalised images (B, 3, H, W) -> logits (B, C).
        images: Photographs to train on.
        test: Photographs that each epoch is scored on; the scores are never used to choose anything.
        recipe: All settings.
        checkpoint: A file; the state is saved there after each epoch, and training continues from it.
        workers: The number of processes that read photographs, for each device.

    Returns:
        The log of :func:`contrastlib.training.loop.fit`, with the scores on the test images as test_loss, ...

    Raises:
        CheckpointError: The checkpoint was written with another recipe, or for other photographs.
        DivergenceError: The loss diverged.
    """
    cuda = accelerator.device.type == "cuda"
    if cuda and accelerator.num_processes > 1:  # statistics of the whole batch, as on one device
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    augmented, plain = Augmented(images, recipe), Augmented(test, FineTuningRecipe(size=recipe.size))
    options = {"batch_size": recipe.batch, "num_workers": workers, "pin_memory": cuda}
    batches, test_batches = accelerator.prepare(
        DataLoader(augmented, shuffle=True, **options), DataLoader(plain, **options)
    )

    def batches_of(epoch: int) -> loop.Batches:
        torch.manual_seed(1000 * (1000 * recipe.seed + epoch) + accelerator.process_index)  # of dropout
        augmented.epoch = epoch
        batches.set_epoch(epoch)
        return batches

    def evaluate(model: nn.Module) -> dict[str, float]:
        found = loop.evaluate(
            model, loop.progress(accelerator, test_batches, "test"), accelerator.gather_for_metrics
        )
        return {f"test_{key}": value for key, value in found.items()}

    optimiser = torch.optim.SGD(
        network.parameters(), recipe.rate, recipe.momentum, weight_decay=recipe.weight_decay
    )
    run = loop.Run(
        network=network,
        model=loop.Normalised(network),
        optimiser=optimiser,
        schedule=torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1),
        loss=nn.CrossEntropyLoss(),
        batches=batches_of,
        evaluate=evaluate,
    )
    identity = {"recipe": asdict(recipe), "images": images.checksum}
    return loop.fit(accelerator, run, recipe, Checkpoint(checkpoint, identity))


def _card(
    log: pd.DataFrame,
    images: Photographs,
    test: Photographs,
    recipe: FineTuningRecipe,
    checksum: str,
) -> dict:
    """What the weights were trained on, how, and how good they are."""
    last = log.iloc[-1]
    return {
        "test": {key.removeprefix("test_"): float(last[key]) for key in log if key.startswith("test_")},
        "train_images": len(images), "test_images": len(test), "recipe": asdict(recipe),
        "resize": test.resize, "interpolation": test.interpolation.value, "class_names": images.class_names,
        "pretrained": checksum, "train_checksum": images.checksum, "test_checksum": test.checksum,
    }  # fmt: skip


def _environment(accelerator: Accelerator, log: pd.DataFrame) -> dict:
    """Where, with what and when the weights were trained."""
    cuda = accelerator.device.type == "cuda"
    return {
        "devices": accelerator.num_processes,
        "device": torch.cuda.get_device_name() if cuda else accelerator.device.type,
        "python": platform.python_version(),
        "libraries": {library: version(library) for library in LIBRARIES},
        "seconds": round(sum(log["seconds"])), "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }  # fmt: skip


def _finished(path: Path, recipe: FineTuningRecipe) -> dict:
    """The card of weights that are already there."""
    card = assets.read_card(path.with_suffix(".json"), ("recipe",))
    if card["recipe"] != asdict(recipe):
        raise ValueError(
            f"{path} is there already, made with {card['recipe']}: delete it, or choose another output"
        )
    return card


def _write(path: Path, network: nn.Module, log: pd.DataFrame, card: dict) -> None:
    """Write card and log first: if the weights are there, these are there too."""
    with replacing_weights(path, network.state_dict()) as checksum:
        write(path.with_suffix(".csv"), log.round(6).to_csv(index=False).encode())
        write(path.with_suffix(".json"), f"{json.dumps(card | {'sha256': checksum}, indent=2)}\n".encode())
    path.with_suffix(".checkpoint").unlink()
