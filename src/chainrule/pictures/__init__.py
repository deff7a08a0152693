"""Computation graphs as pictures."""

from chainrule.pictures.view import GraphView, graph, render

__all__ = ["GraphView", "graph", "render"]
