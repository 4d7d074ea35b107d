"""Bytes to model and back: closed schemas, every problem of a file in one pass."""
