"""What stands in the way of a rollout, and of its revert, outside of the repository.

Rooms: each takes what a system said about itself and names what is wrong, with the way out.
"""

from reconciler.checkup.finding import Finding, State, failed, passed, unknown, warned

__all__ = ["Finding", "State", "failed", "passed", "unknown", "warned"]
