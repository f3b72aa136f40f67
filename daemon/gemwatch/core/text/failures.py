"""The words for failures of the service, which make a long file: for messages, pages and commands."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from gemwatch.core.events import Event
from gemwatch.core.kinds import ApiFacts, ConfigFacts, FailureFacts, LoginFacts, StoreFacts, TargetFacts
from gemwatch.core.refusals import Culprit, suspects
from gemwatch.core.text import formatting
from gemwatch.core.text.context import NOWHERE, Context
from gemwatch.core.text.steps import Step, ended, steps_of


class Failure(StrEnum):
    """The failures of the service itself."""

    LOGIN = "login"
    LOGIN_FOR_JOB = "login-for-job"
    LOGIN_FOR_SOME = "login-for-some"
    API = "api"
    API_FORM = "api-form"
    DISCOVERY = "discovery"
    RULES_FULL = "rules-full"
    LISTS_DIFFER = "lists-differ"
    STORE = "store"
    TARGET = "target"
    TARGET_WITH_FALLBACK = "target-with-fallback"
    CONFIG = "config"
    CONFIG_ENTRIES = "config-entries"
    DELIVERIES = "deliveries"
    STALLED = "stalled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """`title` starts in lower case, because it follows a name. `commands` are templates for `Context.command`.

    `short`: for a status line, with `{target}` where one fails.
    """

    title: str
    happened: str
    meaning: str
    to_do: str
    commands: tuple[str, ...] = ()
    short: str = ""

    def steps(
        self, context: Context = NOWHERE, remedy: str | None = None, target: str | None = None
    ) -> tuple[Step, ...]:
        """What to do. `remedy`: for the present cause; it replaces `to_do`, and the last command checks it.

        `target`: the one that the commands concern.
        """
        if not remedy:
            commands = (Step(text=command, command=True) for command in context.commands(self.commands, target))
            return (Step(text=self.to_do), *commands)
        checks = context.commands(self.commands[-1:], target)
        return steps_of(
            "\n".join([ended(remedy), *(["Then check it:"] if checks else []), *map("  {}".format, checks)])
        )


_RESUMED = "All jobs are polled again. Jobs that finished in the meantime are reported now."
_REPLICA_RESUMED = "This replica polls again."
_REPLICA_ENDED = Words(
    title="replica without login has ended",
    happened="The replica whose login was refused has ended.",
    meaning="The other replicas poll its jobs. If it starts again without a login, another message follows.",
    to_do="Nothing, if it was stopped. Otherwise log in on its machine and start it again.",
)
_OTHERS_POLL = "This replica polls no job until its login works. The others poll its jobs, so nothing is missed."
_BLIND = "gemwatch cannot see jobs finish. It keeps trying, and reports jobs that finish in the meantime afterwards."
_FIX_FILE = "Correct the file and save it. gemwatch reads it again automatically. To check it first, run:"
_FIX_TARGET = "Fix the target, then try it:"
_ACCEPTED = Words(
    title="has recovered",
    happened="The target accepts messages again.",
    meaning="Its messages go to it again.",
    to_do="Nothing.",
)
_ANSWERING = Words(
    title="the GEM API answers again",
    happened="The GEM API gives usable answers again.",
    meaning=_RESUMED,
    to_do="Nothing.",
)

FAILING: Mapping[Failure, Words] = {
    Failure.LOGIN: Words(
        short="LOGIN REFUSED",
        title="login refused",
        happened="The GEM API refuses gemwatch's login.",
        meaning="Polling is paused until the login works. Nothing is missed: jobs that finish in the meantime are "
        "reported afterwards.",
        to_do="On the host, as the user that runs gemwatch, log in again and check that it works:",
        commands=("{login}", "{gemwatch} check --online"),
    ),
    Failure.LOGIN_FOR_JOB: Words(
        title="login refused",
        happened="The GEM API refuses requests for this job, but answers requests for others.",
        meaning="gemwatch cannot see when this job finishes. It polls the job a few times an hour.",
        to_do="Check the job id, and that your account may read the job. To stop polling it, run:",
        commands=("{gemwatch} unwatch JOB_ID",),
    ),
    Failure.LOGIN_FOR_SOME: Words(
        short="MANY JOBS REFUSED",
        title="requests for many jobs refused",
        happened="The GEM API refuses requests for many jobs, but answers others.",
        meaning="gemwatch cannot see when the refused jobs finish. It polls each of them at least every 5 minutes, "
        "and reports jobs that finish in the meantime afterwards.",
        to_do="Check that your account and the API key may read these jobs. If a gateway limits requests, lower "
        "api.max_rate. To see the jobs, run:",
        commands=("{gemwatch} status",),
    ),
    Failure.API: Words(
        short="API DOWN",
        title="the GEM API does not answer",
        happened="The GEM API gives no usable answer.",
        meaning=_BLIND,
        to_do="If TomTom has an outage, wait. Otherwise check network, proxy and DNS of the host. To try now, run:",
        commands=("{gemwatch} check --online",),
    ),
    Failure.API_FORM: Words(
        title="the GEM API answers in a form that gemwatch does not understand",
        happened="The GEM API gives no usable answer.",
        meaning=_BLIND,
        to_do="Check api.base_url and any proxy in between. If both are right, TomTom may have changed the API: look "
        "for a newer gemwatch. To try now, run:",
        commands=("{gemwatch} check --online",),
    ),
    Failure.DISCOVERY: Words(
        title="discovery is failing",
        happened="The GEM API gives no usable list of jobs.",
        meaning="The rules under discover find no new jobs. Watched jobs are polled as usual. Jobs that are "
        "requested in the meantime are found afterwards.",
        to_do="Check that your account may list its jobs. If it may not use a job type, name the other one with "
        "job_type in the rule. To try now, run:",
        commands=("{gemwatch} discover",),
    ),
    Failure.LISTS_DIFFER: Words(
        title="watch lists differ",
        happened="Several daemons share the store, and some have another watch list than the applied one.",
        meaning="The applied one stays in force. If one of these daemons leads, it adds jobs and removes none.",
        to_do="Give all daemons the same watch list, rules, groups and targets.",
    ),
    Failure.RULES_FULL: Words(
        title="a rule finds too many jobs",
        happened="Rules under discover watch as many unfinished jobs as their max allows.",
        meaning="Other jobs that these rules match are not watched until some of the watched ones end.",
        to_do="Make the patterns narrower, or set a higher max. To see what the rules match, run:",
        commands=("{gemwatch} discover",),
    ),
    Failure.STORE: Words(
        title="the store is failing",
        happened="gemwatch cannot use its database.",
        meaning="Polling and sending are paused, because nothing can be recorded. Nothing is missed: jobs that "
        "finish in the meantime are reported once the database has recovered.",
        to_do="On the host, check the disk (full or read-only?), the permissions, and whether another program "
        "locks the database. gemwatch then resumes automatically.",
    ),
    Failure.TARGET: Words(
        short="TARGET {target} DOWN",
        title="is down",
        happened="The target does not accept messages.",
        meaning="Its messages wait. gemwatch retries each of them for 48 hours.",
        to_do=_FIX_TARGET,
        commands=("{gemwatch} test-notify {target}",),
    ),
    Failure.TARGET_WITH_FALLBACK: Words(
        title="is down",
        happened="The target does not accept messages.",
        meaning="Its messages go to the fallback until it accepts messages again.",
        to_do=_FIX_TARGET,
        commands=("{gemwatch} test-notify {target}",),
    ),
    Failure.CONFIG: Words(
        short="CONFIG REFUSED",
        title="configuration refused",
        happened="The saved configuration has mistakes, so none of it is applied.",
        meaning="gemwatch keeps the last good configuration. Jobs added since then are not watched.",
        to_do=_FIX_FILE,
        commands=("{gemwatch} check",),
    ),
    Failure.CONFIG_ENTRIES: Words(
        title="watch entries skipped",
        happened="Some entries of the watch list have mistakes. They are skipped, all others are applied.",
        meaning="The jobs of the skipped entries are not watched as their entries say.",
        to_do=_FIX_FILE,
        commands=("{gemwatch} check",),
    ),
    Failure.DELIVERIES: Words(
        title="deliveries failed",
        happened="A notification could not be delivered.",
        meaning="gemwatch has stopped retrying, so the target does not receive it.",
        to_do="Fix the target, then run:",
        commands=("{gemwatch} deliveries retry",),
    ),
    Failure.STALLED: Words(
        title="no progress",
        happened="gemwatch makes no progress.",
        meaning="What you see here may be out of date.",
        to_do="Read its log, then restart it. A restart loses nothing.",
    ),
}

RECOVERED: Mapping[Failure, Words] = {
    Failure.LOGIN: Words(
        title="login recovered",
        happened="The GEM API accepts gemwatch's login again.",
        meaning=_RESUMED,
        to_do="Nothing.",
    ),
    Failure.LOGIN_FOR_JOB: Words(
        title="login recovered",
        happened="The GEM API answers requests for this job again.",
        meaning="The job is polled as usual.",
        to_do="Nothing.",
    ),
    Failure.LOGIN_FOR_SOME: Words(
        title="requests for jobs accepted again",
        happened="The GEM API answers requests for nearly all jobs again.",
        meaning="The jobs are polled as usual. Jobs that are still refused are reported one by one.",
        to_do="Nothing.",
    ),
    Failure.API: _ANSWERING,
    Failure.API_FORM: _ANSWERING,
    Failure.DISCOVERY: Words(
        title="discovery has recovered",
        happened="The GEM API gives usable lists of jobs again.",
        meaning="The rules under discover find jobs again, also those that were requested in the meantime.",
        to_do="Nothing.",
    ),
    Failure.LISTS_DIFFER: Words(
        title="watch lists agree again",
        happened="All daemons on the store have the applied watch list.",
        meaning="Whichever of them leads, the same jobs are watched.",
        to_do="Nothing.",
    ),
    Failure.RULES_FULL: Words(
        title="all rules can watch more jobs again",
        happened="No rule under discover watches as many unfinished jobs as its max allows.",
        meaning="All jobs that the rules match are watched.",
        to_do="Nothing.",
    ),
    Failure.STORE: Words(
        title="the store has recovered",
        happened="gemwatch can use its database again.",
        meaning=_RESUMED,
        to_do="Nothing.",
    ),
    Failure.TARGET: _ACCEPTED,
    Failure.TARGET_WITH_FALLBACK: _ACCEPTED,
    Failure.CONFIG: Words(
        title="configuration fixed",
        happened="The configuration has no more mistakes.",
        meaning="All of it is applied.",
        to_do="Nothing.",
    ),
}


def _failure_of(event: Event, facts: FailureFacts) -> Failure:  # noqa: PLR0911 (a case for each failure)
    match facts:
        case LoginFacts(some_jobs=True):
            return Failure.LOGIN_FOR_SOME
        case LoginFacts():
            return Failure.LOGIN if event.job_id is None else Failure.LOGIN_FOR_JOB
        case ApiFacts(discovery=discovery, bad_answer=bad):
            return Failure.DISCOVERY if discovery else Failure.API_FORM if bad else Failure.API
        case ConfigFacts(rules=True):
            return Failure.RULES_FULL
        case ConfigFacts(lists=True):
            return Failure.LISTS_DIFFER
        case StoreFacts():
            return Failure.STORE
        case TargetFacts(fallback=fallback):
            return Failure.TARGET if fallback is None else Failure.TARGET_WITH_FALLBACK
        case ConfigFacts(refused=refused, over=over):
            return Failure.CONFIG if refused or over else Failure.CONFIG_ENTRIES
        case _:
            assert_never(facts)


def _of_replica(facts: LoginFacts, usual: str) -> str:
    """What the login of one of several replicas means."""
    if facts.over:
        return _REPLICA_RESUMED
    return _OTHERS_POLL if facts.others_poll else f"No replica polls. {usual}"


def words_for(event: Event, facts: FailureFacts) -> Words:
    """The words for a failure or its recovery, with its numbers."""
    failure = _failure_of(event, facts)
    words = RECOVERED[failure] if facts.over else FAILING[failure]
    if failure is Failure.LOGIN and isinstance(facts, LoginFacts) and facts.replica is not None:
        if facts.ended:
            return _REPLICA_ENDED
        return replace(words, meaning=_of_replica(facts, words.meaning))
    if facts.over:
        return words
    if isinstance(facts, ConfigFacts) and failure is Failure.CONFIG_ENTRIES and facts.problems:
        number = formatting.counted(len(facts.problems), "watch entry", "watch entries")
        return replace(words, title=f"{number} skipped")
    if isinstance(facts, ApiFacts) and not facts.discovery and facts.since and facts.since < event.at:
        length = formatting.span(event.at - facts.since)
        return replace(words, happened=f"The GEM API has given no usable answer for {length}.")
    return words


_CAUSES: Mapping[Culprit, str] = {
    Culprit.RATE: "too many requests",
    Culprit.TOKEN: "the token",
    Culprit.KEY: "the API key",
    Culprit.PRODUCT: "a product that is not enabled for the API key",
    Culprit.ACCOUNT: "the account",
    Culprit.JOB: "the job id",
    Culprit.UNKNOWN: "unknown",
}


def likely_cause(culprit: Culprit, status: int | None) -> str:
    """`the API key`, or `the token or the API key` if the answer does not name one. `status` is HTTP's."""
    return " or ".join(_CAUSES[suspect] for suspect in suspects(culprit, status))
