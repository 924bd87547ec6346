"""Relevance at sums of 0, in every precision, and of networks that torch runs in ways of its own."""

import copy

import pytest
import torch
from torch import nn
from zennit.rules import ZPlus

from contrastlib import contrasts
from contrastlib.explainers.lrp import clrp1, clrp2, contrastive_lrp, lrp, propagation, relevance_maps
from contrastlib.explainers.lrp import rules as lrp_rules
from contrastlib.explainers.lrp.operations import ruled_layers
from contrastlib.explainers.lrp.rules import RULES, divisor, zennit_rules


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))


@pytest.fixture
def images():
    return torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def total(maps):
    return maps.sum(dim=(1, 2, 3))


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("rules", RULES)
def test_a_black_image_has_a_map_of_zeros(net, images, rules, biases):
    images[0] = 0
    net[0].bias = None
    maps = contrastive_lrp(net, images, lambda y: contrasts.original(y, 1), rules=rules, biases=biases)
    assert not maps[0].any()
    assert maps[1].isfinite().all() and maps[1].any()


@pytest.mark.parametrize("rules", RULES)
def test_a_layer_that_is_dead_passes_nothing_on(net, images, rules):
    nn.init.constant_(net[0].weight, -1)
    assert not lrp(net, images, torch.ones_like, rules=rules).any()


@pytest.mark.parametrize("rules", ["z_plus", "z"])
def test_relevance_does_not_depend_on_the_scale_of_activations(net, images, rules):
    maps = lrp(net, images, torch.ones_like, rules=rules)
    net[0].weight.data *= 1e-14
    net[0].bias.data *= 1e-14
    scale = maps.abs().max()
    torch.testing.assert_close(
        lrp(net, images, torch.ones_like, rules=rules) / scale, maps / scale, rtol=0, atol=1e-4
    )


@pytest.fixture
def cancelling():
    """A network of two units; those of layer "3" get 1 and -1 + 1e-6 times nearly the same."""
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(12, 2), nn.ReLU(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)
    )
    for i in (1, 3, 5):
        nn.init.ones_(net[i].weight)
        nn.init.ones_(net[i].bias)
    net[3].weight.data[:, 1] = -1 + 1e-6
    return net


@pytest.mark.parametrize("count", [1, 3])
def test_an_overflow_names_the_layer_and_the_remedy(cancelling, images, count):
    images = images[..., :2, :2]
    start = torch.full((count, 2, 2), 1e34)
    start[:, 1] = 0
    with propagation(cancelling, images, "z") as propagate:
        assert propagate(start / 1e4).isfinite().all()
        with pytest.raises(
            FloatingPointError, match="of 1 of 2 images overflows torch.float32 at layer '3'"
        ) as error:
            propagate(start)
    assert 'rules="z_plus"' in str(error.value) and "biases=True" in str(error.value)
    for remedy in ({"rules": "z_plus"}, {"rules": "z", "biases": True}):
        assert lrp(cancelling, images, lambda y: start[0], **remedy).isfinite().all()


def test_methods_that_need_the_z_plus_rules(net, images):
    with pytest.raises(ValueError, match="clrp2 needs the z_plus rules"):
        clrp2(net, images, 0, rules="epsilon")
    with pytest.raises(ValueError, match="clrp2 needs the z_plus rules"):
        relevance_maps(net, images, 0, ["lrp", "clrp2"], rules="epsilon")
    with pytest.raises(ValueError, match='dual "logits" needs the z_plus rules'):
        clrp1(net, images, 0, dual="logits", rules="z")
    assert clrp1(net, images, 0, rules="epsilon").any()


def test_float16_is_refused_and_bfloat16_conserves_relevance(net, images):
    with pytest.raises(ValueError, match="float16 rounds to 0.*float32 or bfloat16"):
        lrp(net.half(), images.half(), torch.ones_like)
    maps = lrp(net.bfloat16(), images.bfloat16(), torch.ones_like)
    torch.testing.assert_close(total(maps.float()), torch.full((2,), 5.0), rtol=0.03, atol=0)


def test_biases_of_the_first_layer_take_no_relevance_under_z_plus(net, images):
    """The rule of the pixels, z^B, has none; those of the other layers are 0 here."""
    nn.init.zeros_(net[3].bias)
    maps = [lrp(net, images, torch.ones_like, biases=biases) for biases in (False, True)]
    torch.testing.assert_close(*maps)
    maps = [lrp(net, images, torch.ones_like, rules="epsilon", biases=biases) for biases in (False, True)]
    assert not torch.allclose(*maps)


@pytest.fixture
def with_batch_norm(net):
    norm = nn.BatchNorm2d(4)
    nn.init.uniform_(norm.running_var, 2, 3)
    nn.init.normal_(norm.running_mean)
    return nn.Sequential(net[0], norm, *net[1:]).eval()


def test_a_synchronised_batch_norm_is_a_batch_norm(with_batch_norm, images):
    maps = lrp(with_batch_norm, images, torch.ones_like)
    synchronised = nn.SyncBatchNorm.convert_sync_batchnorm(with_batch_norm)
    assert isinstance(synchronised[1], nn.SyncBatchNorm)
    torch.testing.assert_close(lrp(synchronised, images, torch.ones_like), maps)


def in_place(net):
    net.compile(backend="eager")
    return net


@pytest.mark.parametrize("compiled", [lambda net: torch.compile(net, backend="eager"), in_place])
def test_a_compiled_network_has_the_same_map(with_batch_norm, images, compiled):
    maps = lrp(with_batch_norm, images, torch.ones_like)
    network = compiled(copy.deepcopy(with_batch_norm))
    network(images)
    torch.testing.assert_close(lrp(network, images, torch.ones_like), maps)


def test_autocast_changes_nothing(with_batch_norm, images):
    maps = lrp(with_batch_norm, images, torch.ones_like)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(lrp(with_batch_norm, images, torch.ones_like), maps)


def steps(node):
    """The kinds of steps of a graph."""
    return {node.name()}.union(*(steps(parent) for parent, _ in node.next_functions if parent is not None))


@pytest.mark.parametrize("rules", RULES)
def test_layers_have_a_rule_and_no_gradient(with_batch_norm, images, rules):
    with propagation(with_batch_norm, images, rules) as propagate:
        found = steps(propagate._ends.grad_fn)
    own = {"RuledBackward", "MergedBackward", "PassedBackward"}
    assert found == own | {"ViewBackward0", "torch::autograd::AccumulateGrad"}


@pytest.mark.parametrize("lowest, halves", [(0, 1), (-1, 2)])
@pytest.mark.parametrize("biases", [False, True])
def test_z_plus_is_that_of_zennit_and_has_a_half_for_negative_inputs_only_where_there_are_some(
    lowest, halves, biases, monkeypatch
):
    torch.manual_seed(0)
    layer = nn.Linear(6, 5).double().requires_grad_(False)
    x, relevance = (
        torch.empty(3, 6, dtype=torch.float64).uniform_(lowest, 1).requires_grad_(),
        torch.rand(3, 5, dtype=torch.float64),
    )
    with ruled_layers(layer, None, zennit_rules("z_plus", biases, None, None)):
        output = layer(x)
        runs = []
        monkeypatch.setattr(layer, "forward", lambda x, run=layer.forward: runs.append(x) or run(x))
        (found,) = torch.autograd.grad(output, x, relevance)
    assert len(runs) == halves
    handles = ZPlus(stabilizer=divisor, zero_params=None if biases else ["bias"]).register(layer)
    (expected,) = torch.autograd.grad(layer(x), x, relevance)
    handles.remove()
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("lowest", [0, -1])
def test_a_large_matrix_in_parts_has_the_relevance_of_the_whole(lowest, biases, monkeypatch):
    torch.manual_seed(0)
    layer = nn.Linear(6, 5).double()
    x, relevance = (
        torch.empty(3, 6, dtype=torch.float64).uniform_(lowest, 1),
        torch.rand(3, 5, dtype=torch.float64),
    )
    rule = zennit_rules("z_plus", biases, None, None).linear.copy()
    rule.forward(layer, (x,), None)
    (whole,) = rule.backward(layer, (x,), (relevance,))
    monkeypatch.setattr(lrp_rules, "PART", 2 * 6 + 1)
    assert [len(part.weight) for part in lrp_rules._parts(layer, relevance)[0]] == [2, 2, 1]
    (in_parts,) = rule.backward(layer, (x,), (relevance,))
    assert whole.any() and torch.allclose(in_parts, whole, rtol=1e-12, atol=1e-15)


class Reusing(nn.Module):
    """Changes in place what a layer has seen."""

    def __init__(self, in_place):
        super().__init__()
        self.in_place, self.first, self.second, self.classes = (
            in_place,
            nn.Conv2d(3, 4, 3),
            nn.Conv2d(4, 4, 3),
            nn.Linear(8, 5),
        )

    def forward(self, images):
        x = self.first(images)
        y = self.second(x)
        x = nn.functional.relu(x, inplace=self.in_place)
        return self.classes(torch.cat([x.mean((2, 3)), y.relu().mean((2, 3))], dim=1))


@pytest.mark.parametrize("rules", RULES)
def test_what_a_layer_has_seen_may_change_in_place(images, rules):
    torch.manual_seed(0)
    plain, reusing = Reusing(False), Reusing(True)
    reusing.load_state_dict(plain.state_dict())
    expected = lrp(plain, images, torch.ones_like, rules=rules, biases=True)
    assert expected.any() and lrp(reusing, images, torch.ones_like, rules=rules, biases=True).equal(expected)


@pytest.mark.parametrize("layer", ["0", "1", "2"])
def test_relevance_enters_at_a_layer_on_either_side_of_a_batch_norm(with_batch_norm, images, layer):
    with propagation(with_batch_norm, images, layer=layer) as propagate:
        outputs, maps = propagate.outputs, propagate(propagate.outputs.abs())
    torch.testing.assert_close(outputs, with_batch_norm[: int(layer) + 1](images))
    torch.testing.assert_close(total(maps), total(outputs.abs()))


def test_hooks_of_others_see_the_relevance_of_a_layer(with_batch_norm, images):
    seen = []
    with_batch_norm[0].register_forward_hook(
        lambda module, inputs, output: output.register_hook(seen.append) and None
    )
    with propagation(with_batch_norm, images) as propagate:
        propagate(torch.ones(2, 5))
    (relevance,) = seen
    torch.testing.assert_close(total(relevance), torch.full((2,), 5.0))
