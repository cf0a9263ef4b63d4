"""Benchmarks of what grows, or must not grow, with the scene."""
