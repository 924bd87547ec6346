"""Fine-tuning torchvision's classifiers on the papers' data sets, on one device or several.

The settings are those of Eriksson et al. 2025, sec. 3.2, and of its code: SGD with a constant learning rate,
weights of the last epoch. Devices, processes and mixed precision are Hugging Face accelerate's business:
``accelerate launch -m contrastlib finetune ...`` runs it on several GPUs, the batch divided between them.

Random numbers of an epoch depend on the seed and the epoch only, those of an augmented image on the image
too, so that a run that was interrupted goes on as if it had not been.
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
import torchvision
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader
from tqdm import tqdm

from contrastlib import assets, datasets
from contrastlib.datasets import sources
from contrastlib.datasets.base import SQUEEZE, Photographs
from contrastlib.models import torchvision_hub
from contrastlib.models.classifier import Normalise
from contrastlib.training import from_scratch
from contrastlib.training.augmentation import Augmented
from contrastlib.training.recipe import Recipe

LIBRARIES = ("torch", "torchvision", "accelerate", "pillow")


def finetune(name: str, dataset: str, output: Path, recipe: Recipe, workers: int = 0) -> dict:
    """Fine-tune a classifier of torchvision and write NAME/DATASET.safetensors, .csv (log) and .json (card).

    Args:
        name: of the classifier, such as "vgg16_bn".
        dataset: one of the papers' fine-grained sets; its training split is trained on, its test split tests.
        output: a folder; ``models.load("NAME/DATASET")`` reads ``assets.root() / "finetuned"``.
        workers: processes that read photographs, for each device.

    Returns:
        The card: scores on the test split, recipe, classes, checksums, versions. Of a run that was finished
        before with the same recipe, the card of then.

    Raises:
        ValueError: unknown names; a result or checkpoint of another recipe is in the way; the loss diverged.
        DataError: photographs or pretrained weights are missing or corrupt.
    """
    known = {key: record.splits for key, record in sources.papers().items() if len(record.splits) > 1}
    if dataset not in known:
        raise assets.unknown("data set to fine-tune on", dataset, known)
    path = output / name / f"{dataset}.safetensors"
    if path.exists():
        return _finished(path, recipe)
    accelerator = accelerate(recipe)
    with accelerator.main_process_first():
        network, checksum = pretrained(name)
    options = {"resize": SQUEEZE, "crop": recipe.size}
    splits = known[dataset]
    images, test = (datasets.load(dataset, split=split, **options) for split in (splits[0], splits[-1]))
    torch.manual_seed(recipe.seed)
    torchvision_hub.replace_head(network, len(images.class_names))
    log = fit(accelerator, network, images, test, recipe, path.with_suffix(".checkpoint"), workers)
    card = {
        "network": name, "dataset": dataset, "train_split": splits[0], "test_split": splits[-1],
        "test": _scores_of(log), "train_images": len(images), "test_images": len(test),
        "recipe": asdict(recipe),
        "resize": test.resize, "interpolation": test.interpolation.value, "class_names": images.class_names,
        "pretrained": checksum, "train_checksum": images.checksum, "test_checksum": test.checksum,
        "devices": accelerator.num_processes, "device": _device(accelerator),
        "python": platform.python_version(),
        "libraries": {library: version(library) for library in LIBRARIES},
        "seconds": round(sum(log["seconds"])), "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }  # fmt: skip
    if accelerator.is_main_process:
        _write(path, network, log, card)
    accelerator.wait_for_everyone()
    return card


def pretrained(name: str) -> tuple[nn.Module, str]:
    """A classifier of torchvision with its default weights, and their checksum."""
    file = torchvision_hub.fetch(torchvision_hub.PREFIX + name)
    return torchvision.models.get_model(name, weights="DEFAULT"), assets.sha256(file)


def accelerate(recipe: Recipe) -> Accelerator:
    """The devices of this process: see accelerate's documentation for its environment variables.

    Raises:
        ValueError: fp16 without a GPU, where accelerate would quietly take float32.
    """
    loading = DataLoaderConfiguration(split_batches=True, use_seedable_sampler=True, data_seed=recipe.seed)
    accelerator = Accelerator(mixed_precision=recipe.precision, dataloader_config=loading)
    if recipe.precision == "fp16" and accelerator.device.type == "cpu":
        raise ValueError("precision fp16 needs a GPU: choose bf16 or no")
    return accelerator


def fit(
    accelerator: Accelerator, network: nn.Module, images: Photographs, test: Photographs, recipe: Recipe,
    checkpoint: Path, workers: int = 0,
) -> pd.DataFrame:
    """Train a network in place; it ends on the CPU, in evaluation mode.

    After each epoch the state is written to `checkpoint`; when that file is there at the start, training
    goes on from it.

    Returns:
        The log: one row per epoch. Scores on the test images are never used to choose anything.

    Raises:
        ValueError: the checkpoint was written by another recipe or for other photographs; the loss diverged.
    """
    identity = {"recipe": asdict(recipe), "images": images.checksum}
    state = _read(checkpoint, identity)
    if accelerator.num_processes > 1 and accelerator.device.type == "cuda":
        # statistics of the whole batch, as on one device
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    network.to(accelerator.device, memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(
        network.parameters(), recipe.rate, recipe.momentum, weight_decay=recipe.weight_decay)
    if state:
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
    augmented = Augmented(images, recipe)
    pinned = accelerator.device.type == "cuda"
    options = {"batch_size": recipe.batch, "num_workers": workers, "pin_memory": pinned}
    model, optimiser, batches, test_batches = accelerator.prepare(
        network, optimiser, DataLoader(augmented, shuffle=True, **options),
        DataLoader(Augmented(test, Recipe(size=recipe.size)), **options))
    if state and accelerator.scaler:
        accelerator.scaler.load_state_dict(state["scaler"])
    log = state.get("log", [])
    for epoch in range(len(log), recipe.epochs):
        start = time.perf_counter()
        torch.manual_seed(1000 * (1000 * recipe.seed + epoch) + accelerator.process_index)  # of dropout
        augmented.epoch = epoch
        batches.set_epoch(epoch)
        row = {"epoch": epoch + 1, "learning_rate": recipe.rate}
        row |= _epoch(accelerator, model, optimiser, batches, f"epoch {epoch + 1} of {recipe.epochs}")
        row |= {f"test_{key}": value for key, value in evaluate(accelerator, model, test_batches).items()}
        log.append(row | {"seconds": round(time.perf_counter() - start, 1)})
        if accelerator.is_main_process:
            scaler = accelerator.scaler.state_dict() if accelerator.scaler else {}
            parts = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "scaler": scaler}
            _save(checkpoint, identity | parts | {"log": log})
        accelerator.wait_for_everyone()
    network.to("cpu", memory_format=torch.contiguous_format).eval()
    return pd.DataFrame(log)


def evaluate(accelerator: Accelerator, model: nn.Module, batches: DataLoader) -> dict[str, float]:
    """:func:`contrastlib.training.from_scratch.scores` of all images, over all devices."""
    model.eval()
    normalise = Normalise().to(accelerator.device)
    found = []
    with torch.no_grad():
        for images, labels in _bar(accelerator, batches, "test"):
            gathered = accelerator.gather_for_metrics((model(normalise(images)), labels))
            found.append([part.cpu() for part in gathered])
    logits, labels = (torch.cat(parts) for parts in zip(*found))
    return from_scratch.scores(logits.double(), labels)


def _epoch(accelerator, model, optimiser, batches, title):
    model.train()
    normalise = Normalise().to(accelerator.device)
    sums = torch.zeros(3, device=accelerator.device)
    for images, labels in _bar(accelerator, batches, title):
        logits = model(normalise(images).contiguous(memory_format=torch.channels_last))
        if not isinstance(logits, Tensor):
            raise ValueError(
                f"the network returns {type(logits).__name__} in training: choose one with a single output")
        loss = functional.cross_entropy(logits.float(), labels)
        optimiser.zero_grad()
        accelerator.backward(loss)
        optimiser.step()
        right, count = (logits.argmax(1) == labels).sum(), torch.tensor(len(labels), device=loss.device)
        sums += torch.stack([loss.detach() * count, right, count])
    loss, right, count = accelerator.reduce(sums).tolist()
    if not loss < float("inf"):
        raise ValueError(f"{title}: the loss is {loss}, so training diverged: lower the learning rate, or "
                         "take another precision; the checkpoint of the epoch before is kept")
    return {"train_loss": loss / count, "train_accuracy": right / count}


def _bar(accelerator, batches, title):
    return tqdm(batches, desc=title, unit="batch", leave=False, disable=not accelerator.is_local_main_process)


def _scores_of(log: pd.DataFrame) -> dict[str, float]:
    last = log.iloc[-1]
    return {key.removeprefix("test_"): float(last[key]) for key in log if key.startswith("test_")}


def _device(accelerator: Accelerator) -> str:
    return torch.cuda.get_device_name() if accelerator.device.type == "cuda" else accelerator.device.type


def _read(checkpoint: Path, identity: dict) -> dict:
    """The state in a checkpoint, {} where there is none."""
    if not checkpoint.exists():
        return {}
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    for key, value in identity.items():
        if state[key] != value:
            raise ValueError(
                f"{checkpoint} was written with {key} {state[key]}, not {value}: delete it to start anew")
    return state


def _save(checkpoint: Path, state: dict) -> None:
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    unfinished = checkpoint.with_suffix(".part")
    torch.save(state, unfinished)
    unfinished.replace(checkpoint)


def _finished(path: Path, recipe: Recipe) -> dict:
    card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    if card["recipe"] != asdict(recipe):
        raise ValueError(
            f"{path} is there already, made with {card['recipe']}: delete it, or choose another output")
    return card


def _write(path: Path, network: nn.Module, log: pd.DataFrame, card: dict) -> None:
    """Card and log first: where the weights are, they are too."""
    log.round(6).to_csv(path.with_suffix(".csv"), index=False)
    path.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    unfinished = path.with_suffix(".part")
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, unfinished)
    unfinished.replace(path)
    path.with_suffix(".checkpoint").unlink()
