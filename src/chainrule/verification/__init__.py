"""Verdicts on claimed gradients: right or wrong, where, and why."""
