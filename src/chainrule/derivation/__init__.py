"""Printed derivations: the chain rule written out for any gradient."""

from chainrule.derivation.explanation import explain
from chainrule.derivation.flow import GradientFlow, gradient_flow
from chainrule.derivation.result import Derivation

__all__ = ["Derivation", "GradientFlow", "explain", "gradient_flow"]
