"""Studies: the experiments of the papers, their execution and their versions.

The package offers every study by its name, and the functions that run them:
``studies.run(studies.masking_table, networks)``.

- :mod:`~contrastlib.report.studies.records`: the experiments as records
- :mod:`~contrastlib.report.studies.execution`: their execution on networks and image sets
- :mod:`~contrastlib.report.studies.versions`: their versions, and the code that each version stands for

These modules have evaluations that the library does not have:

- :mod:`~contrastlib.report.studies.dataset_evaluations`: evaluations that need a property of the data set
- :mod:`~contrastlib.report.studies.bird_interventions`: interventions on drawn birds
- :mod:`~contrastlib.report.studies.animal_positions`: positions of the animals in photographs
"""

from contrastlib.report.studies.execution import (
    measure,
    measure_or_recall,
    recorded,
    recorded_scale,
    recorded_tables,
    run,
)
from contrastlib.report.studies.records import STUDIES, Study

__all__ = [
    "STUDIES",
    "Study",
    "measure",
    "measure_or_recall",
    "recorded",
    "recorded_scale",
    "recorded_tables",
    "run",
]

globals().update(STUDIES)  # each study by its name
