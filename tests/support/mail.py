"""A real SMTP server on loopback that keeps each mail, byte for byte."""

import asyncio
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


@dataclass(frozen=True, kw_only=True)
class Letter:
    recipients: list[str]
    content: bytes
    secure: bool


@dataclass(kw_only=True)
class MailServer:
    """For the length of a `with`. `tls` makes it insist on STARTTLS, or with `implicit_tls` on TLS from the start.

    `refuses` are recipients that it turns away; `login_reply` and `sender_reply` answer in place of its own replies.
    """

    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    host: str = "127.0.0.1"
    refuses: set[str] = field(default_factory=set)
    password: bytes | None = None
    login_reply: str | None = None
    sender_reply: str | None = None
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    port: int = 0

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.sender_reply or "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuses:
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        letter = Letter(recipients=list(envelope.rcpt_tos), content=content, secure=session.ssl is not None)
        self.letters.append(letter)
        return "250 OK"

    def _authenticate(self, server: SMTP, session: Session, envelope: Envelope, how: str, data: Any) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == self.password, handled=False, message=self.login_reply)

    def _protocol(self) -> SMTP:
        authenticator: Callable[..., AuthResult] | None = self._authenticate if self.password else None
        return SMTP(
            self,
            hostname="mail.example.com",
            tls_context=None if self.implicit_tls else self.tls,
            require_starttls=self.tls is not None and not self.implicit_tls,
            authenticator=authenticator,
            auth_require_tls=False,
        )

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._started(), self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._ended(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _started(self) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(
            self._protocol, self.host, 0, ssl=self.tls if self.implicit_tls else None
        )

    async def _ended(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
