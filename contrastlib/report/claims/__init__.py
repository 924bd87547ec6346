"""Claims of the papers, their verdicts, and corrections of the papers.

- :mod:`~contrastlib.report.claims.records`: claims as records
- :mod:`~contrastlib.report.claims.judging`: findings on claims, computed from tables
- :mod:`~contrastlib.report.claims.estimates`: one estimate for each network, and a summary over families
- :mod:`~contrastlib.report.claims.verdicts`: what estimates say of a claim, in one word
- :mod:`~contrastlib.report.claims.multiplicity`: correction for the number of claims
- :mod:`~contrastlib.report.claims.cell_counts`: the rule of verdicts before the present one
- :mod:`~contrastlib.report.claims.populations`: what the images of a verdict are
- :mod:`~contrastlib.report.claims.verdict_tables`: display of the claims of a notebook
- :mod:`~contrastlib.report.claims.correction_records`: corrections of the papers as records
- :mod:`~contrastlib.report.claims.corrections`: their display in notebooks, and their measured effects
"""
