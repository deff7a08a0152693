"""Formulas: symbols that rules are evaluated on, and how they are written, read and rewritten."""

from chainrule.formulas.symbol import Symbol

__all__ = ["Symbol"]
