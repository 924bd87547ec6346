"""What a map answers, in words: a question for each contrast, with probabilities."""

from __future__ import annotations

QUESTIONS = {
    "original": "What raises the logit of {target}?",
    "mean": "Why {target} and not the average of the others?",
    "maximum": "Why {target} and not {rival}?",
    "weighted": "Why {target} and not the others ({others})?",
    "probability": "What raises the probability of {target}?",
    "among": "Why {target} and not {foils}?",
}


def percent(share: float) -> str:
    """A probability in percent; none that is merely near 0 or 1 looks as if it were that.

    >>> percent(0.5), percent(0.9999), percent(1e-5)
    ('50.0 %', '>99.9 %', '<0.1 %')
    """
    if share < 0.001:
        return "<0.1 %"
    return ">99.9 %" if share > 0.999 else f"{float(share):.1%}".replace("%", " %")
