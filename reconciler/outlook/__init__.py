"""How one rollout stands: Git + metrics + now -> verdicts, decision, and what it waits for.

The outlook is a pure function of (tree, metrics, now). `status` prints it, the reconciler acts
on it; neither knows more than the other. What is kept in `Memory` is a cache and nothing else.
"""

from reconciler.outlook.course import Course, Moment, timeline
from reconciler.outlook.look import Memory, Outlook, look
from reconciler.outlook.opening import Opening, Query

__all__ = ["Course", "Memory", "Moment", "Opening", "Outlook", "Query", "look", "timeline"]
