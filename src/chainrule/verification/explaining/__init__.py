"""Where and why: mistakes replayed on the graph, and the places that a wrong gradient points to."""
