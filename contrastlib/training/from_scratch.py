"""Training the small networks from scratch, on the CPU and from a fixed seed.

On one machine the same seed gives the same weights. Another machine, library version or number of threads
rounds sums differently, so its weights differ a little; the card beside the weights says what was used.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from contrastlib import assets
from contrastlib.assets.writing import write
from contrastlib.datasets.base import ImageSet
from contrastlib.models import build
from contrastlib.training import loop
from contrastlib.training.checkpoint import Checkpoint, replacing_weights
from contrastlib.training.recipe import FromScratchRecipe


def recipe_of(name: str) -> FromScratchRecipe:
    """The recipe of a network that the project trains, from its entry in the registry.

    >>> recipe_of("birds_vit").shift, recipe_of("birds_vgg") == FromScratchRecipe()
    (8, True)
    >>> recipe_of("birds_vgg-seed1") == FromScratchRecipe(seed=1, stored_as="float16")
    True
    """
    return FromScratchRecipe(**assets.network(name).training.recipe)


class LabelledImages(NamedTuple):
    """A data set in memory."""

    images: Tensor
    """(N, 3, H, W), uint8"""
    labels: Tensor
    """(N,), int64"""


def render(dataset: ImageSet) -> LabelledImages:
    """Draw or read every image of a set, all of one size, with a progress bar.

    >>> from contrastlib.datasets.birds import SyntheticBirds
    >>> render(SyntheticBirds("test", size=32, length=3)).images.shape
    torch.Size([3, 3, 32, 32])
    """
    images = torch.empty(len(dataset), *dataset[0].image.shape, dtype=torch.uint8)
    labels = torch.empty(len(dataset), dtype=torch.int64)
    for index in tqdm(range(len(dataset)), desc=dataset.name, unit="image"):
        image, labels[index], *_ = dataset[index]
        images[index] = (image * 255).round()
    return LabelledImages(images, labels)


def held_out(data: LabelledImages, every: int = 50) -> tuple[LabelledImages, LabelledImages]:
    """Split a data set: every `every`-th image, from the first, for validation, all others for training.

    Args:
        data: The set to split.
        every: The number of images per image for validation.

    Returns:
        The images for training, the images for validation.

    >>> numbers = torch.arange(100)
    >>> [len(part.labels) for part in held_out(LabelledImages(numbers, numbers))]
    [98, 2]
    """
    kept = torch.arange(len(data.labels)) % every > 0
    return tuple(LabelledImages(data.images[part], data.labels[part]) for part in (kept, ~kept))


def shuffled(data: LabelledImages, seed: int) -> LabelledImages:
    """A data set whose labels are permuted at random: a network can only learn them by heart.

    Source: Adebayo et al. 2018, "Sanity checks for saliency maps", sec. 4.

    >>> labels = torch.arange(100)
    >>> changed = shuffled(LabelledImages(torch.zeros(100, 3, 1, 1), labels), seed=0).labels
    >>> changed.equal(labels), changed.sort().values.equal(labels)
    (False, True)
    """
    order = torch.randperm(len(data.labels), generator=torch.Generator().manual_seed(seed))
    return data._replace(labels=data.labels[order])


@dataclass(frozen=True)
class RandomBatches:
    """The batches of one epoch: all images in random order, mirrored and shifted at random.

    >>> data = LabelledImages(torch.zeros(5, 3, 8, 8, dtype=torch.uint8), torch.arange(5))
    >>> [tuple(images.shape) for images, labels in RandomBatches(data, FromScratchRecipe(batch=3), epoch=0)]
    [(3, 3, 8, 8), (2, 3, 8, 8)]
    """

    data: LabelledImages
    recipe: FromScratchRecipe
    epoch: int

    def __len__(self) -> int:
        """The number of batches."""
        return math.ceil(len(self.data.labels) / self.recipe.batch)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Images (B, 3, H, W) in [0, 1] and labels (B,); sets the seed of torch."""
        torch.manual_seed(1000 * self.recipe.seed + self.epoch)
        for chosen in torch.randperm(len(self.data.labels)).split(self.recipe.batch):
            images = self.data.images[chosen]
            mirrored = torch.rand(len(chosen)) < 0.5
            images[mirrored] = images[mirrored].flip(3)
            if self.recipe.shift:
                images = shifted(images, self.recipe.shift)
            yield images.float() / 255, self.data.labels[chosen]


def shifted(images: Tensor, most: int) -> Tensor:
    """Each image shifted by its own random offset; what comes in at an edge is the image mirrored there.

    Args:
        images: (B, 3, H, W).
        most: The largest shift in pixels, in each direction.

    Returns:
        (B, 3, H, W), float32.
    """
    count, _, height, width = images.shape
    padded = functional.pad(images.float(), [most] * 4, mode="reflect")
    rows = torch.randint(2 * most + 1, (count, 1)) + torch.arange(height)
    columns = torch.randint(2 * most + 1, (count, 1)) + torch.arange(width)
    cut = padded[torch.arange(count)[:, None, None], :, rows[:, :, None], columns[:, None]]
    return cut.permute(0, 3, 1, 2)


class PlainAttention(loop.Normalised):
    """A network to train: attention without the fused kernel, whose backward pass is slow on the CPU.

    >>> PlainAttention(nn.Flatten())(torch.full((1, 3, 1, 1), 0.5)).shape
    torch.Size([1, 3])
    """

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, C) of images (B, 3, H, W) in [0, 1]."""
        with sdpa_kernel(SDPBackend.MATH):
            return super().forward(images)


def fit(
    network: nn.Module,
    data: LabelledImages,
    validation: LabelledImages,
    recipe: FromScratchRecipe,
    checkpoint: Path,
) -> pd.DataFrame:
    """Train a network in place with AdamW and one cycle of the learning rate, on mirrored and shifted images.

    Args:
        network: normalised images (B, 3, H, W) -> logits (B, C).
        data: Images to train on.
        validation: Images that each epoch is scored on.
        recipe: All settings.
        checkpoint: A file; the state is saved there after each epoch, and training continues from it.

    Returns:
        The log of :func:`contrastlib.training.loop.fit`, with validation_loss and validation_accuracy.

    Raises:
        CheckpointError: The checkpoint was written with another recipe, or with another number of images.
        DivergenceError: The loss diverged.
    """
    optimiser = torch.optim.AdamW(network.parameters(), recipe.peak_rate, weight_decay=recipe.weight_decay)
    steps = recipe.epochs * len(RandomBatches(data, recipe, epoch=0))

    def validate(_: nn.Module) -> dict[str, float]:
        found = evaluate(network, validation)  # in float32
        return {"validation_loss": found["loss"], "validation_accuracy": found["accuracy"]}

    run = loop.Run(
        network=network,
        model=PlainAttention(network),
        optimiser=optimiser,
        schedule=torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.peak_rate, total_steps=steps),
        loss=nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing),
        batches=partial(RandomBatches, data, recipe),
        evaluate=validate,
    )
    precision = "bf16" if has_bfloat16() else "no"
    identity = {"recipe": asdict(recipe), "images": len(data.labels)}
    accelerator = loop.devices(recipe, precision, cpu=True)
    return loop.fit(accelerator, run, recipe, Checkpoint(checkpoint, identity))


def has_bfloat16() -> bool:
    """Whether this processor multiplies in bfloat16; emulated, it would be slower than float32."""
    return any(torch.cpu.get_capabilities().get(name, False) for name in ("avx512_bf16", "bf16"))


def evaluate(network: nn.Module, data: LabelledImages, batch: int = 100) -> dict[str, float]:
    """:func:`contrastlib.training.loop.scores` of a network on a data set, in float32.

    Args:
        network: normalised images (B, 3, H, W) -> logits (B, C).
        data: The set.
        batch: The number of images in a forward pass.
    """
    parts = zip(data.images.split(batch), data.labels.split(batch))
    batches = ((images.float() / 255, labels) for images, labels in parts)
    return loop.evaluate(loop.Normalised(network), batches)


def train(
    name: str,
    output: Path,
    recipe: FromScratchRecipe,
    data: LabelledImages,
    validation: LabelledImages,
    test: ImageSet,
) -> dict:
    """Train a network by its name and write NAME.safetensors, NAME.csv (the log) and NAME.json (its card).

    Args:
        name: A network of the registry that the project trains.
        output: A folder.
        recipe: All settings.
        data: Images to train on.
        validation: Images that each epoch is scored on.
        test: The set that the finished weights are scored on.

    Returns:
        The card: checksum, licence, source and preprocessing of the weights, scores on the test set, recipe,
        data, class names.

    Raises:
        CheckpointError: There is a checkpoint of another recipe, or of another number of images.
        DivergenceError: The loss diverged.
    """
    checkpoint, weights = (output / f"{name}.{ending}" for ending in ("checkpoint", "safetensors"))
    torch.manual_seed(recipe.seed)
    network = build(name, len(test.class_names))
    if recipe.shuffled_labels:
        data = shuffled(data, recipe.seed)
    log = fit(network, data, validation, recipe, checkpoint)
    network.to(getattr(torch, recipe.stored_as)).float()
    stored = {key: _stored(value, recipe.stored_as) for key, value in network.state_dict().items()}
    with replacing_weights(weights, stored) as checksum:
        card = _card(name, checksum, network, recipe, data, test)
        write(output / f"{name}.csv", log.round(6).to_csv(index=False).encode())
        write(output / f"{name}.json", f"{json.dumps(card, indent=2)}\n".encode())
    checkpoint.unlink()
    return card


def _stored(weights: Tensor, precision: str) -> Tensor:
    return weights.to(getattr(torch, precision)) if weights.is_floating_point() else weights


def _card(
    name: str,
    checksum: str,
    network: nn.Module,
    recipe: FromScratchRecipe,
    data: LabelledImages,
    test: ImageSet,
) -> dict:
    """What is kept of a network beside its weights."""
    record = assets.network(name)
    side = record.input_size
    return {
        "network": name,
        "sha256": checksum,
        "licence": record.licence,
        "source": record.source,
        "preprocessing": f"RGB in 0..1, ImageNet mean and standard deviation, {side}x{side}",
        "test": evaluate(network, render(test)),
        "test_set": test.checksum,
        "train_pictures": len(data.labels),
        "recipe": asdict(recipe),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "trained_in": "bfloat16 autocast" if has_bfloat16() else "float32",
        "class_names": test.class_names,
    }
