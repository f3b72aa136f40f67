"""Mail: Apprise parses the URL, gemwatch writes the message and speaks SMTP.

Apprise would give each attempt a new Message-ID, fold long subjects wrongly, fail with an IPv6 literal as the server,
and report a failed login without the server's reply.
"""

import os
import smtplib
import ssl
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any, TypeGuard

from apprise.plugins.base import NotifyBase

from gemwatch.adapters.notify import reasons
from gemwatch.adapters.notify.plugins import NotifyEmail
from gemwatch.adapters.notify.reasons import Diagnosis
from gemwatch.core.message_ids import MessageIds

_POLICY = SMTP.clone(max_line_length=76)  # RFC 2047: an encoded word has at most 75 characters, after a space
_PERMANENT = 500
_ENCRYPTION = ("pgp", "pgppub", "pgpprv", "wkd")


def sends(plugin: NotifyBase) -> TypeGuard[NotifyEmail]:
    """Whether this module sends the plugin's messages: for `mailto://` and `mailtos://`."""
    return type(plugin) is NotifyEmail


def problem(plugin: NotifyEmail) -> str | None:
    """Why mail of this URL cannot be sent, or None. Shows no part of the URL."""
    if plugin.pgp_mode != "no" or plugin.use_wkd or plugin.pgp_key or plugin.pgp_privkey:
        return f"gemwatch does not encrypt or sign mail: remove {', '.join(f'{one}=' for one in _ENCRYPTION)}"
    try:
        written(plugin, title="t", text="t", ids=MessageIds(message="m", thread="t")).as_bytes()
    except (ValueError, IndexError):
        return "an address, a name or a header in it has characters that are not allowed in mail"
    return None


def deliver(
    plugin: NotifyEmail, *, title: str, text: str, ids: MessageIds, page: str | None = None
) -> Diagnosis | None:
    """Send one mail to all recipients of the URL. Returns None if the server accepted it, else the reason.

    `page`: the same message in HTML.
    """
    where = f"{plugin.smtp_host}:{plugin.port}"
    handed_over = False
    try:
        mail = written(plugin, title=title, text=text, ids=ids, page=page).as_bytes()
        with _connected(plugin) as server:
            handed_over = True  # if the connection breaks from here on, the outcome is unknown
            refused = server.sendmail(_sender(plugin).addr_spec, _recipients(plugin), mail)
        return _refused_recipients(where, refused) if refused else None
    except smtplib.SMTPRecipientsRefused as error:
        return _refused_recipients(where, error.recipients)
    except smtplib.SMTPResponseException as error:
        gone = isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPSenderRefused)
        return _replied(where, error.smtp_code, error.smtp_error, refused=gone and error.smtp_code >= _PERMANENT)
    except smtplib.SMTPServerDisconnected:
        return reasons.failed(where, ConnectionResetError("closed")) if handed_over else _early(where)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return reasons.failed(where, error)


def written(plugin: NotifyEmail, *, title: str, text: str, ids: MessageIds, page: str | None = None) -> EmailMessage:
    """Build the mail. Raises ValueError for an invalid address or header in the URL."""
    sender = _sender(plugin)
    domain = sender.domain
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = sender
    mail["To"] = [_address(name, address) for name, address in plugin.targets]
    if plugin.cc:
        mail["Cc"] = [_address(plugin.names.get(one), one) for one in sorted(plugin.cc)]
    if plugin.reply_to:
        mail["Reply-To"] = [_address(plugin.names.get(one), one) for one in sorted(plugin.reply_to)]
    mail["Subject"] = " ".join(title.split()).replace("=?", "= ?")  # so that a name cannot look like an encoded word
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{ids.message}@{domain}>"
    if ids.thread != ids.message:
        mail["References"] = f"<{ids.thread}@{domain}>"
        mail["In-Reply-To"] = f"<{ids.thread}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: prevents out-of-office replies
    mail["X-Auto-Response-Suppress"] = "All"  # the same for Exchange
    for name, value in plugin.headers.items():
        if name not in mail:
            mail[name] = value
    mail.set_content(text)
    if page is not None:
        mail.add_alternative(page, subtype="html")
    return mail


def _sender(plugin: NotifyEmail) -> Address:
    name, address = plugin.from_addr
    return _address(name, str(address))


def _address(name: Any, address: str) -> Address:
    """`name`: False or None from Apprise means no name."""
    return Address(display_name=name if isinstance(name, str) else "", addr_spec=address)


def _recipients(plugin: NotifyEmail) -> list[str]:
    return list(dict.fromkeys([*(address for _, address in plugin.targets), *plugin.cc, *plugin.bcc]))


@contextmanager
def _connected(plugin: NotifyEmail) -> Iterator[smtplib.SMTP]:
    """A connected server, logged in. Raises OSError and smtplib.SMTPException."""
    host = str(plugin.smtp_host).strip("[]")  # IPv6 literals have brackets in URLs, but not for sockets
    context = _trust()
    if not plugin.verify_certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    port, timeout = int(plugin.port or 0), float(plugin.socket_connect_timeout)
    server = (
        smtplib.SMTP_SSL(host, port, timeout=timeout, context=context)
        if plugin.secure_mode == "ssl"
        else smtplib.SMTP(host, port, timeout=timeout)
    )
    try:
        if plugin.secure_mode == "starttls":
            server.starttls(context=context)
        if plugin.user and plugin.password:
            _log_in(server, plugin.user, plugin.password)
        yield server
        with suppress(smtplib.SMTPException, OSError):  # the mail is already accepted
            server.quit()
    finally:
        server.close()


def _trust() -> ssl.SSLContext:
    """Trust the system's CAs, or those of SSL_CERT_FILE, and the CAs that HTTP notifications trust."""
    context = ssl.create_default_context()
    if bundle := os.environ.get("REQUESTS_CA_BUNDLE"):
        folder = Path(bundle).is_dir()
        context.load_verify_locations(cafile=None if folder else bundle, capath=bundle if folder else None)
    return context


def _log_in(server: smtplib.SMTP, user: str, password: str) -> None:
    """Log in with UTF-8 (RFC 4616). smtplib accepts only ASCII, and its error shows a character of the password."""
    if user.isascii() and password.isascii():
        server.login(user, password)
        return
    server.ehlo_or_helo_if_needed()
    ways = server.esmtp_features.get("auth", "").upper().split()
    if "PLAIN" in ways:
        code, reply = server.docmd("AUTH", "PLAIN " + _encoded(f"\x00{user}\x00{password}"))
    elif "LOGIN" in ways:
        server.docmd("AUTH", "LOGIN " + _encoded(user))
        code, reply = server.docmd(_encoded(password))
    else:
        raise smtplib.SMTPNotSupportedError("the server offers no login method that accepts this password")
    if code not in (235, 503):  # 503: already logged in
        raise smtplib.SMTPAuthenticationError(code, reply)


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def _replied(where: str, code: int, reply: bytes | str, *, refused: bool) -> Diagnosis:
    words = reply.decode(errors="replace") if isinstance(reply, bytes) else reply
    return reasons.answered(where, f"{code:03}", words, refused=refused)


def _refused_recipients(where: str, refused: "dict[str, tuple[int, bytes]]") -> Diagnosis:
    code, reply = next(iter(refused.values()))
    return _replied(where, code, reply, refused=False)


def _early(where: str) -> Diagnosis:
    return Diagnosis(what=f"{where} closed the connection before it accepted the mail")
