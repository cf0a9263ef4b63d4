"""Pictures and pages of scenes with the oriented boxes found in them."""

from __future__ import annotations

from swathe.drawing.frame import Frame, View, frame_of, read_frame
from swathe.drawing.page import draw_page
from swathe.drawing.picture import FORMATS, draw

__all__ = ["FORMATS", "Frame", "View", "draw", "draw_page", "frame_of", "read_frame"]
