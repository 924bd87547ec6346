"""Classes by name: what is found, what is ambiguous, what is near."""

import pytest

from contrastlib.models.class_names import class_index

SPECIES = [
    "Corvus corax (Raven)",
    "Haemorhous mexicanus (House Finch)",
    "Haemorhous purpureus (Purple Finch)",
    "Anas platyrhynchos (Mallard)",
    "Anas superciliosa × platyrhynchos (Black Duck × Mallard hybrid)",
]


@pytest.mark.parametrize(
    "text, index",
    [
        ("3", 3),
        ("Corvus corax (Raven)", 0),
        ("RAVEN", 0),
        (" corvus CORAX ", 0),
        ("rav", 0),
        ("purpureus (p", 2),
        ("Mallard", 3),
        ("mexican", 1),
    ],
)
def test_class_by_name_or_index(text, index):
    assert class_index(text, SPECIES) == index


def test_case_tells_namesakes_apart():
    dog_and_garment = ["Cardigan", "cardigan", "owl"]
    assert [class_index(name, dog_and_garment) for name in dog_and_garment] == [0, 1, 2]
    with pytest.raises(ValueError, match=r"'CARDIGAN' can mean Cardigan \(0\), cardigan \(1\)"):
        class_index("CARDIGAN", dog_and_garment)


def test_many_candidates_are_cut_short():
    with pytest.raises(ValueError, match=r"owl 7 \(7\) and 92 more"):
        class_index("owl", [f"owl {number}" for number in range(100)])
    with pytest.raises(ValueError, match="no class is called 'zzz'; there are .* and 92 more"):
        class_index("zzz", [f"owl {number}" for number in range(100)])
