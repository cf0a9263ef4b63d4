"""schemathesis makes requests of the description, right ones and wrong ones, and holds the answers against it."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings

from memory_store import MemoryStore
from requirements import need
from swathe.viewer import make_app
from viewer_samples import sample_store

need("schemathesis")

import schemathesis  # noqa: E402 - after the check


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> Any:
    store: MemoryStore = sample_store(tmp_path_factory.mktemp("scenes"))
    return schemathesis.openapi.from_asgi("/api/openapi.json", make_app(store), headers={"Host": "localhost"})


schema = schemathesis.pytest.from_fixture("description")


@schema.exclude(path="/api/events").parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_keep_to_the_description(case: Any) -> None:
    answer = case.call(headers={"Host": "localhost"})
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert set(answer.json()) >= {"code", "description"}


def test_all_requests_only_read(client: TestClient) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    assert all(set(methods) == {"get"} for methods in paths.values())
    assert all(methods["get"]["summary"] for methods in paths.values())
