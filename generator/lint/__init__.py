"""The rules that hold in every repository that may be merged, checked without network."""

from generator.lint.finding import Finding, Severity
from generator.lint.rules import RULES, Rule
from generator.lint.run import lint

__all__ = ["RULES", "Finding", "Rule", "Severity", "lint"]
