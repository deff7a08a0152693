"""Derivatives by differences: one slope with its bound, a graph's second opinion, many entries."""
