"""Pictures of rollouts, from Git and its evidence alone: page, README picture, terminal."""

from tidegate.pages.gather import gather
from tidegate.pages.page import render
from tidegate.pages.picture import picture
from tidegate.pages.story import State, Story
from tidegate.pages.survey import survey

__all__ = ["State", "Story", "gather", "picture", "render", "survey"]
