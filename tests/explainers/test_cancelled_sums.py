"""Maps whose sums a norm after the layer makes 0 up to rounding: another layer, or an error naming one."""

import re

import pytest
import timm
import torch
import torchvision
from torch import nn

import contrastlib
from contrastlib.autograd import forward


class Norm(nn.Module):
    """A norm of the channels of each position, written in three ways."""

    def __init__(self, kind, channels):
        super().__init__()
        self.kind, self.norm = kind, nn.LayerNorm(channels)

    def forward(self, x):
        if self.kind == "rms":
            return x * torch.rsqrt(x.pow(2).mean(dim=1, keepdim=True) + 1e-6)
        if self.kind == "by hand":
            centred = x - x.mean(dim=1, keepdim=True)
            return centred / (centred.pow(2).mean(dim=1, keepdim=True) + 1e-6).sqrt()
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def network(norm, dtype=torch.float32):
    torch.manual_seed(0)
    block = nn.Sequential(nn.Conv2d(3, 64, 3), norm, nn.Tanh())
    return nn.Sequential(block, nn.Flatten(), nn.Linear(64 * 36, 5)).to(dtype).eval()


def images(size=8, dtype=torch.float32):
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["layer norm", "rms", "by hand"])
def test_the_linear_approximation_before_a_norm_of_channels_is_refused(kind, dtype):
    net, x = network(Norm(kind, 64), dtype), images(dtype=dtype)
    with pytest.raises(
        ValueError, match=r"map of layer '0.0' is 0 up to rounding.*sums over the channels.*name layer=\"0\""
    ) as raised:
        contrastlib.explain(net, x, 1, "linear_approximation", layer="0.0")
    layer = re.search('layer="(.*?)"', str(raised.value))[1]
    assert contrastlib.explain(net, x, 1, "linear_approximation", layer=layer).abs().max() > 1e-3
    for method in ("gradcam", "xgradcam"):
        assert contrastlib.explain(net, x, 1, method, layer="0.0").shape == (2, 8, 8)


@pytest.mark.parametrize("norm", [nn.InstanceNorm2d(64), nn.GroupNorm(64, 64)], ids=["instance", "group"])
@pytest.mark.parametrize("method", ["gradcam", "xgradcam"])
def test_means_of_gradients_before_a_norm_of_each_channel_are_refused(method, norm):
    net, x = network(norm), images()
    with pytest.raises(ValueError, match=r"0 up to rounding.*sums over the positions.*name layer=\"0\""):
        contrastlib.explain(net, x, 1, method, layer="0.0")
    assert forward(net, x, None).layer() == "0"
    assert contrastlib.explain(net, x, 1, method).flatten(1).std(dim=1).min() > 0
    assert contrastlib.explain(net, x, 1, "linear_approximation", layer="0.0").abs().max() > 1e-3


def test_a_zero_map_of_zero_weights_is_no_error():
    net, x = network(nn.Identity()), images()
    for method in ("gradcam", "xgradcam", "linear_approximation"):
        assert not contrastlib.explain(net, x, method=method, contrast=torch.zeros(2, 5)).any()
    nn.init.zeros_(net[2].weight)
    assert not contrastlib.explain(net, x, 1, "linear_approximation").any()


@pytest.mark.parametrize(
    "norm", [nn.BatchNorm2d(64), nn.GroupNorm(2, 64), nn.Identity()], ids=["batch", "groups", "none"]
)
def test_other_norms_keep_the_convolution(norm):
    net, x = network(norm), images()
    assert forward(net, x, None).layer() == "0.0"
    for method in ("gradcam", "xgradcam", "linear_approximation"):
        assert contrastlib.explain(net, x, 1, method).abs().max() > 1e-4


def convnexts():
    from transformers import ConvNextConfig, ConvNextForImageClassification

    small = {"depths": (1, 1, 1, 1), "dims": (8, 16, 24, 32)}
    sizes = [
        torchvision.models.convnext.CNBlockConfig(8, 16, 1),
        torchvision.models.convnext.CNBlockConfig(16, None, 2),
    ]
    config = ConvNextConfig(
        hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], num_labels=5, layer_scale_init_value=1.0
    )
    yield "torchvision", torchvision.models.ConvNeXt(sizes, layer_scale=1.0, num_classes=5), "features"
    yield "timm", timm.create_model("convnext_tiny", num_classes=5, ls_init_value=1.0, **small), "stages"
    yield "transformers", ConvNextForImageClassification(config), "convnext.encoder.stages.3"


@pytest.mark.parametrize("library", ["torchvision", "timm", "transformers"])
def test_convnext_is_explained_at_the_end_of_its_last_block(library):
    torch.manual_seed(0)
    _, net, layer = next(each for each in convnexts() if each[0] == library)
    net, x = net.double().eval(), images(64).double()
    record = forward(net, x, None)
    assert record.layer().startswith(layer)
    w = torch.eye(5, dtype=torch.float64)[[1, 1]]
    a, g = record.activations[record.layer()], record.pull_back(w)[record.layer()]
    maps = contrastlib.explain(net, x, 1, "linear_approximation", contrast="original", upsample=False)
    torch.testing.assert_close(maps, (a * g).sum(dim=1), rtol=1e-10, atol=1e-12)
    assert maps.abs().max() > 1e-3 * (a * g).abs().sum(dim=1).max()
