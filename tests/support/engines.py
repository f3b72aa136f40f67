"""Engines that stay closed."""

import sqlalchemy as sa


def close_for_good(engine: sa.Engine) -> None:
    """Disposes of the engine and refuses later uses: SQLAlchemy would open a connection that nobody closes."""
    engine.dispose()

    @sa.event.listens_for(engine, "do_connect")
    def _refuse(*_: object) -> None:
        raise AssertionError("this engine is closed: read before the end, or with an engine of your own")
