"""The shell of `tidegate doctor`: asks every door, and never lets one keep the others waiting."""
