"""Every kind has a sample, and each sample has a message."""

from datetime import UTC, datetime

import pytest

from gemwatch.core.kinds import EventKind
from gemwatch.core.samples import sample_event
from gemwatch.core.text.compose import compose
from gemwatch.core.text.rendering import text_body

AT = datetime(2026, 2, 18, 12, tzinfo=UTC)


@pytest.mark.parametrize("kind", list(EventKind))
def test_sample_event_is_of_its_kind(kind: EventKind) -> None:
    event = sample_event(kind, AT)
    assert event.kind is kind
    assert compose(0, event, now=AT).title


def test_sample_of_failed_shows_reason_and_progress() -> None:
    body = text_body(compose(0, sample_event(EventKind.FAILED, AT), now=AT))
    assert "GEM: Validation failed: column geometry is missing\n" in body
    assert "Got as far as: running for 4 min, since " in body
