"""The tour: its steps are states of the explorer, and its texts name the classes of the picture."""

import pytest

from contrastlib.explorer import Explorer, bird, initial_state


def test_steps(networks):
    explorer = Explorer([bird(31), bird(40)], networks[:1], methods=["gradcam"], classes=3, tour=True)
    names = [each["name"] for each in explorer.header["pictures"][0]["views"]["tiny"]["classes"]]
    tour = explorer.header["tour"]
    asked = [
        [(pane["rank"], pane["contrast"], pane["foils"]) for pane in step["state"]["panes"]] for step in tour
    ]
    logit, rival = (0, "original", []), (0, "among", [1])
    assert asked == [[logit, (1, "original", [])], [logit, rival], [rival, (0, "among", [2])], [logit, rival]]
    assert [step["state"]["keep"] for step in tour] == ["all", "all", "all", "positive"]
    for step in tour:
        assert set(step["state"]) == set(explorer.header["state"]) and names[0] in step["text"]
        panes = [dict(pane) for pane in step["state"]["panes"]]
        common = {key: step["state"][key] for key in initial_state.COMMON}
        assert initial_state.state(panes, common, explorer.header) == step["state"]
    assert names[2] in tour[2]["text"]


def test_two_classes_have_no_third(networks):
    tour = Explorer([bird(31)], networks[:1], methods=["gradcam"], classes=2, tour=True).header["tour"]
    assert [step["title"] for step in tour] == ["One logit", "Against the rival", "Masking"]


def test_without_a_linear_method_there_is_none(networks):
    with pytest.raises(ValueError, match="the tour needs a linear method, and tiny_vit has none here"):
        Explorer([bird(31)], networks[1:], methods=["gradient_attention_rollout"], classes=3, tour=True)
    assert (
        Explorer([bird(31)], networks[1:], methods=["gradient_attention_rollout"], classes=3).header["tour"]
        == []
    )
