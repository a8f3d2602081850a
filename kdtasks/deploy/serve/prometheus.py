"""What a server counts, in the text form that Prometheus reads."""

from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from kdtasks.deploy.serve.service import Response, Service

MEDIA_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Prometheus:
    """Counts of one service; several may live in one process."""

    def __init__(self, service: Service) -> None:
        """Begin to observe a service."""
        self._service = service
        self._registry = registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        seconds = partial(Histogram, buckets=SECONDS, registry=registry)
        about = ["name", "variant", "version", "sha256"]
        took, predicted = "From a request's head to its answer.", "LiteRT's part of an answer."
        self._requests = counter("kdtasks_requests", "Requests for an answer.", ["status"])
        self._request_seconds = seconds("kdtasks_request_seconds", took)
        self._predict_seconds = seconds("kdtasks_predict_seconds", predicted)
        self._exits = counter("kdtasks_exits", "Answers by the exit that gave them.", ["exit"])
        self._model = gauge("kdtasks_model_info", "The model that answers.", about)
        self._open = gauge("kdtasks_requests_open", "Requests running.")
        service.observers.append(self._count_answer)

    def count_request(self, status: int, seconds: float) -> None:
        """Count a request that has ended."""
        self._requests.labels(str(status)).inc()
        self._request_seconds.observe(seconds)

    def follow(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Show a number that somebody else keeps."""
        Gauge(name, meaning, registry=self._registry).set_function(read)

    def render(self, open_requests: int) -> bytes:
        """Give all counts."""
        self._open.set(open_requests)
        self._model.clear()
        if self._service.release:
            about = self._service.release.describe()
            self._model.labels(**{key: str(value or "") for key, value in about.items()}).set(1)
        return generate_latest(self._registry)

    def _count_answer(self, answer: Response) -> None:
        self._exits.labels(str(answer.prediction.exit_index + 1)).inc()
        self._predict_seconds.observe(answer.milliseconds / 1e3)
