"""Swathe: oriented object detection in remote sensing images far larger than memory."""
