"""The shared vocabulary: frozen values that cannot be built wrong."""
