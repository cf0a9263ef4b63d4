from __future__ import annotations

import pytest

from memory_store import MemoryStore
from requirements import need
from viewer_samples import sample_store

need("fastapi")

from fastapi.testclient import TestClient  # noqa: E402

from swathe.viewer.app import make_app  # noqa: E402


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> MemoryStore:
    return sample_store(tmp_path_factory.mktemp("scenes"))


@pytest.fixture
def client(store: MemoryStore) -> TestClient:
    return TestClient(make_app(store), base_url="http://127.0.0.1", raise_server_exceptions=False)
