"""A map of a store: a read-only web server over its catalogue and scans, and the page that asks it."""

from __future__ import annotations

from swathe.viewer.app import make_app, page_is_built

__all__ = ["make_app", "page_is_built"]
