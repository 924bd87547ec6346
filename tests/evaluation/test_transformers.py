"""Maps of Vision Transformers in numbers: coherence, energy, and rollouts compared with the repaired one."""

import pandas as pd
import pytest
import torch
from torchvision.models import VisionTransformer

from contrastlib import contrasts
from contrastlib.evaluation import transformers
from contrastlib.explainers import upsample, vit


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
    blocks = ["block 0", "block 1", "block 2", "after block 0", "after block 1"]
    linear, rollouts = [*blocks, "attention x gradient"], list(transformers.ROLLOUTS)
    assert len(table) == 4 * (2 * len(linear) + 3 * len(rollouts) + 1)
    assert not table.duplicated(["image", "map", "contrast"]).any()
    assert set(table[table["contrast"] == "probability"]["map"]) == set(rollouts)
    assert table["to_repaired"].notna().sum() == 4 * (3 * len(rollouts) + 1)
    assert table[table["contrast"] == "original"]["to_original"].tolist() == pytest.approx(
        [1.0] * 4 * len(linear + rollouts)
    )


@pytest.mark.parametrize("contrast", ["original", "weighted", "probability"])
def test_values_written_plainly(network, images, table, contrast):
    """The review's rollout, also from the probability as in its code; not weighted, as it is not linear."""
    record = vit.vit_forward(network, images)
    first, second = record.logits.topk(2).indices.T
    rows = table[(table["map"] == "review") & (table["contrast"] == contrast)].set_index("image")
    maps = [
        vit.gradient_attention_rollout(record, contrasts.cotangent(c, record.logits, t), **options).flatten(1)
        for c, t, options in (
            (contrast, first, vit.REVIEW),
            (contrast, second, vit.REVIEW),
            (contrast, first, {}),
            ("original", first, vit.REVIEW),
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
    rows = table[(table["map"] == "after block 1") & (table["contrast"] == "weighted")]
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

    def called(outputs, inputs, *args, **options):
        calls.append("of the head" if len(inputs) == 1 else "backward")
        return backward(outputs, inputs, *args, **options)

    monkeypatch.setattr(torch.autograd, "grad", called)
    handle = network.register_forward_pre_hook(lambda *_: calls.append("forward"))
    transformers.describe(network, images)
    handle.remove()
    assert calls == ["forward", "of the head", "backward"]


def test_coherence_tells_areas_from_noise():
    places = torch.arange(14.0)
    slope = places[:, None] + places
    noise = torch.rand(50, 14, 14, generator=torch.Generator().manual_seed(0))
    assert transformers.moran(slope) > 0.9 and transformers.moran(noise).mean().abs() < 0.05
    assert transformers.moran(3 - 2 * slope) == pytest.approx(transformers.moran(slope).item())
    assert transformers.moran(torch.ones(2, 5, 5)).isnan().all()


@pytest.fixture(scope="module")
def regions():
    inside = torch.zeros(4, 32, 32, dtype=torch.bool)
    inside[:, 8:24, 4:20] = True
    return inside


def test_energy_on_regions(network, images, regions):
    """The rollout as coded starts from the probability, all other maps are weighted."""
    table = transformers.energy_on_regions(network, images, regions)
    assert not table.duplicated(["image", "map"]).any() and table["area"].tolist() == pytest.approx(
        [0.25] * len(table)
    )
    record = vit.vit_forward(network, images)
    target = record.logits.argmax(1)
    weighted, probability = (
        contrasts.weighted(record.logits, target),
        contrasts.probability(record.logits, target),
    )
    expected = {
        "block 1": vit.vit_gradcam(record, weighted, "norm.1"),
        "after block 0": vit.vit_gradcam(record, weighted, "block.0"),
        "review": vit.gradient_attention_rollout(record, probability, **vit.REVIEW),
        "repaired": vit.gradient_attention_rollout(record, weighted),
        "rollout without gradients": vit.attention_rollout(record),
    }
    for name, phi in expected.items():
        size = upsample(phi, (32, 32)).abs()
        share = [(size[i][regions[i]].sum() / size[i].sum()).item() for i in range(4)]
        assert table[table["map"] == name]["energy"].tolist() == pytest.approx(share), name
    assert set(table["map"]) == set(expected) | {
        "block 0",
        "block 2",
        "after block 1",
        "attention x gradient",
    }


def test_regions_of_another_size_are_refused(network, images, regions):
    with pytest.raises(ValueError, match=r"regions \(B, H, W\); got \(3, 32, 32\)"):
        transformers.energy_on_regions(network, images, regions[:3])


def test_each_map_with_its_own_contrast(table):
    own = transformers.contrastive(table)
    assert not own.duplicated(["image", "map"]).any() and set(own["map"]) == set(table["map"])
    assert set(own[own["map"] == "review, keepdim only"]["contrast"]) == {"probability"}
    assert set(own[own["map"] == "inventor"]["contrast"]) == {"weighted"}


def coherences(network, **maps):
    """Two images whose coherence is 0.1 below and above the mean of each map."""
    return pd.DataFrame(
        [
            {
                "network": network,
                "image": i,
                "group": i,
                "map": name.replace("_", " "),
                "coherence": mean + (-0.1, 0.1)[i],
            }
            for name, mean in maps.items()
            for i in (0, 1)
        ]
    )


def test_coherent_at_some_blocks():
    table = pd.concat(
        [
            coherences(
                "one",
                block_0=0.35,
                block_1=0.2,
                block_2=0.1,
                after_block_0=0.9,
                after_block_1=0.5,
                review=0.1,
            ),
            coherences("two", block_0=0.1, block_1=0.2, after_block_0=0.2),
        ]
    )
    shares = transformers.coherent_at_some(table, bound=0.3).set_index(["network", "tokens"])["mean"]
    assert shares.to_dict() == pytest.approx(
        {("one", "entering"): 1 / 3, ("one", "output"): 0, ("two", "entering"): 0, ("two", "output"): 0}
    )


def test_at_the_last_block():
    """Of each network its own, also where 10 comes after 9."""
    table = pd.concat(
        [
            coherences("deep", block_9=0.1, block_10=0.5, after_block_9=0.7, review=0.2),
            coherences("flat", block_0=0.4),
        ]
    )
    means = transformers.at_the_last_block(table, "coherence").set_index("network")["mean"]
    assert means.to_dict() == pytest.approx({"deep": 0.5, "flat": 0.4})


def test_ahead_of_gradcam_in_networks_of_different_depth():
    table = pd.concat(
        [
            coherences("deep", block_0=0.1, block_1=0.6, after_block_0=0.3, review=0.5, repaired=0.9),
            coherences("flat", block_0=0.2, review=0.4),
        ]
    ).rename(columns={"coherence": "energy"})
    ahead = transformers.ahead_of_gradcam(table, resamples=20).set_index(["network", "map"])
    assert ahead["mean"].to_dict() == pytest.approx(
        {
            ("deep", "block 0"): 0.4,
            ("deep", "block 1"): -0.1,
            ("deep", "after block 0"): 0.2,
            ("flat", "block 0"): 0.2,
        }
    )
    assert (ahead["low"] <= ahead["mean"] + 1e-9).all() and set(ahead["images"]) == {2}
