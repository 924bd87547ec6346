"""The commands of ``python -m contrastlib``, one module each, with ``add_parser(subparsers)``."""
