"""The states of a delivery: in a module of its own, because the command line needs them at its start."""

from enum import StrEnum


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    REROUTED = "rerouted"  # the fallback has the event instead
