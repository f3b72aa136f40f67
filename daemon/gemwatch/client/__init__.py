"""A typed client for the JSON API of a running daemon, for scripts and for `gemwatch wait --url`.

    import os
    from datetime import timedelta
    from gemwatch.client import Client, read_token

    with Client("https://gemwatch.example.com", token=read_token(os.environ)) as client:
        jobs = client.wait([123456789], timeout=timedelta(hours=8))

Every method raises a `ClientError`; its kind says what the caller can do:

    ClientError
    ├─ AddressError         the URL cannot be used, or no gemwatch answers there: correct it
    ├─ TokenError           the token is missing, cannot be read or is refused: set another one
    ├─ UnavailableError     no answer, or the server cannot answer now: try again later
    ├─ IncompatibleError    that gemwatch is another version, which this one does not understand
    ├─ UnknownJobError      that gemwatch does not know the job: watch it there
    └─ NotFinishedError     the time of `wait` is over; the jobs continue
"""

from gemwatch.client.address import TOKEN_VARIABLE, read_token
from gemwatch.client.answers import (
    Delivery,
    Estimate,
    Group,
    Job,
    JobWithHistory,
    Range,
    Replica,
    Run,
    Service,
    TargetDown,
    Transition,
)
from gemwatch.client.client import Client
from gemwatch.client.errors import (
    AddressError,
    ClientError,
    IncompatibleError,
    NotFinishedError,
    TokenError,
    UnavailableError,
    UnknownJobError,
)

__all__ = [
    "TOKEN_VARIABLE",
    "AddressError",
    "Client",
    "ClientError",
    "Delivery",
    "Estimate",
    "Group",
    "IncompatibleError",
    "Job",
    "JobWithHistory",
    "NotFinishedError",
    "Range",
    "Replica",
    "Run",
    "Service",
    "TargetDown",
    "TokenError",
    "Transition",
    "UnavailableError",
    "UnknownJobError",
    "read_token",
]
