"""Printed derivations: the chain rule written out for any gradient."""

from chainrule.derivation.explanation import Derivation, explain

__all__ = ["Derivation", "explain"]
