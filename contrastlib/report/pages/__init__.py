"""Pages of the book, which Sphinx makes.

:mod:`~contrastlib.report.pages.sphinx_ext` is the extension of Sphinx that registers the other modules.

Parts of the page of a notebook:

- :mod:`~contrastlib.report.pages.parts`: verdicts on top, and how to rerun the page
- :mod:`~contrastlib.report.pages.captions`: captions of figures
- :mod:`~contrastlib.report.pages.folds`: code and details that are folded
- :mod:`~contrastlib.report.pages.download_note`: first line of a notebook that is downloaded
- :mod:`~contrastlib.report.pages.citation`: how to cite a page
- :mod:`~contrastlib.report.pages.values`: values of notebooks on other pages
- :mod:`~contrastlib.report.pages.titles`: titles of the pages that have claims
- :mod:`~contrastlib.report.pages.single_page`: a notebook as one HTML file

Verdicts and corrections:

- :mod:`~contrastlib.report.pages.claims`: tables of claims, and verdicts in sentences
- :mod:`~contrastlib.report.pages.claim_records`: the file ``claims.json``
- :mod:`~contrastlib.report.pages.verdict_box`: box at the top of a page of results
- :mod:`~contrastlib.report.pages.findings`: findings on the first page
- :mod:`~contrastlib.report.pages.decision_table`: what a reader wants to know, and how to ask it
- :mod:`~contrastlib.report.pages.corrections`: page of corrections, and letters to the authors

The library:

- :mod:`~contrastlib.report.pages.explainer_table`: table of the methods
- :mod:`~contrastlib.report.pages.contrast_table`: table of the contrasts
- :mod:`~contrastlib.report.pages.one_by_one`: a section for each method or contrast
- :mod:`~contrastlib.report.pages.families`: networks that were tried
- :mod:`~contrastlib.report.pages.registry_table`: networks and data sets of the registry
- :mod:`~contrastlib.report.pages.package_reference`: reference of a package
- :mod:`~contrastlib.report.pages.member_folds`: members of the reference that are folded
- :mod:`~contrastlib.report.pages.install_lines`: lines that install the library

Other pages:

- :mod:`~contrastlib.report.pages.fault_table`: faults that the tests try
- :mod:`~contrastlib.report.pages.fuzz`: random inputs, and what they found
- :mod:`~contrastlib.report.pages.glossary`: terms
- :mod:`~contrastlib.report.pages.live`: a network in the reader's browser
- :mod:`~contrastlib.report.pages.licences`: licences of scripts and styles that the book serves
"""
