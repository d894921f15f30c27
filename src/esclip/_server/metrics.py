"""Metrics of the search service for Prometheus, with the names of OpenTelemetry's conventions for HTTP."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from esclip._server.http import Response

BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counts and times of requests. Labels are routes and statuses: nothing that a client chooses."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "http_server_request_duration_seconds",
            "Time from a request's head to the end of its response.",
            ("http_request_method", "http_route", "http_response_status_code"),
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._stages = Histogram(
            "esclip_search_stage_duration_seconds",
            "Time of a search: encoding its clauses, asking the store.",
            ("stage",),
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._active = Gauge(
            "http_server_active_requests", "Requests that are not answered yet.", registry=self._registry
        )

        self._documents = Counter(
            "esclip_documents",
            "Documents that were sent to be written, by what became of them.",
            ("result",),
            registry=self._registry,
        )

    def begin(self) -> None:
        """Count a request that has come."""
        self._active.inc()

    def end(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count its response."""
        self._active.dec()
        self._seconds.labels(method, route, str(status)).observe(seconds)

    def observe_stage(self, stage: str, seconds: float) -> None:
        """Count the time of a stage of a search."""
        self._stages.labels(stage).observe(seconds)

    def count_documents(self, results: Mapping[str, int]) -> None:
        """Count documents by what became of them."""
        for result, number in results.items():
            self._documents.labels(result).inc(number)

    def response(self) -> Response:
        """All metrics as text."""
        return Response(generate_latest(self._registry), CONTENT_TYPE_LATEST)
