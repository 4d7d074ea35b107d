"""The demo: a stand-in fleet, a real registry, and the story they play."""
