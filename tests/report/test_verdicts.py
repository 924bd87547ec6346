"""Words of verdicts, from data whose effect is known."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from contrastlib.report.cell_counts import counted
from contrastlib.report.estimates import Estimate, over_families
from contrastlib.report.verdicts import WORDS, Criterion, holm, verdict, verdict_on

ABOVE, BELOW = Criterion(intervals="above"), Criterion(intervals="below")


def around(mean, half=0.1):
    return Estimate(mean, mean - half, mean + half)


@pytest.mark.parametrize("mean, half, word", [
    (0.3, 0.1, "supported"), (0.11, 0.1, "undecided"), (0.0, 0.1, "no effect that matters"), (0.05, 0.04, "no effect that matters"),
    (-0.3, 0.1, "refuted"), (-0.15, 0.1, "refuted"), (0.0, 0.4, "undecided"), (0.3, 0.4, "undecided"),
])  # fmt: skip
def test_words_of_differences(mean, half, word):
    """The smallest effect of interest is 0.2, and the same holds on the other side."""
    assert verdict_on(around(mean, half), ABOVE, 0.2)[0] == word
    assert verdict_on(around(-mean, half), BELOW, 0.2)[0] == word


@pytest.mark.parametrize("criterion, mean, word", [
    (Criterion(value="more_than", bound=0.9), 0.95, "supported"), (Criterion(value="more_than", bound=0.9), 0.91, "undecided"),
    (Criterion(value="at_most", bound=0.9), 0.95, "refuted"), (Criterion(value="at_most", bound=0.9), 0.85, "supported"),
    (Criterion(value="within", bound=0.1), 0.05, "supported"), (Criterion(value="within", bound=0.1), 0.1, "undecided"),
    (Criterion(value="within", bound=0.1), -0.2, "refuted"),
])  # fmt: skip
def test_words_of_bounds(criterion, mean, word):
    """The bound is the smallest effect of interest; intervals are ±0.03."""
    found, p = verdict_on(around(mean, 0.03), criterion, None)
    assert found == word and (p < 0.05) == (word != "undecided")


def test_a_stricter_bound_than_zero():
    """An interval has to lie above the smallest effect; one that lies below it and above 0 is too small."""
    strict = Criterion(intervals="above", bound=0.05)
    words = [verdict_on(around(mean, 0.01), strict, 0.05)[0] for mean in (0.07, 0.055, 0.03, -0.2)]
    assert words == ["supported", "undecided", "no effect that matters", "refuted"]


@pytest.mark.parametrize("value, bound, word", [("at_most", 0.0, "supported"), ("less_than", 0.0, "refuted"), ("at_least", 1.0, "refuted")])
def test_a_value_without_an_interval(value, bound, word):
    assert verdict_on(Estimate(0.0), Criterion(value=value, bound=bound), None)[0] == word
    assert verdict_on(Estimate(0.0), ABOVE, 0.01)[0] == "undecided"  # no image differs: how many others do?


def judged(*means, half=0.1, smallest=0.05):
    networks = {str(i): around(mean, half) for i, mean in enumerate(means)}
    return verdict(networks, over_families(networks, family=str), ABOVE, smallest)


def test_networks_that_contradict_each_other():
    assert judged(0.5, 0.6, -0.5)[0] == "differs between networks"
    assert judged(0.5, 0.5, 0.0, half=0.02)[0] == "differs between networks"  # one has no effect that matters
    assert judged(0.5, 0.5, 0.0, half=0.2)[0] == "undecided"
    assert judged(0.5, 0.55, 0.6)[0] == "supported" and judged(-0.5, -0.55, -0.6)[0] == "refuted"


def test_many_networks_are_no_chance_to_differ():
    """One of twenty networks that lies just on the other side is expected by chance."""
    apart = judged(*[0.3] * 19, -0.09, half=0.1)
    assert apart[0] == "supported"
    assert judged(*[0.3] * 19, -0.3, half=0.1)[0] == "differs between networks"


def test_a_network_without_a_value_is_against_the_claim():
    assert verdict({"a": around(0.5), "b": None}, around(0.5), ABOVE, 0.05)[0] == "differs between networks"


def test_bounds_ask_all_networks():
    exact = Criterion(value="at_most", bound=1e-10)
    for values, word in (((0, 0), "supported"), ((0, 1), "differs between networks"), ((1, 1), "refuted")):
        assert verdict({str(i): Estimate(v) for i, v in enumerate(values)}, None, exact, None) == (word, None)


# --- error rates ------------------------------------------------------------------------------------------

def simulated(effect, smallest, between=0.05, error=0.05, families=5, claims=200, seed=0):
    """Words on claims whose effect is ``effect`` on average over families."""
    rng = np.random.default_rng(seed)
    words = []
    for _ in range(claims):
        values = effect + between * rng.normal(size=families) + error * rng.normal(size=families)
        words.append(judged(*values, half=1.96 * error, smallest=smallest)[0])
    return pd.Series(words).value_counts(normalize=True).reindex(list(WORDS), fill_value=0.0)


def test_no_effect_is_seldom_called_one():
    found = simulated(0.0, smallest=0.2)
    assert found["supported"] <= 0.05 and found["no effect that matters"] > 0.6


def test_a_large_effect_is_found():
    found = simulated(0.5, smallest=0.1)
    assert found["supported"] > 0.95 and found["refuted"] == found["no effect that matters"] == 0
    assert simulated(-0.5, smallest=0.1)["refuted"] > 0.95


def test_an_effect_at_the_edge_is_seldom_refuted():
    """Its true size is the smallest one of interest, so that both words are errors."""
    found = simulated(0.2, smallest=0.2)
    assert found["refuted"] + found["no effect that matters"] <= 0.05


def test_a_page_of_claims_without_effects():
    """After Holm's correction about one page of twenty has a word for any of ten claims."""
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(200):
        found = [verdict_on(Estimate(x, x - 1.96, x + 1.96), ABOVE, 0.01) for x in rng.normal(size=10)]
        adjusted = holm([p for _, p in found])
        wrong += any(word != "undecided" and p < 0.05 for (word, _), p in zip(found, adjusted))
    assert wrong / 200 < 0.1


def test_holm():
    assert holm([]) == [] and holm([0.04]) == [0.04]
    values = np.random.default_rng(0).random(9) ** 3
    np.testing.assert_allclose(holm(values), multipletests(values, method="holm")[1], rtol=1e-12)


# --- the rule used before ---------------------------------------------------------------------------------

@pytest.mark.parametrize(("low", "high", "said"), [
    ([1, 1], [2, 2], "supported (2 of 2)"), ([1, 1, -1], [2, 2, 1], "mostly supported (2 of 3)"), ([1, -1], [2, 1], "undecided (1 of 2)"),
    ([1, -2], [2, -1], "mixed (1 of 2, 1 against)"), ([1, -2, -2], [2, -1, -1], "refuted (1 of 3, 2 against)"),
])  # fmt: skip
def test_counts_of_cells(low, high, said):
    """The five words, and the same on the other side of the bound."""
    cells = pd.DataFrame({"low": low, "high": high})
    assert counted(cells, ABOVE) == said
    assert counted(pd.DataFrame({"low": -cells["high"], "high": -cells["low"]}), BELOW) == said


def test_counts_need_a_cell():
    with pytest.raises(ValueError, match="at least one cell"):
        counted(pd.DataFrame({"low": [], "high": []}), ABOVE)
