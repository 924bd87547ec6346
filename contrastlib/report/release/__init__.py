"""Release: what is archived, cited and printed beside the pages of the book.

- Metadata in the formats of archives and indexes (:mod:`~contrastlib.report.release.metadata`).
- Claims with their verdict at one scale (:mod:`~contrastlib.report.release.claim_records`), and the results
  with their provenance as an RO-Crate (:mod:`~contrastlib.report.release.crate`).
- The book as PDF (:mod:`~contrastlib.report.release.printing`,
  :mod:`~contrastlib.report.release.pdf_book`) and as a zip (:mod:`~contrastlib.report.release.archive`).
- A skeleton of a manuscript (:mod:`~contrastlib.report.release.manuscript`).
"""
