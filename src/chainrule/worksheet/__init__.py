"""Worksheets: a computation and claims about it, in a file of plain text."""

from chainrule.worksheet.exercises import Exercise, exercise
from chainrule.worksheet.statements import WorksheetError
from chainrule.worksheet.worksheet import Worksheet

__all__ = ["Exercise", "Worksheet", "WorksheetError", "exercise"]
