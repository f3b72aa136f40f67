"""Every kind has a sample, and each sample has a message."""

from datetime import UTC, datetime

import pytest

from gemwatch.core.kinds import EventKind
from gemwatch.core.samples import sample_event
from gemwatch.core.text.compose import compose

AT = datetime(2026, 2, 18, 12, tzinfo=UTC)


@pytest.mark.parametrize("kind", list(EventKind))
def test_sample_event_is_of_its_kind(kind: EventKind) -> None:
    event = sample_event(kind, AT)
    assert event.kind is kind
    assert compose(0, event, now=AT).title
