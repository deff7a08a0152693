"""What a function does, written down."""
