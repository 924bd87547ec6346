"""Modules with a toy explainer and a toy contrast, and what offers a method or contrast to its users."""

import re

import pytest
import torch
from torch import nn

import contrastlib
from contrastlib import models
from contrastlib.__main__ import main
from contrastlib.contrasts import CONTRASTS
from contrastlib.explainers import EXPLAINERS
from contrastlib.explorer import Explorer, bird
from contrastlib.report.pages import families, one_by_one
from contrastlib.report.pages.contrast_table import contrast_table
from contrastlib.report.pages.explainer_table import explainer_table

EXPLAINER = '''
"""A toy."""

from contrastlib.explainers.explainer import register


@register(
    title="Toy", about="A multiple of the gradient.", space="pixels", needs="pass", linear=True,
    formula="f g", paper="gu2018", equation="nowhere", cost="1 forward, 1 backward",
)
def toy(record, cotangent, layer=None, factor=2):
    """Multiply the gradient by a factor."""
    return factor * record.pull_back(cotangent)[record.layer(layer)]
'''
CONTRAST = '''
"""A toy."""

from contrastlib.contrasts.registry import register
from contrastlib.contrasts.weights import mean, weighted


@register(
    question="Why {target} in a file of its own?", about="against a toy", formula="w + w'", paper="wang2022",
    equation="eq. 0",
)
def toy(logits, target):
    """Add the mean and the weighted contrast."""
    return mean(logits, target) + weighted(logits, target)
'''


def classifier():
    """A small network of 30 classes for images of 32 x 32 pixels."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 30)
    )
    names = [f"class {i}" for i in range(30)]
    return models.Classifier(
        network, name="small", class_names=names, layer="network.0", input_size=32, checksum="none"
    )


def check_explainer(module, capsys):
    """The toy is in explain, the command line's help, the explorer's menu and code, and the book's pages."""
    network, image = classifier(), torch.rand(1, 3, 32, 32)
    gradient = contrastlib.explain(network, image, 1, "gradient")
    for options, factor in (({}, 2), ({"factor": 3}, 3)):
        maps = contrastlib.explain(network, image, 1, "toy", **options)
        torch.testing.assert_close(maps, factor * gradient)

    assert re.search(r"^ +toy +A multiple of the gradient\.$", _help(capsys), re.MULTILINE)

    offered = Explorer([bird(31)], [network], methods=["gradient", "toy"], classes=3).header["methods"]
    assert list(offered) == ["gradient", "toy"]
    assert (offered["toy"]["title"], offered["toy"]["about"]) == ("Toy", "A multiple of the gradient.")
    assert "'toy'" in offered["toy"]["code"]

    row = f'`"toy" <{module}.toy>` | A multiple of the gradient. $f g$ | yes |'
    assert row in explainer_table()
    assert one_by_one.method(EXPLAINERS["toy"]).startswith("## Toy\n")
    assert "- Toy: `toy`" in families.listed_columns()
    assert "| Toy |" in families.families_table(families.load(), "timm"), "which was measured without it"


def check_contrast(capsys):
    """The toy is in explain, the command line's help, the explorer's menu, and the book's pages."""
    network, image = classifier(), torch.rand(1, 3, 32, 32)
    maps = {
        name: contrastlib.explain(network, image, 1, contrast=name) for name in ("mean", "weighted", "toy")
    }
    torch.testing.assert_close(maps["toy"], maps["mean"] + maps["weighted"])
    assert re.search(r"^ +toy +against a toy", _help(capsys), re.MULTILINE)
    header = Explorer([bird(31)], [network], methods=["gradcam"], classes=3).header
    assert header["contrasts"]["toy"]["about"] == "against a toy"
    assert '`"toy"`' in contrast_table()
    assert one_by_one.contrast(CONTRASTS["toy"]).startswith("## toy\n")


def _help(capsys):
    with pytest.raises(SystemExit):
        main(["explain", "--help"])
    return capsys.readouterr().out
