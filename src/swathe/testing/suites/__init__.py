"""Suites for authors of plug-ins: what an implementation must do, as classes of tests to inherit from."""
