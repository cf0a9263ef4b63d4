"""Suites of tests for those who write plug-ins: subclass one in a test module of pytest, and say what to test."""
