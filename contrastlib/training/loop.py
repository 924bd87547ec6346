"""The training loop: epochs, the log, checkpoints; the same from scratch and for fine-tuning.

Hugging Face's accelerate handles devices, processes and mixed precision: ``accelerate launch -m contrastlib
finetune ...`` trains on several GPUs and divides each batch among them.

The random numbers of an epoch depend on the seed and on the epoch only, so that an interrupted run that is
resumed ends with the weights of an uninterrupted one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import pandas as pd
import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from tqdm import tqdm

from contrastlib.models.classifier import Normalise
from contrastlib.training.checkpoint import Checkpoint
from contrastlib.training.recipe import Recipe

Batches = Iterable[tuple[Tensor, Tensor]]


class DivergenceError(ValueError):
    """The training loss is infinite or not a number."""


@dataclass(frozen=True)
class Run:
    """A network to train, its data and its optimiser."""

    network: nn.Module
    """trained in place; its state is saved in checkpoints"""
    model: nn.Module
    """images (B, 3, H, W) in [0, 1] -> logits (B, C), through the network"""
    optimiser: Optimizer
    schedule: LRScheduler
    """of the learning rate; it advances after every batch"""
    loss: Callable[[Tensor, Tensor], Tensor]
    """logits (B, C) in float32 and labels (B,) -> their mean loss"""
    batches: Callable[[int], Batches]
    """epoch, counted from 0 -> its batches of images and labels; sets the random seed of the epoch"""
    evaluate: Callable[[nn.Module], dict[str, float]]
    """the model, as accelerate prepared it -> further columns of the log, after each epoch"""


class Normalised(nn.Module):
    """Images in [0, 1] -> logits: a network after the normalisation of its images, channels last in memory.

    >>> Normalised(nn.Flatten())(torch.full((1, 3, 1, 1), 0.5)).shape
    torch.Size([1, 3])
    """

    def __init__(self, network: nn.Module) -> None:
        """Add the normalisation.

        Args:
            network: Normalised images (B, 3, H, W) -> logits (B, C).
        """
        super().__init__()
        self.normalise, self.network = Normalise(), network

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, C) of images (B, 3, H, W) in [0, 1]."""
        return self.network(self.normalise(images).contiguous(memory_format=torch.channels_last))


def devices(recipe: Recipe, precision: str, cpu: bool = False) -> Accelerator:
    """The devices that a run is trained on: see accelerate's documentation for its environment variables.

    Args:
        recipe: Its seed decides the order of the images in accelerate's data loaders.
        precision: Mixed precision: "no" (float32), "bf16" or "fp16".
        cpu: Whether to use the CPU even if there is a GPU.

    Raises:
        ValueError: fp16 without a GPU, where accelerate would use float32 without a warning; or accelerate
            was used in this process with another precision, which cannot be changed.
    """
    loading = DataLoaderConfiguration(split_batches=True, use_seedable_sampler=True, data_seed=recipe.seed)
    try:
        accelerator = Accelerator(mixed_precision=precision, cpu=cpu, dataloader_config=loading)
    except ValueError as error:
        if "already been initialized" not in str(error):
            raise
        raise ValueError(
            f"this process has trained with another precision than {precision}, and accelerate allows one "
            "for each process: start a new process"
        ) from error
    if precision == "fp16" and accelerator.device.type == "cpu":
        raise ValueError("precision fp16 needs a GPU: choose bf16 or no")
    return accelerator


def fit(accelerator: Accelerator, run: Run, recipe: Recipe, checkpoint: Checkpoint) -> pd.DataFrame:
    """Train a network in place; it ends on the CPU, in evaluation mode.

    The state is saved after each epoch. If the checkpoint exists, training continues from it.

    Args:
        accelerator: See :func:`devices`.
        run: What is trained; its model, optimiser and schedule are not yet prepared by accelerate.
        recipe: Gives the number of epochs.
        checkpoint: Where the state is saved.

    Returns:
        The log, one row per epoch: epoch, counted from 1; learning_rate at its start; train_loss and
        train_accuracy, means over its images; the columns of ``run.evaluate``; seconds.

    Raises:
        CheckpointError: The checkpoint belongs to another run.
        DivergenceError: The loss diverged.
    """
    run.network.to(accelerator.device, memory_format=torch.channels_last)
    model, optimiser, schedule = accelerator.prepare(run.model, run.optimiser, run.schedule)
    run = replace(run, model=model, optimiser=optimiser, schedule=schedule)
    parts = {"network": run.network, "optimiser": optimiser, "schedule": schedule}
    if accelerator.scaler:
        parts["scaler"] = accelerator.scaler
    log = checkpoint.restore(parts)
    for epoch in range(len(log), recipe.epochs):
        start = time.perf_counter()
        row = {"epoch": epoch + 1, "learning_rate": schedule.get_last_lr()[0]}
        row |= _epoch(accelerator, run, epoch, f"epoch {epoch + 1} of {recipe.epochs}") | run.evaluate(model)
        log.append(row | {"seconds": round(time.perf_counter() - start, 1)})
        if accelerator.is_main_process:
            checkpoint.save(parts, log)
        accelerator.wait_for_everyone()
    run.network.to("cpu", memory_format=torch.contiguous_format).eval()
    return pd.DataFrame(log)


def _epoch(accelerator: Accelerator, run: Run, epoch: int, title: str) -> dict[str, float]:
    """Train for one epoch; the mean loss and the accuracy over its images."""
    run.model.train()
    steps = []
    for images, labels in progress(accelerator, run.batches(epoch), title):
        logits = run.model(images)
        if not isinstance(logits, Tensor):
            raise ValueError(
                f"the network returns {type(logits).__name__} in training: choose one with a single output"
            )
        loss = run.loss(logits.float(), labels)
        run.optimiser.zero_grad()
        accelerator.backward(loss)
        run.optimiser.step()
        run.schedule.step()
        right, count = (logits.argmax(1) == labels).sum(), torch.tensor(len(labels), device=loss.device)
        steps.append(torch.stack([loss.detach(), right, count]))
    losses, right, counts = accelerator.gather(torch.stack(steps)).cpu().double().unbind(1)
    loss = ((losses * counts).sum() / counts.sum()).item()
    if not loss < float("inf"):
        raise DivergenceError(
            f"{title}: the loss is {loss}, so training diverged: lower the learning rate, or use another "
            "precision; the checkpoint of the epoch before is kept"
        )
    return {"train_loss": loss, "train_accuracy": (right.sum() / counts.sum()).item()}


def progress(accelerator: Accelerator, batches: Batches, title: str) -> Batches:
    """The batches, with a progress bar in one process of each machine."""
    return tqdm(batches, desc=title, unit="batch", leave=False, disable=not accelerator.is_local_main_process)


@torch.no_grad()
def evaluate(
    model: nn.Module,
    batches: Batches,
    gather: Callable[[tuple[Tensor, Tensor]], tuple[Tensor, Tensor]] = lambda parts: parts,
) -> dict[str, float]:
    """:func:`scores` of all images, in evaluation mode.

    Args:
        model: Images -> logits (B, C).
        batches: Images and labels.
        gather: Collects the logits and labels of a batch from all processes.

    >>> evaluate(nn.Identity(), [(torch.eye(3), torch.tensor([0, 1, 0]))])["accuracy"]
    0.6666666666666666
    """
    model.eval()
    found = [[part.cpu() for part in gather((model(images), labels))] for images, labels in batches]
    logits, labels = (torch.cat(parts) for parts in zip(*found))
    return scores(logits.double(), labels)


def scores(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Mean cross-entropy, accuracy, and the shares of images whose second or third probability exceeds 0.1.

    Args:
        logits: (N, C).
        labels: (N,), int64.

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
