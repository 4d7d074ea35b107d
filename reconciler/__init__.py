"""Decide when a rollout may move, and ask the generator for the change."""
