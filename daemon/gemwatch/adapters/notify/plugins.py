"""Apprise's plugins, loaded once: some import modules that Python has deprecated, and the warnings are not ours."""

import warnings

from apprise.plugins import N_MGR

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    N_MGR.load_modules()  # type: ignore[no-untyped-call]
    from apprise.plugins.email.base import NotifyEmail

__all__ = ["N_MGR", "NotifyEmail"]
