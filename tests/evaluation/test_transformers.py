"""Maps of Vision Transformers in numbers: coherence, and rollouts compared with the repaired one."""

import pytest
import torch
from torchvision.models import VisionTransformer

from contrastlib import contrasts
from contrastlib.evaluation import transformers
from contrastlib.explainers import vit


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = VisionTransformer(32, 8, num_layers=3, num_heads=2, hidden_dim=16, mlp_dim=16, num_classes=6)
    torch.nn.init.normal_(made.heads.head.weight)
    return made.double().eval()


@pytest.fixture(scope="module")
def images():
    return torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture(scope="module")
def table(network, images):
    return transformers.describe(network, images)


def test_a_row_for_each_image_map_and_contrast(table):
    blocks = ["block 0", "block 1", "block 2", "behind block 0", "behind block 1"]
    linear, rollouts = [*blocks, "attention x gradient"], list(transformers.ROLLOUTS)
    assert len(table) == 4 * (2 * len(linear) + 3 * len(rollouts) + 1)
    assert not table.duplicated(["image", "map", "contrast"]).any()
    assert set(table[table["contrast"] == "probability"]["map"]) == set(rollouts)
    assert table["to_repaired"].notna().sum() == 4 * (3 * len(rollouts) + 1)
    assert table[table["contrast"] == "original"]["to_original"].tolist() == pytest.approx([1.0] * 4 * len(linear + rollouts))


@pytest.mark.parametrize("contrast", ["original", "weighted", "probability"])
def test_values_written_plainly(network, images, table, contrast):
    """The review's rollout, also from the probability, where its code starts: not the weighted one, as it is not linear."""
    record = vit.vit_forward(network, images)
    first, second = record.logits.topk(2).indices.T
    rows = table[(table["map"] == "review") & (table["contrast"] == contrast)].set_index("image")
    maps = [
        vit.gradient_attention_rollout(record, contrasts.cotangent(c, record.logits, t), **options).flatten(1)
        for c, t, options in (
            (contrast, first, vit.REVIEW), (contrast, second, vit.REVIEW), (contrast, first, {}), ("original", first, vit.REVIEW)
        )
    ]
    for column, other in zip(("similarity", "to_repaired", "to_original"), maps[1:]):
        assert rows[column].tolist() == pytest.approx(torch.cosine_similarity(maps[0], other).tolist())
    assert rows["negative"].tolist() == (maps[0] < 0).double().mean(1).tolist()


def test_rollouts_from_the_probability_are_maps_of_their_own(table):
    wide = table[table["map"] == "review"].pivot(index="image", columns="contrast", values="to_repaired")
    assert (wide["probability"] - wide["weighted"]).abs().min() > 1e-4


def test_gradcam_of_the_output_of_a_block(network, images, table):
    record = vit.vit_forward(network, images)
    first = record.logits.argmax(1)
    maps = vit.vit_gradcam(record, contrasts.weighted(record.logits, first), layer="block.1")
    rows = table[(table["map"] == "behind block 1") & (table["contrast"] == "weighted")]
    assert rows["coherence"].tolist() == pytest.approx(transformers.moran(maps).tolist())


def test_a_certain_decision_has_cosines(network, images):
    """p_t (1 - p_t) = 1e-12 or less makes small maps, not maps that resemble nothing."""
    with torch.no_grad():
        network.heads.head.bias[0] += 60
        table = transformers.describe(network, images)
        network.heads.head.bias[0] -= 60
    rows = table[(table["map"] == "review") & (table["contrast"] == "probability")]
    assert rows["p_1"].min() > 1 - 1e-12 and (rows["to_original"].abs() > 1e-3).all()
    assert table[(table["map"] == "repaired")]["to_repaired"].tolist() == pytest.approx([1.0] * 12)


def test_one_forward_and_one_backward_pass_for_all(network, images, monkeypatch):
    calls, backward = [], torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: calls.append("backward") or backward(*a, **k))
    handle = network.register_forward_pre_hook(lambda *_: calls.append("forward"))
    transformers.describe(network, images)
    handle.remove()
    assert calls == ["forward", "backward"]


def test_coherence_tells_areas_from_noise():
    places = torch.arange(14.0)
    slope = places[:, None] + places
    noise = torch.rand(50, 14, 14, generator=torch.Generator().manual_seed(0))
    assert transformers.moran(slope) > 0.9 and transformers.moran(noise).mean().abs() < 0.05
    assert transformers.moran(3 - 2 * slope) == pytest.approx(transformers.moran(slope).item())
    assert transformers.moran(torch.ones(2, 5, 5)).isnan().all()
