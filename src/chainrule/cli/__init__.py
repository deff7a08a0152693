"""The `chainrule` program."""

from chainrule.cli.program import main

__all__ = ["main"]
