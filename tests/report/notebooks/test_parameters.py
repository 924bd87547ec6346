"""Parameters of notebooks: what is wrong is said, and what the notebooks and profiles have is right."""

import ast
import re
from fractions import Fraction

import nbformat
import pytest

from contrastlib.report.notebooks import execution, parameters


@pytest.mark.parametrize("needs, given, said", [
    ("any", {"threshold": 0.5}, r"threshold = 0.5: .* less than 0.5"),
    ("any", {"threshold": -0.1}, "threshold = -0.1"),
    ("any", {"threshold": "0.1"}, "threshold = '0.1'"),
    ("any", {"resamples": 99}, "resamples = 99: choose a whole number, 100 or more"),
    ("any", {"pictures": 0}, "pictures = 0: choose a whole number, 1 or more"),
    ("any", {"pictures": 1.5}, "pictures = 1.5"),
    ("any", {"pictures": True}, "pictures = True"),
    ("any", {"epsilons": [0.1, 0]}, "epsilons = .* positive"),
    ("any", {"network": "birds_vgh"}, "did you mean 'birds_vgg'"),
    ("any", {"network": "birds_vgg", "dataset": "bird"}, "unknown data set 'bird'"),
    ("any", {"network": "birds_vgg", "dataset": "photographs"},
     "birds_vgg knows the 30 species .* five photographs"),
    ("any", {"networks": []}, "at least one"),
    ("any", {"networks": {None: ["birds", 3]}}, r"networks\[None\] = .*: the name of a network is text"),
    ("any", {"networks": {"birds_vgg": [["birds"], 3]}}, r"unknown data set \"\['birds'\]\""),
    ("any", {"dataset": {}}, r"dataset = \{\}: unknown data set '\{\}'"),
    ("any", {"network": ["birds_vgg"], "dataset": "bird"}, "unknown data set 'bird'"),
    ("any", {"networks": {}}, "at least one"),
    ("any", {"networks": ["birds_vgg", "birds_vgh"]}, "birds_vgg"),
    ("any", {"networks": {"birds_vgg": "birds"}}, "number of images"),
    ("any", {"networks": {"birds_vgg": ["birds", 0]}}, "1 or more"),
    ("any", {"networks": {"birds_vgg": ["cifar10-test", 10]}}, "birds_vgg knows"),
    ("any", {"networks": {"birds_vgg": ["birds", 10, ["steps", 4]]}}, "write the options as name -> value"),
    ("any", {"networks": {"birds_vgg": ["birds", 10, {"scoring_model": "birds_vgh"}]}}, "mean 'birds_vgg'"),
    ("any", {"networks": {"birds_vgg": ["birds", 10, {"compared_with": ["birds_vgg-seed1"]}]}},
     "compared_with maps what a network stands for"),
    ("any", {"networks": {"birds_vgg": ["birds", 10, {"compared_with": {"itself": "birds_vgh"}}]}},
     "mean 'birds_vgg'"),
    ("any", {"retrained": {"birds_vgg": ["birds", 10]}}, r"retrained\['birds_vgg'\] = .*: name other"),
    ("any", {"retrained": {"birds_vgg": ["birds", 10, {"steps": 4}]}}, "name other networks"),
    ("any", {"retrained": {"birds_vgg": ["birds", 10, {"compared_with": {}}]}}, "name other networks"),
    ("any", {"retrained": {"birds_vgg": ["birds", 10, {"compared_with": {"a": "torchvision/vgg16"}}]}},
     "did not train torchvision/vgg16, .* choose among birds_alexnet, "),
    ("any", {"retrained": {"efficientnet_lite0": ["photographs", 5, {"compared_with": {"a": "birds_vgg"}}]}},
     "did not train efficientnet_lite0"),
    ("any", {"networks": {"efficientnet_lite0": ["birds", 10]}}, "1000 classes of ImageNet"),
    ("any", {"networks": {"vgg16/nowhere": ["cub200", 10]}}, "unknown network"),
    ("feature maps", {"networks": {"birds_vit": ["birds", 10]}}, "Transformer and has no feature maps"),
    ("feature maps", {"network": "vit_b_16/food101"}, "Transformer"),
    ("feature maps", {"network": "torchvision/vit_b_16"}, "Transformer"),
    ("tokens", {"network": "birds_vgg"}, "no Transformer"),
    ("any", {"images": 1}, "images = 1: choose a whole number, 2 or more"),
    ("any", {"scenes": 1501}, "scenes = 1501: choose a whole number, 10 to 1500"),
    ("any", {"mask_rule": "by_size"}, "unknown mask_rule 'by_size'; choose one of by_sign"),
    ("any", {"contrasts": ["original", "meen"]}, "unknown contrasts 'meen'; choose one of original, mean"),
    ("any", {"methods": ["gradcam", "grad"]}, "unknown methods 'grad'; choose one of"),
    ("any", {"network": "birds_vgg", "layers": ["features.18"]}, "birds_vgg has no module 'features.18'"),
    ("any", {"layers": {"birds_vgg": ["network.features.18"], "birds_resnet": ["fc"]}},
     "birds_resnet has no module 'fc'"),
    ("any", {"layers": {"birds_vgh": []}}, "did you mean 'birds_vgg'"),
    ("everything", {}, "needs"),
])  # fmt: skip
def test_what_is_wrong_is_said(needs, given, said):
    with pytest.raises(ValueError, match=said):
        parameters.check(needs, **given)


def test_the_threshold_of_a_third_class_is_lower():
    parameters.check(rank=3, threshold=0.33)
    with pytest.raises(ValueError, match="less than 0.333; the probability of rank 3"):
        parameters.check(rank=3, threshold=0.4)


RANK = {"06_three_classes": 3}  # of the probability that the threshold is compared with, elsewhere 2


@pytest.mark.parametrize("path", execution.find([]), ids=lambda path: path.stem)
def test_the_range_of_the_threshold_is_the_one_that_is_checked(path):
    cells = execution.read(path).cells
    (given,) = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    rank = RANK.get(path.stem, 2)
    for upper in re.findall(r"(?m)^threshold = .*# 0 to (\S+):", given):
        assert float(Fraction(upper)) == pytest.approx(1 / rank)
        assert rank == 2 or f"rank={rank}" in "".join(cell.source for cell in cells)


def test_a_type_without_a_rule():
    with pytest.raises(TypeError, match="photo"):
        parameters.check(photo=None)


@pytest.mark.parametrize("share", [0, 0.9, "a", True])
def test_shares_that_are_none(share):
    with pytest.raises(ValueError, match="share = .*: choose a share from 0.01 to 0.5"):
        parameters.check(share=share)


def test_a_key_of_another_parameter():
    parameters.check_key("network", "birds_vgg", "networks", {"birds_vgg": ["birds", 3]})


NEEDS_NO_CHECK = {"profile", "photo", "measurements", "seeds"}  # any name of a folder, any file, yes or no


@pytest.mark.parametrize("path", execution.find([]), ids=lambda path: path.stem)
def test_every_parameter_is_explained_and_checked(path):
    """A comment says what it is; a call of this module has its value before anything is computed."""
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    [given] = [cell.source for cell in code if "parameters" in cell.metadata.get("tags", [])]
    lines = given.splitlines()
    for statement in ast.parse(given).body:
        assert "#" in "".join(lines[max(statement.lineno - 2, 0) : statement.end_lineno]), statement.targets[
            0
        ].id
    calls = [call for cell in code for call in ast.walk(ast.parse(cell.source)) if isinstance(call, ast.Call)]
    checks = [call for call in calls if ast.unparse(call.func).startswith("parameters.check")]
    names = {node.id for call in checks for node in ast.walk(call) if isinstance(node, ast.Name)}
    assert set(execution.defaults(path)) - NEEDS_NO_CHECK <= names


CHECKED = (
    "network",
    "networks",
    "threshold",
    "resamples",
    "dataset",
    "pictures",
    "mask_rule",
    *parameters.RANGES,
)


@pytest.mark.parametrize("profile", ["quick", "real", "paper"])
@pytest.mark.parametrize("path", execution.find([]), ids=lambda path: path.stem)
def test_notebooks_and_profiles_pass(path, profile):
    values = execution.defaults(path) | execution.parameters(path, execution.profile(profile))
    shared = {
        name: value
        for name, value in values.items()
        if name in CHECKED or (isinstance(value, dict) and name != "layers")
    }
    parameters.check("tokens" if "transformers" in path.stem else "any", **shared)
