"""Drawing: SVG from what is shown and where it is."""
