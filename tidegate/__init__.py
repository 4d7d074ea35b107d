"""The command line of tidegate: what people and CI type."""
