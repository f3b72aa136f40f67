"""gemwatch watches TomTom GEM matching jobs and notifies people as soon as one ends."""

__version__: str


def __getattr__(name: str) -> str:
    """`__version__`, read from the installed package when it is first used: that takes as long as a health check."""
    if name != "__version__":
        raise AttributeError(name)
    from importlib.metadata import version  # noqa: PLC0415

    return version("gemwatch")
