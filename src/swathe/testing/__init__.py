"""The testing kit: synthetic scenes with known objects, scripted detectors and readers."""
