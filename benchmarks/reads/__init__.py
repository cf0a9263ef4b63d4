"""Benchmarks of reading windows from files."""
