"""Stores of detections: the seam, the GeoParquet store, and exports to other formats."""
