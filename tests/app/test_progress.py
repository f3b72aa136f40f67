"""Progress: who is silent for too long, and since when."""

from gemwatch.app.progress import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_stalled_before_anything_is_expected() -> None:
    assert Progress(Clock()).stalled() is None


def test_loop_that_makes_progress_is_never_stalled() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.expect("polls", within=60)
    for _ in range(10):
        clock.now += 60
        assert progress.stalled() is None
        progress.beat("polls")


def test_silent_loop_is_named_with_its_silence() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.expect("polls", within=60)
    progress.expect("deliveries", within=600)
    clock.now += 75
    assert progress.stalled() == "polls: no progress for 75 s"


def test_every_silent_loop_is_named() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.expect("polls", within=60)
    clock.now += 10
    progress.expect("deliveries", within=60)
    clock.now += 90
    assert progress.stalled() == "polls: no progress for 100 s; deliveries: no progress for 90 s"


def test_loop_that_resumes_is_healthy() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.expect("polls", within=60)
    clock.now += 75
    progress.beat("polls")
    assert progress.stalled() is None


def test_changed_expectation_counts_from_then() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.expect("polls", within=60)
    clock.now += 50
    progress.expect("polls", within=300)
    clock.now += 300
    assert progress.stalled() is None
    clock.now += 1
    assert progress.stalled() == "polls: no progress for 301 s"
