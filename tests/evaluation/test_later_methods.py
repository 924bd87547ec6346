"""The measures of later papers, written plainly for single images, and cases with a known answer."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import contrastlib
from contrastlib.autograd import forward
from contrastlib.contrasts import CONTRASTS, among, similar_foils, weights, weights_later
from contrastlib.evaluation import grid_pointing, later_methods
from contrastlib.evaluation.later_methods import METHODS, VAR, highest, maps_of
from contrastlib.evaluation.masking import baseline
from contrastlib.explainers import upsample


@pytest.fixture
def model():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 5, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 9)
    made = nn.Sequential(*layers).double()
    with torch.no_grad():
        made[3].weight *= 6
    return made


@pytest.fixture
def pictures():
    return torch.rand(12, 3, 16, 16, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def cells(table, column, name):
    return table[table["contrast"] == name].sort_values("image")[column].to_numpy()


def test_the_methods_are_those_of_one_class():
    """Of the papers; a contrast in a module of its own is not measured here."""
    modules = {weights.__name__, weights_later.__name__}
    papers = {name for name, each in CONTRASTS.items() if each.function.__module__ in modules}
    single = {name for name in papers if not CONTRASTS[name].takes_group}
    assert set(METHODS) - {VAR} == single - {"mean", "maximum", "probability"}


def test_maps_are_those_of_explain(model, pictures):
    record = forward(model, pictures, "1")
    target = record.logits.argmax(dim=1)
    for name, found in zip(METHODS, maps_of(record, target, METHODS)):
        foils = {"foils": "similar"} if name != VAR and CONTRASTS[name].takes_foils else {}
        way = {"method": VAR} if name == VAR else {"contrast": name}
        expected = contrastlib.explain(model, pictures, target, layer="1", upsample=False, **way, **foils)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


# --- drops ---------------------------------------------------------------------------------------


def test_drops_and_agreement_written_plainly(model, pictures):
    table = later_methods.drops(model, pictures, share=0.1, fill="mean", layer="1")
    assert len(table) == 12 * len(METHODS) and not table.isna().any(axis=None)
    y = model(pictures).detach()
    for image in (0, 7):
        t, s = y[image].topk(2).indices.tolist()
        w = [
            among(y, c, torch.zeros_like(y, dtype=torch.bool).scatter(1, similar_foils(y, c), True))
            for c in (t, s)
        ]
        maps = [
            upsample(contrastlib.explain(model, pictures, contrast=each, layer="1"), (16, 16))[
                image
            ].flatten()
            for each in w
        ]
        masks = [set(each.topk(round(0.1 * 256)).indices.tolist()) for each in maps]
        masked = pictures[image].flatten(1).clone()
        masked[:, list(masks[0])] = baseline("mean", model, pictures)[image].flatten(1)[:, list(masks[0])]
        after = model(masked.view(1, 3, 16, 16))[0].detach()
        row = table[(table["image"] == image) & (table["contrast"] == "among")].iloc[0]
        p, q = y[image].softmax(0)[t], after.softmax(0)[t]
        assert row["drop"] == pytest.approx(((p - q) / p).item())
        p, q = (torch.sigmoid(each[t] - each[s]) for each in (y[image], after))
        assert row["drop_against_rival"] == pytest.approx(((p - q) / p).item())
        assert row["positive"] == pytest.approx((maps[0] > 0).double().mean().item())
        assert row["agreement"] == pytest.approx(len(masks[0] & masks[1]) / len(masks[0]))


def test_highest_pixels():
    maps = torch.tensor([[[0.0, 0.0], [0.0, 0.0]], [[1.0, 5.0], [5.0, -9.0]]])
    assert highest(maps, 0.5).flatten(1).tolist() == [[True, True, False, False], [False, True, True, False]]
    assert highest(maps, 1e-9).flatten(1).sum(dim=1).tolist() == [1, 1] and highest(maps, 1).all()
    for share in (0, -0.1, 1.1):
        with pytest.raises(ValueError, match=f"share is {share}: choose"):
            highest(maps, share)


def test_masking_what_does_not_matter_lowers_nothing(model, pictures):
    flat = torch.full_like(pictures, 0.5)
    table = later_methods.drops(model, flat, fill="mean", layer="1")
    assert table["drop"].abs().max() < 1e-12 and table["drop_against_rival"].abs().max() < 1e-12


# --- the grid pointing game -----------------------------------------------------------------


class Quarters(nn.Module):
    """The logit of class c is the mean of colour c, so that a class is seen where its colour is."""

    def __init__(self):
        super().__init__()
        self.layer = "conv"
        self.conv = nn.Conv2d(4, 4, 1, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(torch.eye(4)[:, :, None, None])

    def forward(self, x):
        return self.conv(x).mean(dim=(-2, -1)) * 10


def colours():
    """Four images, each of the colour of its own class."""
    return torch.eye(4)[:, :, None, None].expand(4, 4, 8, 8).contiguous()


def test_a_map_of_the_right_cell_alone_scores_one():
    table = grid_pointing.localisation(Quarters(), colours(), methods=("original", "weighted"))
    assert table["localisation"].tolist() == pytest.approx([1.0] * 8)
    assert sorted(table["image"].unique()) == [0, 1, 2, 3]


def test_the_score_of_an_image_is_its_mean_over_the_mosaics_that_show_it(monkeypatch):
    """Mosaic m begins with image m, so that image i is in its cell (i - m) mod 4."""
    scores = {(m, cell): (m + 1) * (cell + 1) ** 2 for m in range(4) for cell in range(4)}
    monkeypatch.setattr(
        grid_pointing, "in_cell", lambda maps, cell: torch.tensor([scores[m, cell] for m in range(len(maps))])
    )
    table = grid_pointing.localisation(Quarters(), colours(), methods=("original", "weighted"))
    expected = [np.mean([scores[m, (image - m) % 4] for m in range(4)]) for image in range(4)]
    assert table["localisation"].tolist() == [*expected, *expected] and len(set(expected)) > 1
    assert table["contrast"].tolist() == ["original"] * 4 + ["weighted"] * 4


def test_a_mosaic_starts_with_its_image_and_goes_on_with_other_classes(model, pictures):
    found = grid_pointing.mosaics(colours(), torch.tensor([[2, 3, 0, 1]]))[0]
    assert found.shape == (4, 8, 8)
    corners = [found[:, row, column].argmax().item() for row in (1, 6) for column in (1, 6)]
    assert corners == [2, 3, 0, 1]
    repeated = torch.cat([colours()[:1], colours()])  # two images of class 0
    assert len(grid_pointing.localisation(Quarters(), repeated, methods=["original"])) == 5
    alone = grid_pointing.localisation(Quarters(), colours()[:3])
    assert alone.empty and list(alone) == ["image", "contrast", "localisation"]


def test_scores_of_a_cell():
    maps = torch.zeros(3, 4, 4)
    maps[0] = 1
    maps[1, :2, 2:] = 2
    assert [grid_pointing.in_cell(maps, cell).tolist() for cell in range(4)] == [
        [0.25, 0, 0],
        [0.25, 1, 0],
        [0.25, 0, 0],
        [0.25, 0, 0],
    ]
    assert grid_pointing.in_cell(-maps, 1).tolist() == [0, 0, 0]


# --- shared evidence --------------------------------------------------------------------------


def test_what_survives_is_the_sum_of_the_weights(model, pictures):
    table = later_methods.shared_evidence(model, pictures, layer="1")
    fixed = {
        "original": 1,
        "weighted": 0,
        "among": 0,
        "finer_cam": 0.4,
        "finer_cam_coded": 0,
        "rfxg": 2,
        "rest": 1,
    }
    for name, share in fixed.items():
        np.testing.assert_allclose(cells(table, "survives", name), share, atol=1e-10)
        np.testing.assert_allclose(cells(table, "gap", name), 0, atol=1e-10)
    assert table[table["contrast"].isin(fixed)]["sum"].notna().all()
    assert np.isnan(cells(table, "sum", VAR)).all() and np.isnan(cells(table, "gap", "case")).all()
    assert (cells(table, "survives", "case") > 0).all()


def test_shared_evidence_changes_no_probability(model, pictures):
    moved = later_methods.with_shared_evidence(model)
    torch.testing.assert_close(moved(pictures).softmax(1), model(pictures).softmax(1), rtol=1e-9, atol=1e-12)
    assert (moved(pictures) - model(pictures)).abs().min() > 1e-3
    rows = moved[3].weight - model[3].weight
    torch.testing.assert_close(rows, rows[:1].expand_as(rows))
    torch.testing.assert_close(rows[0].norm(), model[3].weight.norm(dim=1).mean())


def test_networks_without_rows_of_classes():
    with pytest.raises(ValueError, match="no linear layer"):
        later_methods.with_shared_evidence(nn.Conv2d(3, 4, 3))
    zero = nn.Linear(3, 4)
    nn.init.zeros_(zero.weight)
    with pytest.raises(ValueError, match="the mean 0"):
        later_methods.with_shared_evidence(zero)


def test_tables_are_those_of_their_images_alone(model, pictures):
    for measure in (later_methods.drops, later_methods.shared_evidence):
        whole = measure(model, pictures[:3], layer="1")
        alone = pd.concat([measure(model, pictures[i : i + 1], layer="1").assign(image=i) for i in range(3)])
        keys = ["image", "contrast"]
        pd.testing.assert_frame_equal(
            whole.sort_values(keys, ignore_index=True), alone.sort_values(keys, ignore_index=True)
        )
