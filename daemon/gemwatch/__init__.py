"""gemwatch watches TomTom GEM matching jobs and tells people the moment one ends."""

from importlib.metadata import version

__version__ = version("gemwatch")
