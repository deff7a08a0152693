"""Verdicts on claimed gradients: right or wrong, where, and why."""

from chainrule.verification.asserting import assert_gradients, misconception
from chainrule.verification.checking import check
from chainrule.verification.report import Report
from chainrule.verification.verdicts import Verdict

__all__ = ["Report", "Verdict", "assert_gradients", "check", "misconception"]
