"""Forges of our own that speak the real wire format and refuse what the real ones refuse."""
