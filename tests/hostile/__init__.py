"""Damaged and malicious input, made from a seed, and what the command makes of it: `make fuzz`."""

from __future__ import annotations

import os

# Before numpy and OpenCV are loaded: their libraries would start threads, and cases are forked.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"
