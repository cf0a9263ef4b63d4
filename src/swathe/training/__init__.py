"""Training: configuration, labelled crops, the resumable loop, its schedule, validation and log."""
