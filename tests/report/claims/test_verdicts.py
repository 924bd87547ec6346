"""Words of verdicts, from data whose effect is known."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from contrastlib.report.claims import judging
from contrastlib.report.claims.cell_counts import counted
from contrastlib.report.claims.estimates import Estimate, over_families
from contrastlib.report.claims.records import Evidence
from contrastlib.report.claims.verdicts import WORDS, Criterion, holm, verdict, verdict_on

ABOVE, BELOW = Criterion(intervals="above"), Criterion(intervals="below")


def around(mean, half=0.1):
    return Estimate(mean, mean - half, mean + half)


@pytest.mark.parametrize("mean, half, word", [
    (0.3, 0.1, "supported"), (0.11, 0.1, "undecided"),
    (0.0, 0.1, "no effect that matters"), (0.05, 0.04, "no effect that matters"),
    (-0.3, 0.1, "refuted"), (-0.15, 0.1, "refuted"), (0.0, 0.4, "undecided"), (0.3, 0.4, "undecided"),
])  # fmt: skip
def test_words_of_differences(mean, half, word):
    """The smallest effect of interest is 0.2, and the same holds on the other side."""
    assert verdict_on(around(mean, half), ABOVE, 0.2)[0] == word
    assert verdict_on(around(-mean, half), BELOW, 0.2)[0] == word


@pytest.mark.parametrize("criterion, mean, word", [
    (Criterion(value="more_than", bound=0.9), 0.95, "supported"),
    (Criterion(value="more_than", bound=0.9), 0.91, "undecided"),
    (Criterion(value="at_most", bound=0.9), 0.95, "refuted"),
    (Criterion(value="at_most", bound=0.9), 0.85, "supported"),
    (Criterion(value="within", bound=0.1), 0.05, "supported"),
    (Criterion(value="within", bound=0.1), 0.1, "undecided"),
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


@pytest.mark.parametrize(
    "value, bound, word",
    [("at_most", 0.0, "supported"), ("less_than", 0.0, "refuted"), ("at_least", 1.0, "refuted")],
)
def test_a_value_without_an_interval(value, bound, word):
    assert verdict_on(Estimate(0.0), Criterion(value=value, bound=bound), None)[0] == word
    assert verdict_on(Estimate(0.0), ABOVE, 0.01)[0] == "undecided"  # no image differs: how many others do?


def judged(*means, half=0.1, smallest=0.05, criterion=ABOVE):
    return verdict({str(i): around(mean, half) for i, mean in enumerate(means)}, criterion, smallest)


def test_every_network_has_to_say_it():
    assert judged(0.5, 0.55, 0.6)[0] == "supported" and judged(-0.5, -0.55, -0.6)[0] == "refuted"
    assert judged(0.5, 0.55, 0.08)[0] == "undecided"  # the third one's interval holds 0
    assert judged(0.0, 0.01, half=0.02)[0] == "no effect that matters"
    assert judged(0.0, -0.5, half=0.02)[0] == "refuted"  # both are against it, for two reasons


def test_the_p_value_is_that_of_the_network_that_says_it_least():
    word, p = judged(0.5, 0.12)
    assert word == "supported" and p == around(0.12).p(0.0) < 0.05


def test_networks_that_contradict_each_other():
    assert judged(0.5, 0.6, -0.5)[0] == "differs between networks"
    assert judged(0.5, 0.5, 0.0, half=0.02)[0] == "differs between networks"  # one has no effect that matters
    assert judged(0.5, 0.5, 0.0, half=0.2)[0] == "undecided"
    within = Criterion(value="within", bound=0.3)
    assert judged(0.0, 0.6, smallest=None, criterion=within)[0] == "differs between networks"


def test_networks_whose_intervals_overlap_do_not_differ():
    """One supports the claim and one has no effect that matters, but both may have an effect of 0.19."""
    assert judged(0.21, 0.1, half=0.09, smallest=0.2)[0] == "undecided"
    assert [judged(mean, half=0.09, smallest=0.2)[0] for mean in (0.21, 0.1)] == [
        "supported",
        "no effect that matters",
    ]


def test_many_networks_are_no_chance_to_differ():
    """One of twenty networks that lies just on the other side is expected by chance."""
    assert judged(*[0.3] * 19, -0.09)[0] == "undecided"
    assert judged(*[0.3] * 19, -0.3)[0] == "differs between networks"


def test_a_network_without_a_value_is_against_the_claim():
    assert verdict({"a": around(0.5), "b": None}, ABOVE, 0.05)[0] == "differs between networks"
    assert verdict({"a": around(-0.5), "b": None}, ABOVE, 0.05)[0] == "refuted"


def test_bounds_ask_all_networks():
    exact = Criterion(value="at_most", bound=1e-10)
    for values, word in (((0, 0), "supported"), ((0, 1), "differs between networks"), ((1, 1), "refuted")):
        assert verdict({str(i): Estimate(v) for i, v in enumerate(values)}, exact, None) == (word, None)


# --- error rates of the word about the networks that were run ---------------------------------------------


def simulated(effects, smallest, error=0.05, shared=0.0, claims=1000, seed=0):
    """Words on claims about networks with these effects; ``shared`` is the error of shared photographs."""
    rng = np.random.default_rng(seed)
    half = 1.96 * np.hypot(error, shared)
    values = rng.normal(effects, error, size=(claims, len(effects))) + shared * rng.normal(size=(claims, 1))
    words = [judged(*each, half=half, smallest=smallest)[0] for each in values]
    return pd.Series(words).value_counts(normalize=True).reindex(list(WORDS), fill_value=0.0)


@pytest.mark.parametrize("shared", [0.0, 0.1])
@pytest.mark.parametrize("effects", [[0.0], [0.0] * 4, [0.0, 0.8, 0.8, 0.8], [0.0] * 20])
def test_a_network_without_effect_seldom_lets_a_claim_be_supported(effects, shared):
    assert simulated(effects, smallest=0.01, shared=shared)["supported"] <= 0.04


@pytest.mark.parametrize("shared", [0.0, 0.1])
@pytest.mark.parametrize("effects", [[0.2], [0.2] * 4, [0.2, -0.8, -0.8], [-0.2] * 4])
def test_an_effect_at_the_edge_is_seldom_refuted(effects, shared):
    """Its true size is the smallest one of interest, so that *no effect that matters* is an error of each."""
    found = simulated(effects, smallest=0.2, shared=shared)
    assert found["no effect that matters"] <= 0.04
    assert min(effects) == -0.2 or found["refuted"] + found["no effect that matters"] <= 0.04


@pytest.mark.parametrize("effect", [0.0, 0.05, 0.1, 0.15, 0.2])
@pytest.mark.parametrize("count", [2, 5, 20])
def test_equal_networks_seldom_differ(effect, count):
    """Also between 0 and the smallest effect of interest, where one may support and one refute the claim."""
    assert simulated([effect] * count, smallest=0.2)["differs between networks"] <= 0.05


def test_what_is_there_is_found():
    assert simulated([0.5, 0.4, 0.6], smallest=0.1)["supported"] > 0.95
    assert simulated([-0.5, -0.4, -0.6], smallest=0.1)["refuted"] > 0.95
    assert simulated([0.0, 0.0, 0.0], smallest=0.3)["no effect that matters"] > 0.95
    assert simulated([0.5, 0.5, -0.5], smallest=0.1)["differs between networks"] > 0.95


# --- error rates of the word over families of networks ----------------------------------------------------


def over(effect, smallest, between=0.05, error=0.05, families=5, claims=200, seed=0):
    """Words by the mean over families whose effect is ``effect`` on average."""
    rng, words = np.random.default_rng(seed), []
    for _ in range(claims):
        values = effect + between * rng.normal(size=families) + error * rng.normal(size=families)
        networks = {str(i): around(value, 1.96 * error) for i, value in enumerate(values)}
        words.append(verdict_on(over_families(networks, family=str), ABOVE, smallest)[0])
    return pd.Series(words).value_counts(normalize=True).reindex(list(WORDS), fill_value=0.0)


@pytest.mark.parametrize("families", [2, 3, 5])
def test_families_without_an_effect_on_average_are_seldom_called_to_have_one(families):
    assert over(0.0, smallest=0.01, between=0.3, families=families)["supported"] <= 0.05


def test_words_over_families():
    none = over(0.0, smallest=0.2)
    assert none["supported"] <= 0.05 and none["no effect that matters"] > 0.6
    found = over(0.5, smallest=0.1)
    assert found["supported"] > 0.95 and found["refuted"] == found["no effect that matters"] == 0
    assert over(-0.5, smallest=0.1)["refuted"] > 0.95
    edge = over(0.2, smallest=0.2)
    assert edge["refuted"] + edge["no effect that matters"] <= 0.05


def test_two_families_seldom_suffice():
    """Clear effects in both leave open whether other families have them; in the networks they are found."""
    assert over(0.5, smallest=0.1, between=0.2, families=2)["undecided"] > 0.7
    assert simulated([0.5, 0.4], smallest=0.1)["supported"] > 0.95


# --- the number of claims ---------------------------------------------------------------------------------


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
    ([1, 1], [2, 2], "supported (2 of 2)"),
    ([1, 1, -1], [2, 2, 1], "mostly supported (2 of 3)"),
    ([1, -1], [2, 1], "undecided (1 of 2)"),
    ([1, -2], [2, -1], "mixed (1 of 2, 1 against)"),
    ([1, -2, -2], [2, -1, -1], "refuted (1 of 3, 2 against)"),
])  # fmt: skip
def test_counts_of_cells(low, high, said):
    """The five words, and the same on the other side of the bound."""
    cells = pd.DataFrame({"low": low, "high": high})
    assert counted(cells, ABOVE) == said
    assert counted(pd.DataFrame({"low": -cells["high"], "high": -cells["low"]}), BELOW) == said


def test_a_verdict_needs_a_network():
    with pytest.raises(ValueError, match="at least one network"):
        verdict({}, ABOVE, 0.2)


def test_counts_need_a_cell():
    with pytest.raises(ValueError, match="at least one cell"):
        counted(pd.DataFrame({"low": [], "high": []}), ABOVE)


def test_a_network_without_an_interval_gives_no_summary_over_families():
    """Its effect would count as if it were known exactly."""
    evidence = Evidence("masking_table", "statistics.means", criterion=ABOVE)
    others = {f"network {i}": Estimate(0.0, -1.0, 1.0) for i in range(4)}
    found = judging._found(others | {"one photograph": Estimate(0.3)}, evidence, 0.01)
    assert found.word == "undecided" and found.general == "" and found.overall == ()
    assert found.intervals["network 0"] == (-1.0, 1.0)
    assert judging._found(others, evidence, 0.01).general == "undecided"
