"""Every notebook of the documentation runs from top to bottom, and holds no outputs."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from requirements import need

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))
SECONDS = 300  # for a cell, and for the start of the kernel


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_runs(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("nbclient", "ipykernel"):
        need(library)
    import nbformat
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    place = {"metadata": {"path": str(folder)}}
    with tempfile.TemporaryDirectory() as sockets:  # ports would be chosen before they are bound; paths must be short
        kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{sockets}/kernel")
        NotebookClient(notebook, kernel, timeout=SECONDS, startup_timeout=SECONDS, resources=place).execute()
    assert "building" in cells[0].outputs[-1].data["text/html"]
    assert any("image/jpeg" in output.get("data", {}) for cell in cells for output in cell.outputs)
