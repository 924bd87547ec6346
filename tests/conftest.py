"""Small, quick and awkward networks: batch norm, residuals, operations in place. And what may be skipped."""

import errno
import gc
import multiprocessing
import os
import re
import subprocess
import sys
import warnings

import pytest
import torch
import torchvision
from torch import nn

from contrastlib import assets, contrasts
from contrastlib.assets import writing
from contrastlib.report.machines.allocation import ALLOCATION

for name, value in ALLOCATION.items():  # of workers and other processes that are started from here
    os.environ.setdefault(name, value)
if "PYTEST_XDIST_WORKER" in os.environ:  # the threads of workers side by side would wait for each other
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # those of the processes that a test starts, too

CLASSES, SIDE = 6, 32

# The only reasons for which continuous integration may skip a test.
MAY_SKIP = (
    r"needs a GPU",
    r"there is a GPU",
    r"needs SLURM: .*",
    r"needs permission to (mount a disk|make a namespace)",
    r"no Firefox on this machine: .*",
    *([] if os.environ.get("CONTRASTLIB_DATA") else [r"needs the data: .*"]),
)


def pytest_runtest_setup(item):
    """Skip a test marked ``data(*files)`` where one of the files is not there."""
    wanted = {name for mark in item.iter_markers("data") for name in mark.args}
    absent = sorted(name for name in wanted if not assets.available(name))
    if absent:
        pytest.skip(f"needs the data: {', '.join(absent)} not in {assets.root()}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return _skipped_for_a_reason((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _skipped_for_a_reason((yield))


def _skipped_for_a_reason(report):
    """In continuous integration a skip for a reason that is not in MAY_SKIP is a failure."""
    if report.outcome == "skipped" and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        reason = str(
            report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        ).removeprefix("Skipped: ")
        if not any(re.fullmatch(allowed, reason) for allowed in MAY_SKIP):
            report.outcome, report.longrepr = (
                "failed",
                f"skipped, which MAY_SKIP of tests/conftest.py does not allow: {reason}",
            )
    return report


@pytest.fixture(autouse=True)
def fresh_devices():
    """Accelerate keeps the devices and the precision of a process; each test starts with none."""
    yield
    if "accelerate.state" in sys.modules:
        sys.modules["accelerate.state"].AcceleratorState._reset_state(reset_partial_state=True)


class Residual(nn.Module):
    """A block as in ResNet; its addition and its ReLU work in place."""

    def __init__(self, width):
        super().__init__()
        self.convolution = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        branch = self.norm(self.convolution(x))
        branch += x
        return self.relu(branch)


def small_residual():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        Residual(8),
        nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(3),
        nn.Flatten(),
        nn.Linear(72, CLASSES),
    )


def small_vgg():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(8 * 13 * 13, 16),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(16, CLASSES),
    )


def torchvision_squeezenet():
    return torchvision.models.squeezenet1_1(num_classes=CLASSES)


def torchvision_resnet():
    return torchvision.models.resnet18(num_classes=CLASSES)


def torchvision_vgg():
    network = torchvision.models.vgg11_bn(init_weights=False)
    # the first of its linear layers alone has a hundred million weights
    network.classifier = nn.Sequential(
        nn.Linear(512 * 49, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, CLASSES)
    )
    return network


# network -> the layers to make maps at, in the order they run:
# before and after batch norm and ReLU, in and after blocks
SMALL = {small_residual: ["0", "1", "3.convolution", "3"], small_vgg: ["0", "3", "4", "5"]}
TORCHVISION = {
    torchvision_squeezenet: ["features.12", "classifier.1"],
    torchvision_vgg: ["features.25", "features.26", "features.27"],
    torchvision_resnet: ["layer4.1.conv2", "layer4"],
}


def build(make, dtype=torch.float64):
    """A network with random weights and lived-in batch norms, in evaluation mode."""
    torch.manual_seed(0)
    network = make()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
    return network.to(dtype).eval()


def random_images(batch=3, side=SIDE, seed=1, dtype=torch.float64):
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.fixture
def images():
    return random_images()


@pytest.fixture(params=SMALL, ids=lambda make: make.__name__)
def network(request):
    """A small network with ``layers`` to make maps at."""
    made = build(request.param)
    made.layers = SMALL[request.param]
    return made


@pytest.fixture(scope="session", params=TORCHVISION, ids=lambda make: make.__name__)
def torchvision_network(request):
    made = build(request.param)
    made.layers = TORCHVISION[request.param]
    return made


@pytest.fixture
def make_network():
    """``make_network(dtype=...)``: a small residual network; ``make_network.images(...)``: images for it."""

    def make(dtype=torch.float64):
        return build(small_residual, dtype)

    make.images = random_images
    return make


def half_weighted(logits, target):
    """Against the others by the softmax of half their logits: proportions of no contrast of the library."""
    chosen = nn.functional.one_hot(torch.as_tensor(target), logits.shape[1]).expand_as(logits).to(logits)
    return chosen - (logits / 2).masked_fill(chosen == 1, -torch.inf).softmax(dim=1)


def by_distance(logits, target):
    """Half against the others, by how far their logits are from the target's: each target has its own."""
    target = torch.as_tensor(target).expand(len(logits))[:, None]
    distance = (logits - logits.gather(1, target)).abs()
    return (distance == 0).to(logits) - distance / distance.sum(dim=1, keepdim=True) / 2


@pytest.fixture(params=[half_weighted, by_distance], ids=lambda function: function.__name__)
def added_contrast(request):
    """The record of a contrast that is registered for this test only."""
    function = request.param
    contrasts.register(
        question="Why {target}, {rival} and {others} in mind?",
        about="against a toy",
        formula=r"e_t - \tau",
        paper="wang2022",
        equation="eq. 0",
        sums_to_zero=function is half_weighted,
    )(function)
    yield contrasts.CONTRASTS[function.__name__]
    del contrasts.CONTRASTS[function.__name__]


@pytest.fixture
def forked(tmp_path_factory):
    """``forked(call, folder, environment)``: status and output of ``sys.exit(call())`` in a forked process.

    It is for commands that import torch and much else, which is here already.
    """
    output = tmp_path_factory.mktemp("forked") / "output"

    def run(call, folder=".", environment=os.environ):
        def work():
            with output.open("wb") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            sys.stdout = sys.stderr = os.fdopen(
                1, "w", buffering=1, encoding="utf-8"
            )  # in place of those that pytest reads
            variables = dict(environment)
            os.environ.clear()
            os.environ.update(variables)
            os.chdir(folder)
            sys.exit(call())

        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        process.join()
        return process.exitcode, output.read_text(encoding="utf-8")

    return run


@pytest.fixture
def sphinx_build(forked):
    """``sphinx_build(*arguments)`` does what ``python -m sphinx -q -W`` does."""
    import myst_nb  # noqa: F401, for all builds
    from sphinx.cmd.build import main

    def build(*arguments):
        status, said = forked(lambda: main(["-q", "-W", *map(str, arguments)]))
        assert status == 0, f"{status}: {said}"

    return build


@pytest.fixture
def tensors_alive():
    """Counts this test's tensors that Python can reach, with those that a cycle through the graph keeps."""
    gc.freeze()  # what was there before is not looked through: objects of all that is imported

    def count():
        gc.collect()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old names in torch that are looked at on the way
            return sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects())

    yield count
    gc.unfreeze()


@pytest.fixture
def disk(tmp_path):
    """``disk(kind)``: a "full", "read-only" or "empty" disk of 1 MiB. None without permission to mount it."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = []

    def make(kind):
        if subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, check=False
        ).returncode:
            return None
        mounted.append(place)
        if kind == "full":
            with pytest.raises(OSError), open(place / "filler", "wb", buffering=0) as filler:
                while True:
                    filler.write(bytes(4096))
        elif kind == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        return place

    yield make
    for each in mounted:
        subprocess.run(["umount", each], check=True)


REASONS = {
    "full": (errno.ENOSPC, "No space left on device: free some space"),
    "read-only": (errno.EROFS, "Read-only file system: its disk is read-only"),
}


@pytest.fixture(params=REASONS)
def refusing(request, disk, tmp_path, monkeypatch):
    """A folder in which nothing can be written, and why: a real disk, or its errors where none is mounted."""
    code, said = REASONS[request.param]
    place = disk(request.param)
    if place is None:
        place = tmp_path / "disk"

        def refuse(*_, **__):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(writing.tempfile, "TemporaryFile", refuse)
    return place, said
