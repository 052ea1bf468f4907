"""What a gatekeeper counts about itself, for Prometheus: numbers only, and nothing about anybody.

No label may hold an account, an id, or text that somebody sent: only what our own code or routes
name, of which there are few.

Source: Prometheus, "Metric and label naming".
"""

from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ENTRIES: Final = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """One process's numbers, on a registry of its own.

    Attributes:
        requests: answers by `method`, `route` (its template) and `status`.
        request_seconds: how long an answer took, by `route`.
        under_way: requests that are being answered now, streams included.
        decisions: what was decided, by `outcome` (`permitted`, `refused`) and `reason` (a Refusal;
            empty where permitted).
        audit_commit_seconds: how long it took to bring entries of the log to the disk.
        audit_batch_entries: how many entries one commit brought there.
        ledger_block: number of the newest block that decisions take into account.
        ledger_behind: blocks between that and the newest the node tells of.
        ledger_silence_seconds: time since the node last answered.
        notices_waiting: notices that a webhook has not taken yet.
        notices_sent: tries to hand a notice to a webhook, by `outcome` (`taken`, `failed`).
        streams: event streams that are open.
        relayed: signed actions taken, by `action` (its typed struct) and `outcome`: `mined`,
            `sent`, or `held` where it is obeyed and could not be sent yet.
        jobs: runs of the work done in the background, by `job` and `outcome` (`done`, `failed`).
        leads: 1 in the process that does that work, 0 elsewhere.
    """

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        self.requests = self._counter("requests", "Answers.", "method", "route", "status")
        self.request_seconds = self._histogram(
            "request_seconds", "Time from a request's head to its answer's end.", _SECONDS, "route"
        )
        self.under_way = self._gauge("requests_under_way", "Requests being answered now.")
        self.decisions = self._counter("decisions", "Decisions on access.", "outcome", "reason")
        self.audit_commit_seconds = self._histogram(
            "audit_commit_seconds", "Time to bring log entries to the disk.", _SECONDS
        )
        self.audit_batch_entries = self._histogram(
            "audit_batch_entries", "Log entries brought to the disk at once.", _ENTRIES
        )
        self.ledger_block = self._gauge("ledger_block", "Newest block taken into account.")
        self.ledger_behind = self._gauge("ledger_blocks_behind", "Blocks behind the node.")
        self.ledger_silence_seconds = self._gauge(
            "ledger_silence_seconds", "Time since the node last answered."
        )
        self.notices_waiting = self._gauge("notices_waiting", "Notices not yet taken by a webhook.")
        self.notices_sent = self._counter("notices_sent", "Notices handed to webhooks.", "outcome")
        self.streams = self._gauge("streams", "Event streams that are open.")
        self.relayed = self._counter("relayed", "Signed actions taken.", "action", "outcome")
        self.jobs = self._counter("jobs", "Runs of work in the background.", "job", "outcome")
        self.leads = self._gauge("leads", "Whether this process does the work in the background.")
        ProcessCollector(namespace="medaccord", registry=self.registry)

    def committed(self, entries: int, seconds: float) -> None:
        """Count one commit of the audit log."""
        self.audit_commit_seconds.observe(seconds)
        self.audit_batch_entries.observe(entries)

    def text(self) -> bytes:
        """All of it in Prometheus's text form, UTF-8."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, namespace="medaccord", registry=self.registry)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, namespace="medaccord", registry=self.registry)

    def _histogram(
        self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(
            name,
            meaning,
            labels,
            namespace="medaccord",
            registry=self.registry,
            buckets=buckets,
        )


def merged(texts: Mapping[str, bytes]) -> bytes:
    """The texts of several processes as one, each number with the label `worker` it has here.

    Nothing is added up: what a worker counted ends with it, which Prometheus takes for what it is.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Merged(texts))
    return generate_latest(registry)


class _Merged(Collector):
    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self._texts = texts

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for worker, text in self._texts.items():
            for family in text_string_to_metric_families(text.decode()):
                whole = families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                whole.samples += [
                    each._replace(labels={"worker": worker, **each.labels})
                    for each in family.samples
                ]
        return families.values()
