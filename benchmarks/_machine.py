"""The machine that a benchmark runs on, as far as figures depend on it."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def processor() -> dict[str, object]:
    """Name the processor, its cores, and whether it has the wide vectors that figures depend on."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = facts.get("flags", "").split()
    name = facts.get("model name") or platform.processor()
    has = {"avx2": "avx2", "avx512": "avx512f", "bf16": "avx512_bf16"}
    return {"name": name, "cores": os.cpu_count(), **{key: flag in flags for key, flag in has.items()}}
