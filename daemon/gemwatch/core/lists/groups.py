"""Groups of jobs: when a group is done, and what is reported about it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gemwatch.core.job import Status, is_end
from gemwatch.core.kinds import GroupDoneFacts
from gemwatch.core.settings import GroupSettings, Members, Rule, Settings

SETTLE = timedelta(minutes=10)  # for the groups of rules, whose jobs are found one list after another
GIVE_UP = timedelta(hours=24)  # without a running member, the rest does not come


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTerms:
    """When a group is done. `quiet`: its members' successes are not sent to those who receive the group's event."""

    expect: int | None = None
    settle: timedelta = timedelta()
    quiet: bool = False


USUAL = GroupTerms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A job of a group. `ended_at` is only set once it has ended."""

    job_id: int
    status: str | None = None
    needs_review: bool = False
    requested_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """An open group. `idle_since`: it is not done, and no member has been running since then."""

    name: str
    member_added_at: datetime
    idle_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCheck:
    """What a check of an open group shows. `done`: to be reported, if `incomplete` with jobs missing."""

    done: bool = False
    incomplete: bool = False
    idle_since: datetime | None = None


def terms_by_group(settings: Settings) -> Mapping[str, GroupTerms]:
    """The terms of the groups that have settings or a rule. The others have the usual ones."""
    own = {group.name: group for group in settings.groups}
    fed = _fed(settings.discover)
    return {name: _terms(own.get(name, GroupSettings(name=name)), fed=name in fed) for name in own.keys() | fed}


def standing(
    opening: Opening, *, members: int, ended: int, running: int, terms: GroupTerms, now: datetime
) -> GroupCheck:
    """Whether a group with this many members, ended and running ones is done."""
    if not members:
        return GroupCheck()
    if ended == members and (terms.expect is None or ended >= terms.expect):
        if terms.expect is None and now - opening.member_added_at < terms.settle:
            return GroupCheck()
        return GroupCheck(done=True)
    if running:
        return GroupCheck()
    since = opening.idle_since or now
    if now - since >= GIVE_UP:
        return GroupCheck(done=True, incomplete=True, idle_since=since)
    return GroupCheck(idle_since=since)


def facts_of(name: str, members: Sequence[Member], terms: GroupTerms, *, incomplete: bool) -> GroupDoneFacts:
    """How the members ended."""
    ended = [one for one in members if is_end(one.status)]
    successes = [one for one in ended if one.status == Status.SUCCESS]
    return GroupDoneFacts(
        group=name,
        members=len(members),
        succeeded=sum(not one.needs_review for one in successes),
        failed=_ids(one for one in ended if one.status == Status.FAILED),
        needs_review=_ids(one for one in successes if one.needs_review),
        unfinished=_ids(one for one in members if not is_end(one.status)),
        expect=terms.expect,
        incomplete=incomplete,
        first_requested_at=min((one.requested_at for one in members if one.requested_at), default=None),
        last_ended_at=max((one.ended_at for one in ended if one.ended_at), default=None),
    )


def _ids(members: Iterable[Member]) -> tuple[int, ...]:
    return tuple(sorted(one.job_id for one in members))


def _fed(rules: Iterable[Rule]) -> set[str]:
    return {rule.watch.group for rule in rules if rule.watch.group is not None}


def _terms(group: GroupSettings, *, fed: bool) -> GroupTerms:
    settle = group.settle if group.settle is not None else SETTLE if fed else timedelta()
    return GroupTerms(expect=group.expect, settle=settle, quiet=group.members is Members.QUIET)
