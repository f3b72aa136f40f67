"""Follows jobs in a daemon on another machine, through its JSON API, for `gemwatch wait --url`."""

import json
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from signal import Signals
from types import FrameType
from typing import NoReturn

from gemwatch.adapters.gem.wire import read_details
from gemwatch.cli.common import MISUSED, fail
from gemwatch.cli.wait.output import Failures, Shown
from gemwatch.client import Client, ClientError, Job, TokenError, UnavailableError
from gemwatch.client import answers as api
from gemwatch.core.estimates.estimate import Basis, Estimate, Range
from gemwatch.core.health import Login
from gemwatch.core.job import JobDetails, Status
from gemwatch.core.outcome import Outcome, WaitTerms, out_of_time, over
from gemwatch.core.waiting import DaemonJobStatus, JobStanding, after_daemon_status

PAUSE = 2.0  # seconds between two requests
_UNKNOWN_AFTER = 3  # requests in a row: an entry of the watch list is applied within 5 seconds
_OTHER_ACCESS = "Set GEMWATCH_WEB_TOKEN, or --token-file, to the web.token of that daemon."
_LOGIN_THERE = "On the daemon's machine, gemwatch status shows the reason and what to do."


class _StoppedError(Exception):
    """A signal ends the wait."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


def waited(
    client: Client,
    job_ids: Sequence[int],
    terms: WaitTerms,
    limit: timedelta | None,
    *,
    group: str | None = None,
    shown: Shown,
    signals: Mapping[Signals, Outcome],
) -> tuple[Sequence[JobStanding], Outcome]:
    """How these jobs and those of the group stand at the end, and the outcome: for a signal, what `signals` says.

    Raises AddressError or IncompatibleError if the first answer is not one of a gemwatch that can be followed.
    """

    def stop(number: int, _: FrameType | None) -> NoReturn:
        raise _StoppedError(signals[Signals(number)])

    wait = _RemoteWait(client, job_ids, terms, limit, shown, group=group)
    try:
        for one in signals:
            signal.signal(one, stop)
        outcome = wait.run()
    except _StoppedError as stopped:
        outcome = stopped.outcome
    return wait.standings, outcome


class _RemoteWait:
    """One wait. `standings` stay readable when a signal ends it."""

    def __init__(
        self,
        client: Client,
        job_ids: Sequence[int],
        terms: WaitTerms,
        limit: timedelta | None,
        shown: Shown,
        *,
        group: str | None,
    ) -> None:
        self._client, self._terms, self._shown = client, terms, shown
        self._failures = Failures(shown)
        self._group = group
        self._found = {job_id: JobStanding(job_id=job_id) for job_id in job_ids}
        self._deadline = None if limit is None else time.monotonic() + limit.total_seconds()
        self._answered = False

    @property
    def standings(self) -> Sequence[JobStanding]:
        return list(self._found.values())

    def run(self) -> Outcome:
        if self._group is not None and (outcome := self._join(self._group)) is not None:
            return outcome
        while True:
            self._ask()
            self._shown.show(self.standings)
            self._failures.show(self.standings)
            outcomes = [standing.outcome for standing in self.standings]
            if (outcome := over(outcomes, self._terms)) is not None:
                return outcome
            if not self._pause():
                return out_of_time(outcomes, self._terms)

    def _join(self, group: str) -> Outcome | None:
        """Add the jobs of the group, once the daemon answers. Returns the outcome of a wait that ends before."""
        failing = False
        while True:
            try:
                self._client.service()
                members = sorted(self._client.jobs(group=group))
            except TokenError as error:
                self._shown.say(f"login: {error}. {_OTHER_ACCESS}")
                return Outcome.LOGIN_REFUSED
            except UnavailableError as error:
                if not failing:
                    self._shown.say(f"{error}. The jobs of the group are not known yet; gemwatch keeps trying")
                failing = True
                if not self._pause():
                    return Outcome.TIMED_OUT
            else:
                if not members:
                    fail(f"no job is in the group {group!r}", MISUSED)
                self._found |= {job_id: JobStanding(job_id=job_id) for job_id in members if job_id not in self._found}
                return None

    def _pause(self) -> bool:
        """Wait until the next request. False: the time of the wait is over."""
        left = PAUSE if self._deadline is None else self._deadline - time.monotonic()
        if left > 0:
            time.sleep(min(left, PAUSE))
        return left > 0

    def _ask(self) -> None:
        """Update the jobs that have not ended from one answer of the daemon."""
        still_open = [standing.job_id for standing in self.standings if standing.outcome is None]
        try:
            refused = self._client.service().login == Login.REFUSED
            jobs = self._client.jobs(still_open)
        except TokenError as error:
            why = str(error)
            self._change(lambda one: _refused(one, why, _OTHER_ACCESS))
        except ClientError as error:
            if not self._answered and not isinstance(error, UnavailableError):
                raise
            why = str(error)  # later it may be the page of a proxy, or an upgrade: both pass
            self._change(lambda one: replace(one, failures=one.failures + 1, last_error=why))
        else:
            self._answered = True
            self._change(lambda one: self._after(one, jobs.get(one.job_id)))
            if refused:
                why = f"the daemon at {self._client.url} cannot log in to the GEM API"
                self._change(lambda one: _refused(one, why, _LOGIN_THERE))

    def _change(self, update: Callable[[JobStanding], JobStanding]) -> None:
        for standing in self.standings:
            if standing.outcome is None:
                self._found[standing.job_id] = update(standing)

    def _after(self, standing: JobStanding, job: Job | None) -> JobStanding:
        if job is None or not (job.watched or job.finished):
            why = f"the daemon at {self._client.url} does not watch this job"
            misses = standing.misses + 1
            lost = Outcome.NOT_FOUND if misses >= _UNKNOWN_AFTER else None
            return replace(standing, misses=misses, failures=0, last_error=why, outcome=lost)
        now = after_daemon_status(standing, _status(job), unknown_ends=self._terms.unknown_ends)
        if job.not_found and now.outcome is None:
            return replace(now, last_error=job.last_error, outcome=Outcome.NOT_FOUND)
        return now


def _refused(standing: JobStanding, why: str, remedy: str) -> JobStanding:
    return replace(standing, failures=0, last_error=why, remedy=remedy, outcome=Outcome.LOGIN_REFUSED)


def _status(job: Job) -> DaemonJobStatus:
    answer = None if job.details is None else json.dumps(job.details)
    return DaemonJobStatus(
        job_id=job.job_id,
        name=job.name,
        status=job.status,
        status_since=job.status_since,
        seen_at=None if job.status is None else job.last_polled_at or job.status_since,
        job=_details(answer),
        answer=answer,
        misses=job.misses,
        failures=1 if job.last_error and not job.misses else 0,
        last_error=job.last_error,
        next_poll_at=job.next_poll_at,
        needs_review=job.needs_review if job.status == Status.SUCCESS else (),
        estimate=None if job.estimate is None else _estimate(job.estimate),
    )


def _details(answer: str | None) -> JobDetails | None:
    try:
        return None if answer is None else read_details(answer)
    except ValueError:
        return None


def _estimate(found: api.Estimate) -> Estimate:
    return Estimate(
        ends_at=found.ends_at,
        earliest=found.earliest,
        latest=found.latest,
        runs=found.runs,
        basis=Basis(found.basis),
        overdue=found.overdue,
        queue=_range(found.queue_seconds),
        running=_range(found.running_seconds),
    )


def _range(seconds: api.Range | None) -> Range | None:
    if seconds is None:
        return None
    low, median, high = (timedelta(seconds=one) for one in (seconds.low, seconds.median, seconds.high))
    return Range(low=low, median=median, high=high)
