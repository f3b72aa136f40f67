"""What fails, as pages and commands show it: the same words, with commands that can be copied."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gemwatch.adapters.store.reads.failing import failing
from gemwatch.adapters.store.reads.rows import ServiceState, service_state
from gemwatch.core.health import ApiState, Login
from gemwatch.core.target_health import TargetHealth
from gemwatch.core.text.context import Context
from gemwatch.core.text.failures import Failure
from support.clock import START

HERE = Context(config_path="/etc/gem watch/config.yaml")
CHECK = "gemwatch --config '/etc/gem watch/config.yaml' check --online"
DOWN = TargetHealth(failing_since=START, down_since=START, reason="no_service", announced=True)


def kinds(service: ServiceState) -> list[Failure]:
    return [found.failure for found in failing(service, HERE)]


def commands(service: ServiceState) -> list[str]:
    return [step.text for found in failing(service, HERE) for step in found.steps if step.command]


def test_nothing_fails_in_a_healthy_service() -> None:
    assert kinds(ServiceState(login=Login.OK, api=ApiState.OK)) == []


def test_refused_login_shows_reason_and_exact_commands() -> None:
    notes = {
        "login": "refused",
        "login_since": START.isoformat(),
        "login_reason": "HTTP 401.",
        "login_remedy": "Renew the login. As user gw, run:\n  az login --scope S",
    }
    (found,) = failing(service_state(notes), HERE)
    assert found.sentences == "The GEM API refuses gemwatch's login. Reason: HTTP 401."
    assert found.since == START
    assert [step.text for step in found.steps if step.command] == ["az login --scope S", CHECK]


def test_refused_login_without_a_known_remedy_can_be_checked() -> None:
    assert commands(ServiceState(login=Login.REFUSED)) == [CHECK]


@pytest.mark.parametrize(("form", "failure"), [(False, Failure.API), (True, Failure.API_FORM)])
def test_failing_api_shows_whether_it_answers_at_all(form: bool, failure: Failure) -> None:  # noqa: FBT001 (a table's column)
    notes = {"api": "down", "api_reason": "HTTP 502", "api_form": form}
    (found,) = failing(service_state(notes), HERE)
    assert (found.failure, found.reason) == (failure, "HTTP 502")


def test_many_refused_jobs_have_a_line() -> None:
    service = ServiceState(login=Login.OK, many_refused_since=START)
    assert kinds(service) == [Failure.LOGIN_FOR_SOME]
    assert kinds(replace(service, login=Login.REFUSED)) == [Failure.LOGIN]  # which is worse and covers it


def test_target_with_a_fallback_says_where_its_messages_go() -> None:
    alone = ServiceState(targets={"chat": DOWN})
    assert kinds(alone) == [Failure.TARGET]
    rerouted = replace(alone, fallbacks={"chat": "mail"})
    assert kinds(rerouted) == [Failure.TARGET_WITH_FALLBACK]
    (found,) = failing(rerouted, HERE)
    assert found.happened == "chat: the target does not accept messages."
    assert "go to the fallback" in found.meaning
    both = replace(rerouted, targets={"chat": DOWN, "mail": replace(DOWN, down_since=START + timedelta(minutes=1))})
    assert kinds(both) == [Failure.TARGET, Failure.TARGET]  # the messages wait
