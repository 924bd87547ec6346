"""Release: what is archived, cited and printed beside the pages of the book.

- :mod:`~contrastlib.report.release.metadata`: metadata in the formats of archives and indexes
- :mod:`~contrastlib.report.release.readme`: the findings in brief in ``README.md``
- :mod:`~contrastlib.report.release.kept_tables`: tables of results with their provenance
- :mod:`~contrastlib.report.release.crate`: results with their provenance as an RO-Crate
- :mod:`~contrastlib.report.release.chromium`, :mod:`~contrastlib.report.release.printing`,
  :mod:`~contrastlib.report.release.pdf_book`: the book as PDF
- :mod:`~contrastlib.report.release.archive`: the book as a zip
- :mod:`~contrastlib.report.release.latex`: LaTeX from the Markdown of claims and captions
- :mod:`~contrastlib.report.release.manuscript`: a skeleton of a manuscript
"""
