"""A test bed without containers: real engines on loopback ports, in one private folder."""
