"""Judge the canary: recorded ticks in, verdicts with reasons out."""

from reconciler.analysis.judge import Judge
from reconciler.analysis.verdict import (
    Code,
    ObjectiveVerdict,
    Reason,
    Settings,
    Verdict,
    overall,
)

__all__ = ["Code", "Judge", "ObjectiveVerdict", "Reason", "Settings", "Verdict", "overall"]
