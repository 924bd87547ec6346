"""Figures and tables of the interventions page, from tables with known numbers."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from contrastlib import models
from contrastlib.evaluation.interventions import OWN_QUESTION, QUESTIONS
from contrastlib.report.figures import interventions, one_intervention, shared
from contrastlib.report.studies.bird_interventions import with_seeds

CONTRASTS = (*OWN_QUESTION, "among")


def table(networks=("birds_vgg", "birds_vit"), images=6, own=0.6, other=0.2):
    """The own question of a contrast has one correlation, the others another; methods differ in nothing."""
    draw = np.random.default_rng(0)
    rows = []
    for network, image in product(networks, range(images)):
        gradcam = "vit_gradcam" if "vit" in network else "gradcam"
        for method, contrast, question in product((gradcam, "input_x_gradient"), CONTRASTS, QUESTIONS):
            is_own = OWN_QUESTION.get(contrast) == question
            rows.append(
                {
                    "network": network,
                    "method": method,
                    "contrast": contrast,
                    "question": question,
                    "image": image,
                    "group": image,
                    "correlation": (own if is_own else other) + 0.001 * draw.standard_normal(),
                    "top": is_own,
                    "parts": 10,
                    "fall_bird": 3.0,
                    "fall_background": -1.0,
                    "map_background": 0.4 if contrast == "original" else 0.3,
                }
            )
        rows.append(rows[-1] | {"method": "clrp1", "contrast": "own", "question": "log_odds"})
    return pd.DataFrame(rows)


def test_at_a_glance_shows_each_family_at_its_largest_scale():
    figure = interventions.at_a_glance(
        {"quick": table(), "real": table(["birds_vgg", "birds_vgg-seed1"])}, 100
    )
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert titles == ["VGG\nreal: 2 networks, 6 pictures", "Vision Transformer\nquick: 1 network, 6 pictures"]
    texts = [text.get_text().split("\n")[0] for text in figure.axes[0].texts]
    assert len(texts) == len(QUESTIONS) * len(CONTRASTS) and set(texts[:3]) == {"+0.60", "+0.20"}
    assert len(figure.axes[0].patches) == len(OWN_QUESTION)


def test_the_forest_has_a_row_for_each_network_and_scale():
    figure = interventions.forest({"quick": table(), "real": table(["birds_resnet"])}, 100)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["small VGG (quick)", "small ViT (quick)", "small ResNet (real)"]
    for ax in figure.axes:
        (points,) = [
            each for each in ax.lines if each.get_linestyle() == "None" and len(each.get_xdata()) == 3
        ]
        assert np.allclose(points.get_xdata(), 0.4, atol=0.03)


def test_tables():
    measured = {"quick": table()}
    own = interventions.own_question(measured, 100).data
    assert own.loc[("VGG (quick)", "GradCAM"), "weighted: log-odds"].startswith("+0.60 [+0.")
    assert own.loc[("VGG (quick)", "CLRP1"), "own: log-odds"].startswith(
        "+0.20"
    ) and "GradCAM of tokens" in own.index.get_level_values(1)
    top = interventions.top_parts(measured, 100).data
    assert (top["original: yₜ"] == "100% [100%,\N{NO-BREAK SPACE}100%]").all() and (
        top["chance"] == "10%"
    ).all()
    outside = interventions.outside(measured, 100).data
    assert outside.loc[("quick", "small ViT"), "effect: yₜ"].startswith("25%")
    assert outside.loc[("quick", "small VGG"), "map: original"].startswith("40%")
    choices = interventions.choices(
        {"real": pd.concat([table().assign(choice=each) for each in ("as planned", "corners")])}, 100
    )
    assert list(choices.data.index) == [("real", "as planned"), ("real", "corners")]
    assert (choices.data == choices.data.iloc[0]).all(axis=None) and choices.data.iloc[0, 0].startswith(
        "+0.4"
    )
    trial = interventions.trial(measured, 100).data
    assert list(trial) == [
        "original: yₜ over yₜ − yₛ",
        "weighted: log-odds over yₜ",
        "maximum: yₜ − yₛ over yₜ",
    ]
    assert list(trial.index) == [("quick", "small VGG"), ("quick", "small ViT")] and trial.iloc[
        0, 0
    ].startswith("+0.4")


def test_seeds_of_training_stand_beside_each_other():
    tables = [table(["birds_vgg", "birds_vit"]), table(["birds_vgg-seed1"], own=0.3)]
    text = interventions.seeds_in_words({"quick": tables[0], "real": pd.concat(tables[::-1])}, 100)
    assert "- original: $y_t$ over $y_t - y_s$: small VGG +0.40 and +0.10\n" in text and "ViT" not in text
    assert text.count("small VGG +0.40 and +0.10") == 3
    assert "No network from a second seed" in interventions.seeds_in_words({"quick": tables[0]}, 100)


def test_what_was_not_measured_is_said():
    for show in (interventions.own_question, interventions.choices, interventions.trial):
        assert "Not measured yet" in show({}, 100).data


def test_words():
    measured = {"quick": table()}
    assert (
        interventions.in_words(measured)
        .splitlines()[0]
        .startswith("- VGG (quick): the *original* map has +0.60 with")
    )
    assert shared.counts(measured) == "quick: 6 (small VGG), 6 (small ViT)"


def test_networks_with_their_seeds():
    found = with_seeds({"birds_vgg": ["birds", 3], "birds_vit": ["birds", 4]})
    assert [name for name in found if "-seed" not in name] == ["birds_vgg", "birds_vit"]
    assert all(found[name] == found[name.split("-seed")[0]] for name in found)


@pytest.mark.parametrize(
    ("name", "contrast", "question"),
    [("birds_alexnet", "weighted", "log_odds"), ("birds_vit", "original", "pair")],
)
def test_one_picture(name, contrast, question):
    model = models.load(name)
    birds = one_intervention.birds_of(model)
    figure = one_intervention.one_picture(model, birds)(151, contrast, question, 1)
    parts = birds.annotations(151).parts
    named = {text.get_text() for text in figure.axes[3].texts}
    assert named <= set(parts) and len(named) == one_intervention.NAMED
    assert figure.axes[2].get_title() == f"{contrast} map" and figure.axes[3].get_title().startswith(
        "rank correlation"
    )
    assert any(part in figure.axes[1].get_title() for part in parts)
