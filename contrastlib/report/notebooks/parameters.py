"""Checks of the parameters that notebooks share, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from contrastlib import assets, datasets, models
from contrastlib._choices import check_choice
from contrastlib.contrasts import CONTRASTS
from contrastlib.evaluation import masking
from contrastlib.explainers import EXPLAINERS
from contrastlib.models import torchvision_hub
from contrastlib.report.computing.batches import other_networks

NEEDS = ("any", "feature maps", "tokens")
RANGES = {
    "resamples": (100, None),
    "images": (2, None),
    "blur_draws": (2, None),
    "drawn_birds": (2, None),
    "scenes": (10, 1500),
    "classes": (2, None),
}
"""Smallest and greatest value of the counts that do not begin at 1."""
SHARES = {"share": (0.01, 0.5)}
"""Smallest and greatest value of the shares."""
NAMES = {"methods": EXPLAINERS, "contrasts": CONTRASTS}
"""Known names of the parameters that are lists of names."""
SPECIES = "contrastlib.datasets.birds:species_names"
OWN_IMAGES = {SPECIES, "contrastlib.datasets.archives:CIFAR10"}
"""Classes whose images fit only networks with the same classes."""


def check(needs: str = "any", rank: int = 2, **given: Any) -> None:
    """Check parameters of a notebook, given under their names in the notebook.

    Args:
        needs: Requirement on networks. "feature maps" are activations (B, K, h, w), which Vision Transformers
            do not have. "tokens" are those of Vision Transformers. "any" accepts both.
        rank: Rank of the probability that ``threshold`` is compared with. 2 is the second-highest.
        **given: Parameters. ``threshold`` must be in [0, 1 / rank), ``mask_rule`` a known one, ``dataset`` a
            known set that fits ``network`` if both are given, ``share`` in [0.01, 0.5], ``methods`` and
            ``contrasts`` lists of known names, and ``layers`` modules of ``network``, or network -> modules
            of it. ``retrained`` must have options with ``compared_with`` for each network, and name only
            networks that this project trained. It, like others, is checked by its type:

            - A mapping is network -> [data set, count, options]. The count is at least 1, or None for all
              images.
            - A string, or a list of strings, names networks.
            - A whole number is a count of at least 1, or in the range that :data:`RANGES` has for its name.
            - A list of numbers contains positive ones.

    Raises:
        ValueError: A value is not possible. The message names the parameter and its value.
        TypeError: There is no rule for the type of a parameter.

    >>> check(networks={"birds_vgg": ["birds", 300]}, threshold=0.1, resamples=1000)
    >>> check(threshold=0.6)
    Traceback (most recent call last):
    ValueError: threshold = 0.6: choose 0 or more and less than 0.5; the probability of rank 2 is never higher
    """
    if needs not in NEEDS:
        raise ValueError(f"needs = {needs!r}: one of {', '.join(NEEDS)}")
    for name, value in given.items():
        if name == "threshold":
            _threshold(value, rank)
        elif name == "dataset":
            _dataset(f"dataset = {value!r}", value, given.get("network"))
        elif name == "mask_rule":
            check_choice(name, value, masking.MASK_RULES)
        elif name in NAMES:
            for each in value:
                check_choice(name, each, NAMES[name])
        elif name in SHARES:
            _share(name, value)
        elif name == "layers":
            _layers(value if isinstance(value, Mapping) else {given["network"]: value})
        else:
            _by_type(name, value, needs)


def measured_on(dataset: str, networks: Mapping[str, Sequence]) -> list[str]:
    """Names of the networks that a parameter measures on an image set.

    Args:
        dataset: Name of the set.
        networks: Network -> [data set, count, options].

    >>> measured_on("birds", {"birds_vgg": ["birds", 15], "efficientnet_lite0": ["photographs", 5]})
    ['birds_vgg']
    """
    return [name for name, (images, *_) in networks.items() if images == dataset]


def _by_type(name: str, value: Any, needs: str) -> None:
    if isinstance(value, Mapping):
        _networks(name, value, needs)
    elif isinstance(value, str):
        _network(f"{name} = {value!r}", value, needs)
    elif isinstance(value, Sequence):
        _list(name, value, needs)
    elif isinstance(value, (int, float)):
        _whole(name, value, *RANGES.get(name, ()))
    else:
        raise TypeError(f"{name} = {value!r}: there is no rule for such a parameter")


def check_key(name: str, value: str, of: str, known: Mapping[str, Any]) -> None:
    """Check that a parameter is a key of another one.

    Args:
        name: Name of the parameter.
        value: Its value.
        of: Name of the other parameter.
        known: Value of the other parameter.

    Raises:
        ValueError: It is not. The message names the keys.

    >>> check_key("network", "birds_vgg", "networks", {"birds_resnet": ["birds", 3]})
    Traceback (most recent call last):
    ValueError: network = 'birds_vgg': choose one of networks, which are birds_resnet
    """
    if value not in known:
        raise ValueError(f"{name} = {value!r}: choose one of {of}, which are {', '.join(map(str, known))}")


def _threshold(value: Any, rank: int) -> None:
    if not (_is_number(value) and 0 <= value < 1 / rank):
        raise ValueError(
            f"threshold = {value!r}: choose 0 or more and less than {1 / rank:.3g}; "
            f"the probability of rank {rank} is never higher"
        )


def _share(name: str, value: Any) -> None:
    least, greatest = SHARES[name]
    if not (_is_number(value) and least <= value <= greatest):
        raise ValueError(f"{name} = {value!r}: choose a share from {least} to {greatest}")


def _whole(name: str, value: Any, least: int = 1, greatest: int | None = None) -> None:
    is_whole = _is_number(value) and (isinstance(value, int) or value.is_integer())
    if not (is_whole and value >= least and (greatest is None or value <= greatest)):
        possible = f"{least} or more" if greatest is None else f"{least} to {greatest}"
        raise ValueError(f"{name} = {value!r}: choose a whole number, {possible}")


def _list(name: str, value: Sequence, needs: str) -> None:
    if not value:
        raise ValueError(f"{name} = {value!r}: name at least one")
    for each in value:
        if isinstance(each, str):
            _network(f"{name} = {list(value)!r}", each, needs)
        elif not (_is_number(each) and each > 0):
            raise ValueError(f"{name} = {list(value)!r}: choose positive numbers")


def _layers(layers: Mapping[str, Sequence[str]]) -> None:
    for network, names in layers.items():
        _network(f"layers[{network!r}] = {names!r}", network, "any")
        modules = dict(models.load(network).named_modules())
        for each in names:
            if each not in modules:
                raise ValueError(f"layers = {names!r}: {network} has no module {each!r}")


def _networks(name: str, value: Mapping, needs: str) -> None:
    if not value and name == "networks":
        raise ValueError("networks = {}: name at least one, such as {'birds_vgg': ['birds', 300]}")
    for network, spec in value.items():
        entry = f"{name}[{network!r}] = {spec!r}"
        if not isinstance(network, str):
            raise ValueError(f"{entry}: the name of a network is text, such as birds_vgg")
        _network(entry, network, needs)
        if not isinstance(spec, Sequence) or isinstance(spec, str) or len(spec) not in (2, 3):
            raise ValueError(f"{entry}: write [data set, number of images], and options if there are any")
        _dataset(entry, spec[0], network)
        if spec[1] is not None:
            _whole(f"{entry}, number of images", spec[1])
        options = spec[2] if len(spec) == 3 else {}
        _options(entry, options)
        if name == "retrained":
            _retrained(entry, network, options)


def _options(entry: str, options: Any) -> None:
    if not isinstance(options, Mapping):
        raise ValueError(f"{entry}: write the options as name -> value, such as {{'steps': 4}}")
    if not isinstance(options.get("compared_with", {}), Mapping):
        raise ValueError(f"{entry}: compared_with maps what a network stands for to its name")
    for other in other_networks(options):
        _network(entry, other, "any")


def _retrained(entry: str, network: str, options: Mapping) -> None:
    """Check a network that is compared with other trainings, all of which the page describes."""
    others = options.get("compared_with")
    if not others:
        raise ValueError(
            f"{entry}: name other networks in the options, such as "
            "{'compared_with': {'another seed': 'birds_vgg-seed1'}}"
        )
    trained = assets.trained_names()
    for each in (network, *others.values()):
        if each not in trained:
            raise ValueError(
                f"{entry}: this project did not train {each}, and the page describes trainings; choose among "
                f"{', '.join(trained)}"
            )


def _network(entry: str, network: str, needs: str) -> None:
    if not _is_known(network):
        raise ValueError(
            f"{entry}: {assets.unknown('network', network, [*models.MODELS, *torchvision_hub.names()])}"
        )
    if needs == "feature maps" and not _has_feature_maps(network):
        raise ValueError(
            f"{entry}: {network} is a Transformer and has no feature maps, which this page explains; "
            "choose another network, such as birds_vgg"
        )
    if needs == "tokens" and _has_feature_maps(network):
        raise ValueError(
            f"{entry}: {network} is no Transformer, and this page explains only those, such as birds_vit"
        )


def _is_known(network: str) -> bool:
    """Whether :func:`contrastlib.models.load` accepts the name. The weights need not be present."""
    architecture, _, dataset = network.partition("/")
    folder = dataset in datasets.DATASETS and datasets.DATASETS[dataset].folder
    finetuned = folder and torchvision_hub.PREFIX + architecture in torchvision_hub.names()
    return bool(finetuned) or bool(assets.network(network)) or network in torchvision_hub.names()


def _has_feature_maps(network: str) -> bool:
    if record := assets.network(network):
        return record.layer is not None
    architecture = network.removeprefix(torchvision_hub.PREFIX)
    return not any(
        architecture.startswith(name) for name, layer in torchvision_hub.LAYERS.items() if layer is None
    )


def _dataset(entry: str, dataset: str, network: str | None) -> None:
    """Check that the set is known, and that the network fits its images.

    A combination whose classes are not in the registry passes.
    """
    if not isinstance(dataset, str) or dataset not in datasets.DATASETS:
        raise ValueError(f"{entry}: {assets.unknown('data set', str(dataset), datasets.DATASETS)}")
    images, known = datasets.DATASETS[dataset], isinstance(network, str) and assets.network(network)
    labels = SPECIES if images.drawn else images.classes and images.classes.names
    if known and labels and labels != known.classes.names and OWN_IMAGES & {labels, known.classes.names}:
        raise ValueError(f"{entry}: {network} knows {known.classes.what}, and {dataset} holds {images.what}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
