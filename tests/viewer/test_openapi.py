"""schemathesis makes requests of the description, right ones and wrong ones, and holds the answers against it."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings

from memory_store import MemoryStore
from requirements import need
from swathe.viewer.app import make_app

need("schemathesis")

import schemathesis  # noqa: E402 - after the check
from schemathesis.generation import GenerationMode  # noqa: E402

LOCAL = {"Host": "localhost"}
PATHS = [path for path in make_app(MemoryStore()).openapi()["paths"] if path != "/api/events"]  # which never ends


@pytest.fixture(scope="module")
def description(store: MemoryStore) -> Any:
    return schemathesis.openapi.from_asgi("/api/openapi.json", make_app(store), headers=LOCAL)


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("path", PATHS)
def test_answers_keep_to_the_description(description: Any, path: str, mode: GenerationMode) -> None:
    operation = description[path]["GET"]
    if mode.is_negative and not operation.query:
        return  # any text is a name

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def check(case: Any) -> None:
        answer = case.call(headers=LOCAL)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert set(answer.json()) == {"code", "description"}

    check()


def test_all_requests_only_read(client: TestClient) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    assert all(set(methods) == {"get"} for methods in paths.values())
    assert all(methods["get"]["summary"] for methods in paths.values())
