"""Seeds of random numbers that depend on the image and not on its batch."""

from __future__ import annotations

import zlib

from torch import Tensor


def image_seed(image: Tensor, seed: int) -> int:
    """Seed of 32 bits from the values of an image and ``seed``.

    With one generator for a whole batch, the random numbers of an image would depend on its index in the
    batch.

    Args:
        image: Image (K, H, W).
        seed: Seed of the evaluation.

    Returns:
        A seed for a generator.

    >>> import torch
    >>> image = torch.rand(3, 8, 8)
    >>> image_seed(image, 0) == image_seed(image.clone(), 0), image_seed(image, 0) == image_seed(image, 1)
    (True, False)
    """
    return zlib.crc32(image.contiguous().numpy(force=True).tobytes(), seed)
