"""Detectors: what finds the objects of one tile, on the runtime of your choice, and how models get there."""
