"""Figures and tables of the controls page, from tables with known numbers."""

import json
from itertools import product

import numpy as np
import pandas as pd
import pytest

from contrastlib.evaluation.control_maps import CONTROLS, OURS
from contrastlib.report.figures import control_effects, control_maps
from contrastlib.report.results.storage import REPOSITORY, save

WEIGHTS = REPOSITORY / "data" / "weights"

CONTRASTS = ("original", "weighted")


def scores(networks=("birds_vgg", "birds_vit"), images=6):
    """A map has 0.7, each control 0.5, and an image adds the same to all."""
    rows = [
        {
            "network": network,
            "method": "vit_gradcam" if "vit" in network else "gradcam",
            "contrast": contrast,
            "control": control,
            "image": image,
            "group": image,
            "v": (0.7 if control == OURS else 0.5) + 0.01 * image,
        }
        for network, contrast, control, image in product(
            networks, CONTRASTS, (OURS, *CONTROLS), range(images)
        )
    ]
    return pd.DataFrame(rows)


def curves():
    table = (
        scores(("efficientnet_lite0",))
        .drop(columns="v")
        .merge(pd.DataFrame({"share": [0.1, 0.5, 0.9]}), how="cross")
    )
    table = table.merge(pd.DataFrame({"removal": ["blur", "imputation"]}), how="cross").assign(
        judge="itself", deletion=1.0
    )
    return table.assign(insertion=np.where(table["control"] == OURS, 3.0, 1.0))


def cascade():
    rows = [
        (network, "gradcam", contrast, image, step, 1 - step / 4, 1 - step / 4, step / 4, 2.0 + step)
        for network, contrast, image, step in product(
            ("birds_vgg", "birds_resnet"), CONTRASTS, range(3), range(5)
        )
    ]
    names = ["network", "method", "contrast", "image", "step", "spearman", "ssim", "lost", "entropy"]
    table = pd.DataFrame(rows, columns=names)
    return table.assign(group=table["image"])


def test_records_name_each_control():
    text = control_maps.records().data
    assert all(f"| {each.title} | {each.question} |" in text for each in CONTROLS.values())


def test_a_map_stands_beside_its_controls_and_differences_are_paired():
    found = control_maps.beside(
        {"quick": scores(), "real": scores(["birds_vgg"])}, "v", 50, "+.2f", "id"
    ).data
    assert (
        list(found)[:2] == ["pictures", "the map"]
        and len(found.columns) == 2 + len(CONTROLS)
        and len(found) == 6
    )
    assert (found["the map minus smooth noise"] == "+0.20 [+0.20,\N{NO-BREAK SPACE}+0.20]").all()
    assert found["the map"].str.startswith("0.7").all() and (found["pictures"] == 6).all()
    assert ("quick", "small ViT", "GradCAM of tokens", "weighted") in found.index


def test_curves_have_a_panel_for_each_way_of_removing_and_a_row_for_each_scale():
    figure = control_maps.curves({"quick": curves(), "real": curves()})
    assert [ax.get_title() for ax in figure.axes[:2]] == [
        "blur, scored by itself",
        "imputation, scored by itself",
    ] and len(figure.axes) == 4
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 3]
    assert len(lines) == 2 * (2 + len(CONTROLS)) and {line.get_linestyle() for line in lines} == {"-", ":"}
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 2 + len(CONTROLS)


def test_gaps_name_each_map_once():
    found = control_maps.gaps({"quick": curves()}, 50).data
    assert list(found.columns.names) == ["scale", "network", "removal", "scored by"]
    assert list(found.index)[:2] == ["original", "smooth noise"] and len(found) == 2 + 3 + 2 * 2
    assert (
        found.loc["weighted"].str.startswith("+2.00").all()
        and found.loc["smooth noise"].str.startswith("+0.00").all()
    )


@pytest.mark.parametrize("value", ["spearman", "ssim"])
def test_cascades_have_a_panel_for_each_network(value):
    figure = control_maps.cascades({"quick": cascade()}, value)
    assert [ax.get_title() for ax in figure.axes] == [
        "small VGG (quick)\nGradCAM",
        "small ResNet (quick)\nGradCAM",
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(CONTRASTS)
    assert np.allclose(figure.axes[0].lines[0].get_ydata(), [1, 0.75, 0.5, 0.25, 0])


def test_sensitivities():
    found = control_maps.sensitivities({"quick": cascade()}, 50).data
    row = found.loc[("quick", "small VGG", "GradCAM", "original")]
    assert row["rank correlation"].startswith("+0.38") and row["rise of the entropy"].startswith("+200%")


def relearned():
    rows = [
        ("birds_vgg", method, contrast, image, other, value + 0.1 * (contrast == "weighted"))
        for method, contrast, image, (other, value) in product(
            ("gradcam", "gradient"), CONTRASTS, range(3), (("right labels", 0.5), ("shuffled labels", 0.0))
        )
    ]
    table = pd.DataFrame(rows, columns=["network", "method", "contrast", "image", "other", "spearman"])
    return table.assign(group=table["image"])


def test_other_trainings_have_a_marker_for_each_network_and_a_colour_for_each_contrast():
    figure = control_maps.other_trainings({"quick": relearned(), "real": relearned()})
    (ax,) = figure.axes
    assert ax.get_title() == "small VGG (real)"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["GradCAM", "Gradient"]
    shown = {
        (bar.lines[0].get_color(), bar.lines[0].get_marker()): bar.lines[0].get_xdata().item()
        for bar in ax.containers
    }
    assert shown == pytest.approx({("C0", "o"): 0.5, ("C0", "s"): 0.0, ("C1", "o"): 0.6, ("C1", "s"): 0.1})
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["right labels", "shuffled labels", *CONTRASTS]


def test_other_trainings_of_several_networks_share_rows_markers_and_colours():
    """The second network has one of the two methods, and more other networks than there are markers."""
    second = relearned().query("method == 'gradient' and other == 'right labels'")
    many = [second.assign(network="birds_resnet", other=f"seed {number}") for number in range(9)]
    figure = control_maps.other_trainings({"quick": pd.concat([relearned(), *reversed(many)])})
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["GradCAM", "Gradient"]
    assert all(bar.lines[0].get_ydata() > 0.5 for bar in right.containers) and len(right.containers) == 18
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[:3] == ["right labels", "shuffled labels", "seed 8"] and texts[-2:] == list(CONTRASTS)
    assert len(texts) == 2 + 9 + 2


def test_other_trainings_lie_around_the_row_of_their_method():
    (ax,) = control_maps.other_trainings({"real": relearned()}).axes
    heights = sorted(bar.lines[0].get_ydata().item() for bar in ax.containers)
    assert heights == pytest.approx([-0.3, -0.1, 0.1, 0.3, 0.7, 0.9, 1.1, 1.3])


def test_no_other_training_was_measured():
    assert "Not measured yet" in control_maps.other_trainings({}).data


def test_likeness_in_words_has_a_number_for_each_network():
    first, second = control_effects.likeness_in_words({"real": relearned()}).splitlines()
    assert first == (
        "- real, small VGG, GradCAM (right labels / shuffled labels): *original* +0.50 / +0.00, "
        "*weighted* +0.60 / +0.10."
    )
    assert second.startswith("- real, small VGG, Gradient (")


def test_what_networks_know_of_their_pictures_comes_from_their_cards_and_logs():
    options = {"compared_with": {"shuffled labels": "birds_vgg_shuffled"}}
    words = control_effects.trainings_in_words({"birds_vgg": ["birds", 3, options]})
    *_, first, second = words.splitlines()
    assert "in the last epoch of its training, while its weights still changed" in words
    assert first.startswith("- the network: small VGG, ") and "% of 9000 labels and " in first
    card = json.loads((WEIGHTS / "birds_vgg_shuffled.json").read_text())
    known = pd.read_csv(WEIGHTS / "birds_vgg_shuffled.csv")["train_accuracy"].iloc[-1]
    shares = f"{known:.0%} of 600 labels and {card['test']['accuracy']:.0%} of the test pictures"
    assert second == f"- shuffled labels: small VGG, labels shuffled, {shares}"


def test_the_second_opinion_is_read_or_said_to_be_missing(tmp_path):
    assert "Not measured yet" in control_maps.second_opinion(50, tmp_path / "none.parquet").data
    rows = [
        (family, name, "higher", contrast, image, value, 0.5)
        for family, name, value in (("robustness", "B", 0.25), ("axioms", "A", 1.0))
        for contrast in CONTRASTS
        for image in range(3)
    ]
    names = ["family", "metric", "better", "contrast", "image", "value", "seconds"]
    save(pd.DataFrame(rows, columns=names).assign(group=lambda t: t["image"]), tmp_path / "kept.parquet")
    found = control_maps.second_opinion(50, tmp_path / "kept.parquet").data
    assert list(found.index) == [("robustness", "B", "higher"), ("axioms", "A", "higher")]
    assert (
        list(found) == [*CONTRASTS, "seconds per image"]
        and found.iloc[0, 0].startswith("+0.250")
        and found.iloc[0, 2] == "0.5"
    )


@pytest.mark.parametrize("network", ["birds_alexnet", "birds_vit"])
def test_the_gallery_shows_the_picture_the_map_and_five_controls(network):
    figure = control_maps.gallery({network: ["birds", 10]})(network, 3, "weighted")
    assert [ax.get_title() for ax in figure.axes] == [
        "",
        "weighted map",
        *(each.title for each in CONTROLS.values()),
    ]


def test_what_a_map_has_more_than_its_nearest_control_in_words():
    table = scores()
    nearer = (
        (table["control"] == "edges") & (table["network"] == "birds_vit") & (table["contrast"] == "weighted")
    )
    text = control_effects.over_controls_in_words(
        {"quick": table.assign(v=table["v"] + 0.25 * nearer)}, "v", resamples=50
    )
    assert text.splitlines()[2] == (
        "- quick: *original* +0.20 (small VGG), *weighted* -0.05 (small ViT) to +0.20 (small VGG). "
        "19 of 20 intervals lie above 0."
    )


def test_likeness_along_the_cascade_in_words():
    text = control_effects.forgetting_in_words({"real": cascade()})
    assert text.splitlines()[2] == "- real: *original* +0.38 (small VGG), *weighted* +0.38 (small VGG)."
