"""What the profile paper computes: studies, images and passes."""

from __future__ import annotations

import inspect
from typing import Any

import pandas as pd
import torch
import torchvision

from benchmarks.networks import images_like, torchvision_network
from benchmarks.scaling.passes import operations
from benchmarks.scaling.runs import count_passes
from contrastlib.assets.errors import one_line
from contrastlib.datasets import sources
from contrastlib.models.classifier import Classifier
from contrastlib.report import studies
from contrastlib.report.notebooks import execution

PLAN: dict[str, dict[str, dict[str, tuple[str, ...]]]] = {
    "01_theory": {
        "precision_networks": {"precision_table": ()},
        "path_networks": {"integrated_readings": ()},
    },
    "02_input_space": {"networks": {"sign_perturbation": ("iterations", "epsilons")}},
    "03_maps": {"networks": {"map_statistics": ()}},
    "04_masking": {"networks": {"masking_table": (), "masking_at_equal_shares": ()}},
    "05_corrections": {
        "choosing": {"perturbation_choices": ()},
        "sure": {"float32_perturbation": (), "float32_masking": ()},
    },
    "06_three_classes": {"networks": {"three_class_maps": ()}, "counted": {"mean_of_classes": ()}},
    "07_dominance": {
        "networks": {"dominance_table": ()},
        "slopes_of": {"gradient_norms": ()},
        "dominated": {"dominated_masking": ()},
    },
    "08_fullgrad": {"networks": {"fullgrad_maps": ()}},
    "09_transformers": {"networks": {"transformer_maps": ()}},
    "10_lrp": {"networks": {"class_relevance": ()}, "units": {"relevance_received": ()}},
    "15_one_family": {"networks": {"later_drops": (), "mosaic_pointing": (), "shared_evidence": ()}},
    "17_masking_errata": {
        "scoring_models": {"masking_scored_by_second_network": ()},
        "choosing": {"masking_choices": ()},
    },
    "18_layers": {"hooked": {"overwritten_tensors": ()}},
    "19_pointing": {
        "boxed": {"pointing": ()},
        "ablated": {"ablation_table": ()},
        "neurons": {"neuron_ablation": ()},
        "networks": {"relevance_duals": ()},
    },
}
"""Notebook -> parameter with networks -> study -> parameters of the notebook that are options of it."""
SPLITS = {name: [*record.splits.values()][-1] for name, record in sources.papers().items()}
"""Number of images of each set that the studies use: the official test or validation split."""
ARCHIVES = {name: (record.archive, record.count) for name, record in sources.papers().items()}
"""Bytes and images of the archive of each set, for the bytes of an image."""
STAND_IN = "alexnet"
"""Network with which passes of convolutional networks are counted: their number is the same for all."""
SIZE = 112
"""Side in pixels of the images with which passes are counted: their number does not depend on it."""
ALL_PASS = {"threshold": 0.0, "above": True}
"""Options with which every image passes the threshold: an upper bound of the passes."""
EVALUATED_ALONE = {"count", "loading", "layer", "layers", "dataset", "scoring_model"}
"""Options that name what only the paper's networks and data have. They do not change the number of passes."""


def table() -> pd.DataFrame:
    """Count what the profile computes.

    Returns:
        A row for each study and network of each notebook, with images, bytes (of an image file), batch,
        operations (of a forward pass of an image), forwards and backwards (passes of an image). Both are NaN
        where the passes cannot be counted with random weights, and why has the reason.
    """
    profile, rows, counted = execution.profile("paper"), [], {}
    for notebook, chosen in PLAN.items():
        for parameter, names in chosen.items():
            for network, (dataset, count, *extra) in profile[notebook].get(parameter, {}).items():
                for name, passed in names.items():
                    options = {key: profile[notebook][key] for key in passed} | (extra[0] if extra else {})
                    key = (name, "vit" in network, str(options))
                    if key not in counted:
                        counted[key] = _counted(name, network, options)
                        print(key, counted[key], flush=True)
                    total, files = ARCHIVES[dataset]
                    rows.append(
                        {
                            "notebook": notebook,
                            "study": name,
                            "network": network,
                            "dataset": dataset,
                            "images": min(count or SPLITS[dataset], SPLITS[dataset]),
                            "bytes": total / files,
                            "batch": studies.STUDIES[name].batch,
                            "ways": _ways(name),
                            **_forward(network),
                            **counted[key],
                        }
                    )
    return pd.DataFrame(rows)


def _ways(name: str) -> int:
    """How often a study is computed, for its choices and for the other resizing."""
    choices = studies.STUDIES[name].choices
    return len(choices) + 1 if choices else 1


def _forward(network: str) -> dict[str, float]:
    """Operations of a forward pass of an image of 224 pixels, which is not computed."""
    name = network.removeprefix("torchvision/").split("/")[0]
    with torch.device("meta"), torch.no_grad():
        model = torchvision.models.get_model(name, weights=None).eval()
        return {"operations": operations(lambda: model(torch.empty(1, 3, 224, 224)))}


def _counted(name: str, network: str, options: dict[str, Any]) -> dict[str, Any]:
    """Passes of a study, counted with a network of random weights on random images."""
    study = studies.STUDIES[name]
    architecture = "vit_b_16" if "vit" in network else STAND_IN
    model = Classifier(
        torchvision_network(architecture),
        name=architecture,
        class_names=map(str, range(1000)),
        layer=None if "vit" in network else "network.features.11",
        input_size=SIZE,
        checksum="random",
    )
    model.requires_grad_(False)
    images = images_like(224 if "vit" in network or "ablation" in name else SIZE, 1)
    changes = {key: value for key, value in options.items() if key not in EVALUATED_ALONE}
    stand_ins = _stand_ins(name, model, images, options)
    try:
        return count_passes(model, images, study, changes, **stand_ins) | {"why": ""}
    except Exception as error:  # noqa: BLE001 (the page lists what is not counted)
        return {
            "forwards": float("nan"),
            "backwards": float("nan"),
            "why": f"{type(error).__name__}: {one_line(error)[:200]}",
        }


def _stand_ins(name: str, model: Classifier, images: torch.Tensor, options: dict[str, Any]) -> dict[str, Any]:
    """Arguments of an evaluation in place of those that only the paper's networks and data have."""
    arguments = inspect.signature(studies.STUDIES[name].evaluation).parameters
    found: dict[str, Any] = {key: value for key, value in ALL_PASS.items() if key in arguments}
    if "objects" in arguments:
        region = torch.zeros(images.shape[-2:], dtype=torch.bool)
        region[:50, :50] = True
        found["objects"] = [[(0, region)]] * len(images)
    if "scoring_model" in options:
        found["scoring_model"] = model
    if "layers" in options:
        found["layers"] = [f"network.features.{position}" for position in (10, 11)]
    if "layer" in options:
        found["layer"] = "network.classifier.1"
    if "dataset" in arguments:
        found |= {"dataset": "photographs", "count": 2}
    return found
