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
    names = ["block 0", "block 1", "block 2", *transformers.ROLLOUTS, "attention x gradient"]
    assert len(table) == 4 * (2 * len(names) + 1) and not table.duplicated(["image", "map", "contrast"]).any()
    assert table["to_repaired"].notna().sum() == 4 * (2 * len(transformers.ROLLOUTS) + 1)
    assert table[table["contrast"] == "original"]["to_original"].tolist() == pytest.approx([1.0] * 4 * len(names))


def test_values_written_plainly(network, images, table):
    passed = vit.vit_forward(network, images)
    first, second = passed.logits.topk(2).indices.T
    rows = table[(table["map"] == "review") & (table["contrast"] == "weighted")].set_index("image")
    maps = [
        vit.gradient_attention_rollout(passed, contrasts.weighted(passed.logits, t), **options).flatten(1)
        for t, options in ((first, vit.REVIEW), (second, vit.REVIEW), (first, {}))
    ]
    assert rows["similarity"].tolist() == pytest.approx(torch.cosine_similarity(maps[0], maps[1]).tolist())
    assert rows["to_repaired"].tolist() == pytest.approx(torch.cosine_similarity(maps[0], maps[2]).tolist())
    assert rows["negative"].tolist() == (maps[0] < 0).double().mean(1).tolist()


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
