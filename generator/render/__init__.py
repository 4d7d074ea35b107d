"""Model to bytes, one module per family of generated files."""
