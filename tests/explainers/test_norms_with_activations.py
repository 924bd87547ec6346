"""Batch norms that contain their activation, as timm writes them: the same maps as of both apart."""

import pytest
import timm
import torch
from timm.layers import BatchNormAct2d
from torch import nn

import contrastlib
from contrastlib.explainers.fullgrad_terms import terms


def pair(activation):
    """A network with such norms, and the same one with norms and activations of PyTorch."""
    torch.manual_seed(0)
    together = nn.Sequential(
        nn.Conv2d(3, 6, 3),
        BatchNormAct2d(6, act_layer=activation),
        nn.Conv2d(6, 8, 3, bias=False),
        BatchNormAct2d(8, act_layer=activation),
        nn.Flatten(),
        nn.Linear(128, 5),
    )
    for module in together.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean):
                nn.init.normal_(tensor)
            nn.init.uniform_(module.running_var, 0.5, 2)
    apart = [nn.BatchNorm2d(6), activation(), nn.BatchNorm2d(8), activation()]
    for norm, of in ((apart[0], together[1]), (apart[2], together[3])):
        norm.load_state_dict(of.state_dict())
    return together, nn.Sequential(together[0], *apart[:2], together[2], *apart[2:], *together[4:])


@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6, nn.Identity])
@pytest.mark.parametrize(
    "method, options",
    [
        ("lrp", {"rules": "z_plus"}),
        ("lrp", {"rules": "epsilon", "biases": True}),
        ("clrp1", {}),
        ("fullgrad", {}),
    ],
)
def test_the_same_maps(activation, method, options):
    together, apart = (net.double().eval() for net in pair(activation))
    images, before = (
        torch.rand(2, 3, 8, 8, dtype=torch.float64),
        {k: v.clone() for k, v in together.state_dict().items()},
    )
    maps, expected = (contrastlib.explain(net, images, 1, method, **options) for net in (together, apart))
    torch.testing.assert_close(maps, expected, rtol=1e-10, atol=1e-12)
    assert maps.abs().max() > 1e-4
    assert all(torch.equal(value, before[name]) for name, value in together.state_dict().items())
    assert together[1].eps == 1e-5


def test_the_terms_of_such_norms_sum_to_the_score():
    net, images = pair(nn.LeakyReLU)[0].double().eval(), torch.rand(2, 3, 8, 8, dtype=torch.float64)
    found = terms(net, images, lambda y: torch.eye(5, dtype=torch.float64)[[1, 2]])
    total = sum(part.reshape(2, -1).sum(dim=1) for part in found.values())
    torch.testing.assert_close(total, net(images)[[0, 1], [1, 2]], rtol=1e-10, atol=1e-12)
    assert {"1", "3"} < found.keys() and found["1"].abs().max() > 1e-3


@pytest.mark.parametrize("method", ["lrp", "fullgrad"])
def test_a_regnet_of_timm(method):
    torch.manual_seed(0)
    network = timm.create_model("regnetx_002", num_classes=5).eval()
    assert contrastlib.explain(network, torch.rand(2, 3, 64, 64), 1, method).flatten(1).std(dim=1).min() > 0
