"""The command line: ``python -m contrastlib COMMAND``.

Each module with a function ``add_parser(subparsers)`` is a command. Two others serve all of them:

- :mod:`~contrastlib.cli.arguments`: types of options
- :mod:`~contrastlib.cli.failures`: what is printed when something goes wrong
"""
