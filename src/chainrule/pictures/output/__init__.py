"""Files: raster images, PDF, animations and the interactive page."""
