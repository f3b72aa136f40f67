"""A deferrable Airflow sensor that waits for GEM jobs in a running gemwatch daemon."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

from airflow.exceptions import AirflowException
from airflow.sdk import BaseHook, BaseSensorOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent

from gemwatch.client import Client, Job, UnavailableError


def client_of(connection_id: str) -> Client:
    """The daemon of an Airflow connection: its URL is the host, its token the password."""
    connection = BaseHook.get_connection(connection_id)
    url = connection.host or ""
    if "://" not in url:
        url = f"{connection.schema or 'https'}://{url}{f':{connection.port}' if connection.port else ''}"
    return Client(url, token=connection.password or None)


def ids_of(job_ids: Any) -> list[int]:
    """The ids of a list, or of a text that a template made: `[1, 2]` or `1`."""
    found = json.loads(job_ids) if isinstance(job_ids, str) else job_ids
    return [int(one) for one in (found if isinstance(found, list | tuple) else [found])]


def outcome_of(job: Job) -> dict[str, Any]:
    """What the task needs of a job that has ended."""
    result = (job.details or {}).get("result_filename")
    return {"status": job.status, "needs_review": list(job.needs_review), "result": result}


class GemJobTrigger(BaseTrigger):
    """Asks the daemon until all jobs have ended. Waits out restarts of the daemon."""

    def __init__(self, job_ids: Sequence[int], connection_id: str, pause: float) -> None:
        super().__init__()
        self.job_ids, self.connection_id, self.pause = list(job_ids), connection_id, pause

    def serialize(self) -> tuple[str, dict[str, Any]]:
        values = {"job_ids": self.job_ids, "connection_id": self.connection_id, "pause": self.pause}
        return f"{type(self).__module__}.{type(self).__qualname__}", values

    async def run(self) -> AsyncIterator[TriggerEvent]:
        client = await asyncio.to_thread(client_of, self.connection_id)
        with client:
            while True:
                try:
                    jobs = await asyncio.to_thread(client.jobs, self.job_ids)
                except UnavailableError as error:
                    self.log.warning("%s; trying again", error)
                else:
                    unknown = [one for one in self.job_ids if one not in jobs]
                    if unknown or all(job.finished for job in jobs.values()):
                        ended = {str(one): outcome_of(job) for one, job in jobs.items()}
                        yield TriggerEvent({"jobs": ended, "unknown": unknown})
                        return
                await asyncio.sleep(self.pause)


class GemJobSensor(BaseSensorOperator):
    """Waits for GEM jobs. Returns the names of their result files by job id."""

    template_fields: Sequence[str] = ("job_ids",)

    def __init__(
        self,
        *,
        job_ids: Any,
        connection_id: str = "gemwatch",
        pause: float = 30.0,
        allow_review: bool = False,
        **more: Any,
    ) -> None:
        """`pause`: seconds between two requests. `allow_review`: a result that needs review is a success too."""
        super().__init__(**more)
        self.job_ids, self.connection_id, self.pause, self.allow_review = job_ids, connection_id, pause, allow_review

    def execute(self, context: Any) -> None:
        trigger = GemJobTrigger(ids_of(self.job_ids), self.connection_id, self.pause)
        self.defer(trigger=trigger, method_name="resume", timeout=timedelta(seconds=self.timeout))

    def resume(self, context: Any, event: dict[str, Any]) -> dict[str, str | None]:
        """Called when the trigger has fired. Raises AirflowException unless every job ended well."""
        if event["unknown"]:
            raise AirflowException(f"gemwatch does not watch {event['unknown']}: add them to its watch list")
        bad = {
            job_id: job
            for job_id, job in event["jobs"].items()
            if job["status"] != "SUCCESS" or (job["needs_review"] and not self.allow_review)
        }
        if bad:
            raise AirflowException(f"GEM jobs that did not end well: {json.dumps(bad)}")
        return {job_id: job["result"] for job_id, job in event["jobs"].items()}
