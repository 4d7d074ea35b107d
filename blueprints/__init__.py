"""Packaged blueprints: templates of the files that people own."""
