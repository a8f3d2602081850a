"""Read what agents have sent to a store."""

from datetime import timedelta

from kdtasks.edge.telemetry import Telemetry, parse_telemetry
from kdtasks.errors import TelemetryError
from kdtasks.store.layout import TELEMETRY
from kdtasks.store.names import check_name
from kdtasks.store.objects import Objects
from kdtasks.store.transfers import Transfers


def fetch_telemetry(
    objects: Objects, name: str, *, hours: float | None = None, transfers: Transfers | None = None
) -> list[Telemetry]:
    """Read the telemetry of a model, of all devices, in the order of its keys.

    Arguments:
        hours: only batches that came in the last so many, by the store's clock; null reads all.

    Raises:
        TelemetryError: there is none, or a batch is damaged.
        StoreError: the store refuses.
    """
    entries = list(objects.list(f"{TELEMETRY}{check_name(name)}/"))
    if hours is not None:
        since = objects.now() - timedelta(hours=hours)
        entries = [entry for entry in entries if entry.modified >= since]
    if not entries:
        within = "" if hours is None else f" of the last {hours:g} hours"
        raise TelemetryError(
            f"{objects.identity} holds no telemetry of {name}{within}; give files of telemetry, "
            "or let `kdtasks agent` send some"
        )
    found: dict[str, list[Telemetry]] = {}

    def read(key: str) -> None:
        try:
            found[key] = parse_telemetry(objects.read(key).data.decode("utf-8"), key)
        except UnicodeDecodeError as error:
            raise TelemetryError(f"{key} is no text ({error}); delete it in the store") from None

    (transfers or Transfers()).run(read, [entry.key for entry in entries])
    return [summary for key in sorted(found) for summary in found[key]]
