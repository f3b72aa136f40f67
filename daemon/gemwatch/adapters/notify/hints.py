"""Remedies for well-known refusals of Slack, Teams, Exchange Online and Gmail, and for URLs that cause them."""

import re

from apprise.plugins.base import NotifyBase

EXCHANGE = (
    "Exchange Online no longer accepts passwords for SMTP. Use an azure:// URL (Microsoft Graph) instead, "
    "see docs/targets.md"
)
TEAMS = (
    "Office 365 connectors are retired. Make a workflow in Teams and use its workflows:// URL, see docs/targets.md"
)
_SLACK = "Slack no longer knows this webhook. Make a new incoming webhook and put its URL into the configuration"
_SLACK_CHANNEL = "The webhook's channel is archived or gone. Make a new incoming webhook for another channel"
_WORKFLOW = (
    "The Teams workflow is turned off or deleted, its owner has left, or its URL has changed. Open it in Teams, "
    "check that it is on, and copy its URL again"
)
_GMAIL = "Google does not accept account passwords here. Make an app password, see docs/targets.md"

# service, code, pattern in the service's answer, what to do
_HINTS = tuple(
    (service, code, re.compile(sign, re.IGNORECASE), hint)
    for service, code, sign, hint in (
        ("Slack", "", "channel_is_archived|channel_not_found", _SLACK_CHANNEL),
        ("Slack", "", "no_service|no_team|invalid_token|no_active_hooks", _SLACK),
        ("Slack", "404|410", "", _SLACK),
        ("Workflows|Power Automate", "401|403|404|410", "", _WORKFLOW),
        ("", "5..", r"5\.7\.139|5\.7\.57|SmtpClientAuthentication", EXCHANGE),
        ("", "534|535", r"5\.7\.9|gsmtp|support\.google", _GMAIL),
    )
)
_EXCHANGE_HOSTS = frozenset({"smtp.office365.com", "smtp-mail.outlook.com", "outlook.office365.com"})


def hint(service: str, code: str, words: str) -> str | None:
    """What to do about a refusal, or None. `code`: three digits of HTTP or SMTP."""
    for named, codes, sign, advice in _HINTS:
        if re.match(named, service, re.IGNORECASE) and re.match(codes, code) and sign.search(words):
            return advice
    return None


def url_hint(plugin: NotifyBase) -> str | None:
    """A warning about a URL that Apprise accepts but the service is known to refuse, or None."""
    host = str(getattr(plugin, "smtp_host", "")).lower()
    if host in _EXCHANGE_HOSTS and plugin.password:
        return EXCHANGE
    if host == "smtp.gmail.com" and plugin.password and not re.fullmatch(r"(?:[a-z]{4} ?){4}", str(plugin.password)):
        return _GMAIL
    return None
