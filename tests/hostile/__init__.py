"""Damaged and malicious input, made from a seed, and what the command makes of it: `make fuzz`."""
