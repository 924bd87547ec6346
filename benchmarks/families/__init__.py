"""Which methods serve which networks: every explainer on a member of every family, with random weights.

``python -m benchmarks.families`` runs it. The networks come from torchvision, timm, Transformers and this
project. Maps are checked against plain autograd where the method is a linear function of gradients.

- :mod:`~benchmarks.families.networks`: the record of a network, and all networks that are tried
- :mod:`~benchmarks.families.preparation`: random weights under which every part of a network matters
- :mod:`~benchmarks.families.plain`: maps by plain autograd, without this library
- :mod:`~benchmarks.families.trial`: one method on one network
"""
