"""What the page on dominating classes says in words, whatever networks were measured."""

import numpy as np
import pandas as pd

from contrastlib.report.figures import dominance, dominated_masking


def agreement(name, cosine):
    """20 images; where the decision is split GradCAM's cosine is 0.2 lower and the gradient's 0.1 higher."""
    p_2 = np.tile([0.05, 0.3], 10)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "network": name,
                    "method": method,
                    "image": range(20),
                    "group": range(20),
                    "p_2": p_2,
                    "weighted": np.where(p_2 < 0.1, cosine, cosine - less),
                    "foils": np.where(p_2 < 0.1, 0.25, 0.75),
                }
            )
            for method, less in (("gradcam", 0.2), ("gradient", -0.1))
        ],
        ignore_index=True,
    )


def masked(name, difference):
    keys = [
        (rule, sign, contrast)
        for rule in ("equal_as_coded", "equal_as_described")
        for sign in ("positive", "negative")
        for contrast in ("original", "weighted")
    ]
    return pd.DataFrame(
        [
            {
                "network": name,
                "method": "gradcam",
                "rank": 1,
                "mask_rule": rule,
                "kept_sign": sign,
                "contrast": contrast,
                "baseline": "blur",
                "image": i,
                "group": i,
                "masked": 0.02,
                "relative_probability": 0.5 + (difference if contrast == "original" else 0),
            }
            for rule, sign, contrast in keys
            for i in range(3)
        ]
    )


def test_likeness_and_size_of_the_subtracted_term():
    tables = {"real": pd.concat([agreement("a", 0.9), agreement("b", 0.6)], ignore_index=True)}
    text = dominance.likeness_in_words(tables, 0.1, 20)
    assert (
        "in 2 of 2 networks" in text
        and "0.60 (b) to 0.90 (a) there" in text
        and "split decisions by -0.10" in text
    )
    assert dominance.foils_in_words(tables, 0.1).endswith("real 0.25 (a).")


def test_differences_stand_in_the_order_of_the_cosines():
    tables = {"real": pd.concat([agreement("near", 0.9), agreement("far", 0.6)])}
    text = dominated_masking.masking_in_words(
        {"real": pd.concat([masked("near", 0.01), masked("far", 0.2), masked("not compared", 0.5)])},
        tables,
        0.1,
    )
    assert (
        "+0.200 at a cosine of 0.60 (far); +0.010 at a cosine of 0.90 (near) (means" in text
        and "2.0% (far) of the pixels" in text
    )
    alone = dominated_masking.masking_in_words({"real": masked("not compared", 0.5)}, tables, 0.1)
    assert "at a cosine of" not in alone and "2.0% (not compared)" in alone
