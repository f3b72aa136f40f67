"""What is said about the service itself, to whoever is woken by it: what happened, what it means, what to do."""

from collections.abc import Iterator

from gemwatch.core.events import Event, EventKind, UnknownKind
from gemwatch.core.text import formatting
from gemwatch.core.text.formatting import Facts
from gemwatch.core.text.sanitize import sanitize, single_line

_MOST_PROBLEMS = 10


def title(event: Event, facts: Facts) -> str:
    over = facts.flag("over")
    match event.kind:
        case EventKind.LOGIN:
            words = "login works again" if over else "login refused"
            if event.job_id is not None:
                words += f" for {formatting.job(event.job_id, facts.text('name', formatting.LONGEST_NAME))}"
        case EventKind.API:
            words = "the GEM API answers again" if over else _api_failing(facts)
        case EventKind.STORE:
            words = "the store works again" if over else "the store does not work"
        case EventKind.CONFIG:
            words = _config_title(facts)
        case EventKind.TARGET:
            target = facts.text("target", 80) or "a target"
            words = f"target {target} accepts messages again" if over else f"target {target} is down"
        case EventKind.GROUP_DONE:
            return _group_title(facts)
        case UnknownKind():
            words = event.kind.traits.label
            words += "" if event.job_id is None else f" ({formatting.job(event.job_id, None)})"
        case _:  # events about a job have titles of their own
            raise AssertionError(event.kind)
    return f"gemwatch: {words}"


def lines(event: Event, facts: Facts) -> Iterator[str]:
    over = facts.flag("over")
    match event.kind:
        case EventKind.LOGIN if event.job_id is not None:
            yield from _one_job_allowed(event, facts) if over else _one_job_refused(event, facts)
        case EventKind.LOGIN:
            yield from _login_works(event, facts) if over else _login_refused(event, facts)
        case EventKind.API:
            yield from _api_back(event, facts) if over else _api_gone(event, facts)
        case EventKind.STORE:
            yield from _store_works(event, facts) if over else _store_fails(event, facts)
        case EventKind.TARGET:
            yield from _target_recovered(event, facts) if over else _target_down(event, facts)
        case _:
            yield from _config_mended(event, facts) if over else _config_refused(event, facts)


def _target_down(event: Event, facts: Facts) -> Iterator[str]:
    yield "The target does not accept messages."
    yield from _reason(facts)
    fallback = facts.text("fallback", 80)
    if fallback:
        yield f"Meaning: its messages go to {fallback} until it accepts messages again."
    else:
        yield "Meaning: its messages wait. gemwatch retries each for 48 hours."
    yield _to_do(facts, "fix the target, then try it with: gemwatch test-notify")
    yield _since(event, facts)


def _target_recovered(event: Event, facts: Facts) -> Iterator[str]:
    yield "The target accepts messages again."
    yield "To do: nothing."
    yield _lasted(event, facts)


def _group_title(facts: Facts) -> str:
    name = facts.text("group", 80) or "without a name"
    word = "GROUP INCOMPLETE" if facts.flag("incomplete") else EventKind.GROUP_DONE.traits.outcome
    return f"{word}: {name}"


def group_done(event: Event, facts: Facts) -> Iterator[str]:
    """How the jobs of a group ended."""
    counts = facts.part("outcomes").raw
    ended = ", ".join(sanitize(f"{number} {word}", 64) for word, number in counts.items())
    yield f"Jobs: {ended}" if ended else "Jobs: none"
    for label, key in (("Failed", "failed"), ("Needs review", "needs_review")):
        ids = facts.raw.get(key)
        if isinstance(ids, list) and ids:
            yield f"{label}: {', '.join(sanitize(str(job_id), 20) for job_id in ids)}"
    if first := facts.time("first_requested_at"):
        yield f"First request: {formatting.point(first)}"
    yield f"Last end: {formatting.point(facts.time('last_ended_at') or event.at)}"


def unknown_kind(event: Event) -> Iterator[str]:
    """An event that a newer gemwatch has stored: nothing can be assumed about its facts."""
    yield f"A newer version of gemwatch recorded this event ({event.kind.value[:40]}). This version cannot show more."
    yield f"Observed: {formatting.point(event.at)}"


def _api_failing(facts: Facts) -> str:
    if facts.flag("bad_answer"):
        return "the GEM API answers in a form that gemwatch does not understand"
    return "the GEM API does not answer"


def _login_refused(event: Event, facts: Facts) -> Iterator[str]:
    yield "The GEM API no longer lets gemwatch in."
    yield from _reason(facts)
    yield "Meaning: no job is polled until the login works. No end is lost: what ended meanwhile is told then."
    yield _to_do(
        facts,
        "on the host, as the user that runs gemwatch, renew the login (az login, unless the configuration "
        "says otherwise); gemwatch token shows whether it works",
    )
    yield _since(event, facts)


def _login_works(event: Event, facts: Facts) -> Iterator[str]:
    yield "The GEM API lets gemwatch in again."
    yield "Meaning: all jobs are polled again, and what ended meanwhile is told now."
    yield "To do: nothing."
    yield _lasted(event, facts)


def _one_job_refused(event: Event, facts: Facts) -> Iterator[str]:
    yield "The GEM API refuses this one job, while it answers about others."
    yield from _reason(facts)
    yield "Meaning: only this job's end cannot be told. gemwatch goes on asking, a few times an hour."
    yield _to_do(
        facts, f"check the id, and that this account may see the job. To stop asking: gemwatch unwatch {event.job_id}"
    )
    yield _since(event, facts)


def _one_job_allowed(event: Event, facts: Facts) -> Iterator[str]:
    yield "The GEM API answers about this job again."
    yield "Meaning: it is polled as usual."
    yield "To do: nothing."
    yield _lasted(event, facts)


def _api_gone(event: Event, facts: Facts) -> Iterator[str]:
    since = facts.time("since")
    length = f" for {formatting.span(event.at - since)}" if since and since < event.at else ""
    yield f"There has been no good answer from the GEM API{length}."
    if facts.flag("bad_answer"):
        yield "It answers in a form that gemwatch does not understand."
    yield from _reason(facts)
    yield "Meaning: no job's end can be seen now. gemwatch goes on trying, and what ended meanwhile is told then."
    yield _to_do(
        facts,
        "if the trouble is at TomTom, nothing. Otherwise check network, proxy and DNS of the host; "
        "gemwatch check --online tries it at once",
    )
    yield _since(event, facts)


def _api_back(event: Event, facts: Facts) -> Iterator[str]:
    yield "The GEM API answers again."
    yield "Meaning: all jobs are polled again, and what ended meanwhile is told now."
    yield "To do: nothing."
    yield _lasted(event, facts)


def _store_fails(event: Event, facts: Facts) -> Iterator[str]:
    yield "gemwatch can neither read nor write its database."
    yield from _reason(facts)
    yield "Meaning: no job is polled and no message is sent, since none could be recorded. No end is lost: what ends"
    yield "meanwhile is told once the database works again. gemwatch goes on trying by itself."
    yield _to_do(facts, "on the host, look at the disk (full? read-only?) and at who else has the database open")
    yield _since(event, facts)


def _store_works(event: Event, facts: Facts) -> Iterator[str]:
    yield "gemwatch can use its database again."
    yield "Meaning: all jobs are polled again, and what ended meanwhile is told now."
    yield "To do: nothing."
    yield _lasted(event, facts)


def _config_title(facts: Facts) -> str:
    if facts.flag("over"):
        return "configuration in order again"
    if facts.flag("refused"):
        return "configuration refused"
    number = len(facts.places("problems"))
    return (
        f"{formatting.counted(number, 'watch entry', 'watch entries')} set aside"
        if number
        else "watch entries set aside"
    )


def _config_refused(event: Event, facts: Facts) -> Iterator[str]:
    refused = facts.flag("refused")
    if refused:
        yield "The configuration that was saved has mistakes, so none of it is applied."
    else:
        yield "These entries of the watch list have mistakes, so they are set aside; the others are applied."
    problems = facts.places("problems")
    yield from problems[:_MOST_PROBLEMS]
    if len(problems) > _MOST_PROBLEMS:
        yield f"and {len(problems) - _MOST_PROBLEMS} more: gemwatch check shows all"
    yield from _reason(facts)
    if refused:
        yield "Meaning: gemwatch goes on with the last good configuration. Jobs added since then are not watched."
    else:
        yield "Meaning: the jobs of these entries are not watched as they say. All others are."
    yield _to_do(facts, "correct the file and save it; it is read again by itself. gemwatch check tries it before")
    yield f"Observed: {formatting.point(event.at)}"


def _config_mended(event: Event, facts: Facts) -> Iterator[str]:
    yield "The configuration has no more mistakes and is applied as it is."
    yield "To do: nothing."
    yield _lasted(event, facts)


def _reason(facts: Facts) -> Iterator[str]:
    if reason := facts.text("reason", 300):
        yield f"Reason: {reason}"


def _to_do(facts: Facts, usually: str) -> str:
    # A remedy is our own text and often a command to copy, so it is not disarmed.
    remedy = facts.raw.get("remedy")
    return f"To do: {(single_line(remedy, 300) if isinstance(remedy, str) else '') or usually}"


def _since(event: Event, facts: Facts) -> str:
    return f"Since: {formatting.point(facts.time('since') or event.at)}"


def _lasted(event: Event, facts: Facts) -> str:
    since = facts.time("since")
    if since is None or since >= event.at:
        return f"Observed: {formatting.point(event.at)}"
    length, end = formatting.span(event.at - since), formatting.near(event.at, since)
    return f"Lasted: {length}, from {formatting.point(since)} to {end}"
