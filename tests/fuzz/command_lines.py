"""Random command lines, and what came of them."""

import contextlib
import io

from hypothesis import strategies as st
from outcomes import counted
from strategies import mostly

from contrastlib.__main__ import main
from contrastlib.contrasts import CONTRASTS
from contrastlib.explainers import EXPLAINERS

ODD = st.one_of(
    st.sampled_from([
        "", " ", "-", "--", "-1", "0", "1e-3", "~nosuchuser", "~nosuchuser/x", "a" * 400, "\udcff", "*",
        "$(ls)", "{}", "[1", "٣", "²", "nan", "1" * 5000, "../..", "/", ".", "/dev/null", "--help", "🐦",
        "a\nb", "=", "--x=1", "@file", "%s", "{0}",
    ]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
)  # fmt: skip
"""Words that are rarely right. No word of a command line holds a zero byte."""
PHOTOS = st.sampled_from(["bird.png"] * 30 + [
    "grey.jpg", "a photo – with spaces.png", "one-pixel.png", "flat.png", "depth.tiff", "cut.png",
    "empty.png", "text.jpg", "folder.png", "missing.png", "no/where.png",
])  # fmt: skip
CLASSES = st.sampled_from(
    ["0", "1", "4", "raven", "house finch"] * 4
    + ["finch", "owl", "purple", "5", "-1", "CORVUS CORAX", "$x_1$", "rabben"]
)
LAYERS = st.sampled_from(["network.0", "network.1"] * 4 + ["network.4", "input", "nowhere", "norm.0"])
OUTPUTS = st.sampled_from(["out.png", "out", "out.jpg", "out.tiff"] * 4 + [
    "out.pdf", "out.svg", "out.webp", "out.eps", "out.pgf", "out.raw", "out.exe", "missing/out.png",
    "folder.png", "bird.png", "folder.png/out.png", ".png", "a" * 300 + ".png", "out.PNG", "out.",
])  # fmt: skip
NETWORKS = st.sampled_from(["tiny"] * 25 + [
    "tiny-vit", "without-layer", "birds_vgh", "torchvision/nothing", "torchvision/resnet18", "mobilenet_v2",
    "vgg16_bn/cub200", "resnet50",
])  # fmt: skip
NAMES = [
    "birds_vgg", "cifar10_vit", "imagenet-sample", "birds", "all", "cub200", "squeezenet1_1",
    "torchvision/vgg16_bn", "torchvision/x", "efficientnet-lite0-57934424.pth", "nothing", "photographs",
    "imagenet-val", "stanford-cars", "food101",
]  # fmt: skip


def _maybe(flag, values):
    """No words, or a flag and its value."""
    return st.one_of(st.just([]), st.just([]), mostly(values, ODD).map(lambda value: [flag, value]))


def _joined(*parts):
    return st.tuples(*parts).map(lambda lists: [word for words in lists for word in words])


def _some(values, most=2):
    return st.lists(mostly(values, ODD), max_size=most)


explain = _joined(
    mostly(PHOTOS, ODD).map(lambda photo: ["explain", photo]),
    mostly(NETWORKS, ODD).map(lambda name: ["--network", name]),
    _maybe("--method", st.sampled_from([*EXPLAINERS] * 3 + ["lime"])),
    _maybe("--contrast", st.sampled_from([*CONTRASTS] * 3 + ["best"])),
    _maybe("--target", CLASSES),
    _maybe("--layer", LAYERS),
    st.one_of(st.just([]), st.just([]), _some(CLASSES, 3).map(lambda foils: ["--foil", *foils])),
    _maybe("--top", st.sampled_from(["1", "3", "99", "0", "-3", "many"])),
    _maybe("-o", OUTPUTS),
)
NOTEBOOKS = st.sampled_from(
    ["01_theory", "03_maps", "04", "maps", "13_cost", "notebooks/01_theory.ipynb", "99", "nothing"]
)
PARAMETERS = st.sampled_from(["resamples", "networks", "network", "threshold", "profile", "steps", "x"])
VALUES = st.sampled_from([
    "1e-3", "[1, 2", "{birds_vgg: [birds, 3]}", "2026-01-01", "!!set {a}", "null", "None", "-1e-3", "-3",
    "&a [*a]", "*b", "[" * 400, "!!python/object:os.system x", "'", "yes", "0x1f", ": :", "\t", "!!binary x",
    "<<: 3", "{<<: 3}", "? [a]",
])  # fmt: skip
run = _joined(
    st.just(["run"]),
    _some(NOTEBOOKS),
    _maybe("--profile", st.sampled_from(["quick", "real", "paper", "nothing", "../profiles/real"])),
    st.one_of(
        st.just([]), st.builds(lambda name, value: ["-p", name, value], PARAMETERS | ODD, VALUES | ODD)
    ),
    st.lists(st.sampled_from(["--page", "--force", "--save", "-p", "-x"]), max_size=2),
)
data = _joined(st.just(["data"]), st.sampled_from([["fetch"], ["verify"], []]), _some(st.sampled_from(NAMES)))
train = _joined(
    st.just(["train"]),
    _some(st.sampled_from(["birds_vgg", "birds_vit", "cifar10_vit", "nothing"])),
    *(
        _maybe(flag, st.sampled_from(["1", "0", "-1", "2.5", "1" * 30]))
        for flag in ("--epochs", "--pictures", "--seed")
    ),
    _maybe("--output", OUTPUTS),
)
NUMBERS = ("--epochs", "--batch", "--rate", "--momentum", "--weight-decay", "--size", "--seed", "--workers")
finetune = _joined(
    st.just(["finetune"]),
    _some(st.sampled_from(["vgg16_bn", "alexnet", "torchvision/alexnet", "nothing"]), 1),
    _some(st.sampled_from(["cub200", "food101", "birds", "nothing"]), 1),
    st.lists(st.sampled_from(["--augment"]), max_size=1),
    *(_maybe(flag, st.sampled_from(["1", "0", "-1", "0.5", "nan", "1e400"])) for flag in NUMBERS),
    _maybe("--precision", st.sampled_from(["no", "bf16", "int4"])),
    _maybe("--output", OUTPUTS),
)
lab = _joined(
    st.just(["lab"]), st.lists(st.sampled_from(["--prepare", "--", "--no-browser", "x"]), max_size=3)
)
COMMAND = st.sampled_from(["explain", "run", "data", "train", "finetune", "lab"])
others = st.one_of(
    st.just([]),
    st.sampled_from(["--help", "--version", "-h", "fly", "expl", "explain", "EXPLAIN"]).map(lambda x: [x]),
    st.tuples(COMMAND, st.just("--help")).map(list),
    st.lists(ODD, max_size=3),
)
COMMANDS = {
    "explain": explain,
    "run": run,
    "data": data,
    "train": train,
    "finetune": finetune,
    "lab": lab,
    "others": others,
}


def status_of(kind, words):
    """Run a command in this process; its exit status and what it wrote. Whatever else ends it, is a fault.

    Streams are those of a process: stdout refuses what it cannot encode, stderr escapes it.
    """
    streams = io.BytesIO(), io.BytesIO()
    out = io.TextIOWrapper(streams[0], encoding="utf-8", errors="strict", write_through=True)
    err = io.TextIOWrapper(streams[1], encoding="utf-8", errors="backslashreplace", write_through=True)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(words)
        except SystemExit as end:  # argparse, or a message
            status = 0 if end.code is None else end.code
            if isinstance(status, str):
                err.write(f"{status}\n")
                status = 1
    said = [stream.getvalue().decode() for stream in streams]
    assert_told(status, *said)
    counted(kind, "result" if status == 0 else f"exit status {status}")
    return status, *said


def assert_told(status, written, errors):
    """Fail unless a failure was told in a line, below the usage where the words themselves were wrong."""
    assert status in (0, 1, 2), status
    assert "Traceback" not in errors and "this is a bug of contrastlib" not in errors, errors
    lines = [line for line in errors.split("\n") if line.strip()]
    if status:
        assert lines or written, "it fails without a word"
        assert (
            not lines or "contrastlib" in lines[-1] or len(lines) == 1 or lines[-1].startswith("missing")
        ), lines
