"""EfficientNet-Lite against the architecture of the package that its weights were published for."""

import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet

from contrastlib import assets, models
from contrastlib.models.architectures.efficientnet_lite import SCALES


@pytest.mark.parametrize("variant", [0, 1, 2])
def test_the_logits_are_those_of_the_package(variant):
    peer = EfficientNet.from_name(f"efficientnet-lite{variant}")
    peer.load_state_dict(
        torch.load(
            assets.path(next(iter(assets.networks()[f"efficientnet_lite{variant}"].files))), weights_only=True
        )
    )
    own = models.load(f"efficientnet_lite{variant}").network
    side = SCALES[variant].input_size
    images = torch.randn(
        1, 3, side, side, generator=torch.Generator().manual_seed(variant), dtype=torch.float64
    )
    with torch.inference_mode():
        assert torch.equal(own.double()(images), peer.double().eval()(images))


def test_the_preprocessing_is_that_of_the_package():
    pixels = torch.arange(256.0).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    normalised = models.load("efficientnet_lite0").normalise(pixels / 255)
    torch.testing.assert_close(normalised, (pixels - 127) / 128, rtol=0, atol=1e-6)
