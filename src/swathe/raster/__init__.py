"""Scenes: finding, describing, cutting into windows, and reading them."""
