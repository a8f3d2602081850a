"""Tell a Prefect server of drift; the automation of the deployment `refresh` waits for it."""

import asyncio
from typing import Any

from prefect.context import refresh_global_settings_context
from prefect.events import Event, Resource
from prefect.events.clients import get_events_client

from kdtasks.core.errors import ProjectError

EVENT = "kdtasks.deploy.drift"


def tell_prefect(model: str, payload: dict[str, Any]) -> None:
    """Send an event of drift, and wait until the server has it.

    Args:
        model: its name; the event's resource is `kdtasks.model.NAME`.
        payload: what else the event says.

    Raises:
        ProjectError: the server does not take it.
    """
    refresh_global_settings_context()
    resource = {"prefect.resource.id": f"kdtasks.model.{model}", "prefect.resource.name": model}
    event = Event(event=EVENT, resource=Resource.model_validate(resource), payload=payload)
    try:
        asyncio.run(_send(event))
    except Exception as error:  # websockets raise many kinds
        raise ProjectError(
            f"the Prefect server did not take the event of drift ({error}); start it, and run "
            "`kdtasks drift` again"
        ) from None


async def _send(event: Event) -> None:
    async with get_events_client(reconnection_attempts=2, checkpoint_every=1) as client:
        await client.emit(event)
