"""Where everything goes: Graphviz for layout only, or a layered layout of our own."""
