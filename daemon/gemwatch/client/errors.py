"""What can go wrong with a request to a daemon, by what the caller can do about it. No message contains the token."""


class ClientError(Exception):
    """A request to the daemon failed. The message is a sentence for people."""


class AddressError(ClientError):
    """The URL cannot be used, or what answers there is not gemwatch."""


class TokenError(ClientError):
    """The token is missing, cannot be read or is refused."""


class UnavailableError(ClientError):
    """There is no answer now: the same request may work later."""


class IncompatibleError(ClientError):
    """The daemon is gemwatch, but answers in a form that this version does not understand."""


class UnknownJobError(ClientError):
    """The daemon does not know the job."""


class NotFinishedError(ClientError):
    """The jobs had not ended in time. They continue, and can be waited for again."""
