"""Labelled images: readers of DOTA text, DIOR-R XML and GeoJSON, class names, and training crops."""
