"""What is needed, and which array it is written into."""
