"""Loads Apprise's plugins once, without the warnings about deprecated modules that some of them import."""

import warnings

from apprise.plugins import N_MGR

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    N_MGR.load_modules()  # type: ignore[no-untyped-call]
    from apprise.plugins.email.base import NotifyEmail

__all__ = ["N_MGR", "NotifyEmail"]
