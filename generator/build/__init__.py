"""What Kustomize makes of a folder, for the part of Kustomize that tidegate and its blueprints use.

Real Kustomize 5.8.1 is the measure: the same objects, in the same order, with values of the same
types. What lies outside of that part is refused by name, never guessed.
"""

from generator.build.kitchen import build
from generator.build.values import OutsideSubsetError

__all__ = ["OutsideSubsetError", "build"]
