"""YWCSL: the YOLOv5 v6.0 network with a circular smooth label head, its loss, and its file format."""
