"""Gu et al. 2018: identities in float64 for the corrected forms, counterexamples for the printed ones."""
