"""Threads explain one network in turns, and networks of their own at the same time."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
import torch
from torch import nn

import contrastlib
from contrastlib.autograd import as_found, forward, predict
from contrastlib.autograd.turns import has_turn, turn

THREADS = 4


@pytest.fixture(autouse=True)
def many_switches():
    """Threads that interrupt each other often."""
    before, threads = sys.getswitchinterval(), torch.get_num_threads()
    sys.setswitchinterval(1e-5)
    torch.set_num_threads(1)
    yield
    sys.setswitchinterval(before)
    torch.set_num_threads(threads)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(),
        nn.Conv2d(4, 4, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 5),
    )


def in_threads(work, count=THREADS):
    with ThreadPoolExecutor(count) as pool:
        return [each.result(timeout=60) for each in [pool.submit(work, index) for index in range(count)]]


@pytest.mark.parametrize(
    "method, repetitions",
    [
        ("gradcam", 40),
        ("gradient", 40),
        ("lrp", 10),
        ("fullgrad", 15),
        ("deeplift", 15),
        ("guided_backpropagation", 15),
    ],
)
def test_maps_of_one_network_in_training_from_several_threads(network, method, repetitions):
    images = torch.rand(THREADS, 1, 3, 12, 12)
    expected = [contrastlib.explain(network, each, 1, method) for each in images]
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}

    def work(index):
        return [contrastlib.explain(network, images[index], 1, method) for _ in range(repetitions)]

    for maps, right in zip(in_threads(work), expected):
        assert all(torch.equal(each, right) for each in maps)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(module.training for module in network.modules())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())


def test_passes_of_several_threads(network):
    """A forward pass and its backward pass take turns of their own."""
    images, w = torch.rand(THREADS, 2, 3, 12, 12), torch.randn(2, 5)
    expected = [forward(network, each, ["0", "4"]).pull_back(w)["4"] for each in images]
    network.train()

    def work(index):
        return [forward(network, images[index], ["0", "4"]).pull_back(w)["4"] for _ in range(30)]

    for found, right in zip(in_threads(work), expected):
        assert all(torch.equal(each, right) for each in found)
    assert network.training and all(parameter.requires_grad for parameter in network.parameters())


def test_torch_compile_works_afterwards(network):
    """The stance of the compiler belongs to the process."""
    compilations, images = [], torch.rand(1, 3, 12, 12)

    def backend(graph, inputs):
        compilations.append(graph)
        return graph.forward

    in_threads(lambda index: [contrastlib.explain(network, images, 1) for _ in range(30)])
    torch.compile(lambda x: x + 1, backend=backend)(images)
    assert len(compilations) == 1


class Counted(nn.Module):
    """Counts the threads that run it at the same time."""

    def __init__(self):
        super().__init__()
        self.classes, self.inside, self.most, self.lock = nn.Linear(27, 2), 0, 0, threading.Lock()

    def forward(self, x):
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        logits = self.classes(x.flatten(1))
        threading.Event().wait(0.002)
        with self.lock:
            self.inside -= 1
        return logits


@pytest.mark.parametrize("around", [lambda net: net, nn.Sequential])
def test_a_network_and_one_around_it_take_turns(around):
    network, images = Counted(), torch.rand(1, 3, 3, 3)
    networks = network, around(network)
    in_threads(lambda index: [predict(networks[index % 2], images) for _ in range(10)])
    assert network.most == 1


def test_networks_that_share_a_parameter_take_turns():
    one, other = nn.Linear(2, 2), nn.Linear(2, 2)
    other.weight = one.weight
    with as_found(one):
        free = in_threads(lambda index: _is_free([*other.modules(), *other.parameters()]), 1)
    assert free == [False]


def _is_free(parts):
    taken = threading.Event()

    def take():
        with turn(parts):
            taken.set()

    threading.Thread(target=take, daemon=True).start()
    return taken.wait(0.2)


def test_different_networks_run_at_the_same_time():
    barrier = threading.Barrier(2)

    class Waiting(nn.Module):
        """Waits until the other thread runs its network too."""

        def __init__(self):
            super().__init__()
            self.classes = nn.Linear(27, 2)

        def forward(self, x):
            barrier.wait(timeout=20)
            return self.classes(x.flatten(1))

    networks = Waiting(), Waiting()
    found = in_threads(
        lambda index: contrastlib.explain(networks[index], torch.rand(1, 3, 3, 3), 1, "gradient"), 2
    )
    assert [each.shape for each in found] == [(1, 3, 3), (1, 3, 3)]


def test_a_thread_that_runs_the_network_itself_is_not_recorded(network):
    """As a server does that answers with logits while it explains."""
    network.eval()
    images = torch.rand(THREADS, 1, 3, 12, 12)
    maps = [contrastlib.explain(network, each, 1) for each in images]
    with torch.no_grad():
        logits = [network(each) for each in images]

    def work(index):
        if index % 2:
            return [
                torch.equal(contrastlib.explain(network, images[index], 1), maps[index]) for _ in range(60)
            ]
        with torch.no_grad():
            return [torch.equal(network(images[index]), logits[index]) for _ in range(200)]

    assert all(map(all, in_threads(work)))


def test_a_turn_ends_with_an_error(network):
    with pytest.raises(RuntimeError, match="oh"), as_found(network), as_found(network):
        assert has_turn(network)
        raise RuntimeError("oh")
    assert not has_turn(network) and in_threads(lambda index: _is_free([network]), 1) == [True]
    compilations = []
    torch.compile(lambda x: x - 1, backend=lambda graph, _: compilations.append(1) or graph.forward)(
        torch.ones(2)
    )
    assert compilations


@pytest.mark.parametrize("around", [nullcontext, torch.no_grad, torch.inference_mode])
def test_a_turn_inside_a_turn(network, around):
    images = torch.rand(1, 3, 12, 12)
    expected = contrastlib.explain(network, images, 1)
    with as_found(network), around():
        assert torch.equal(contrastlib.explain(network, images, 1), expected)
        assert not network.training
    assert network.training
