"""The command line: ``python -m contrastlib COMMAND``.

Each module with a function ``add_parser(subparsers)`` is a command. Others serve them:

- :mod:`~contrastlib.cli.arguments`: types of options
- :mod:`~contrastlib.cli.failures`: what is printed when something goes wrong
- :mod:`~contrastlib.cli.workers`: options of ``run`` for the workers that compute shards
"""
