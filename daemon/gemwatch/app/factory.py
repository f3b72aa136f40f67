"""Builds the components of a configuration: API client, credentials, targets, pace."""

from dataclasses import replace
from pathlib import Path

from gemwatch.adapters.gem.client import GemApi
from gemwatch.adapters.login.credentials import Credentials
from gemwatch.adapters.notify.targets import Targets
from gemwatch.app.contexts import contexts
from gemwatch.app.metrics import Metrics
from gemwatch.core.clock import Clock
from gemwatch.core.secrets import Secrets
from gemwatch.core.settings import ApiSettings, Settings, TokenSource
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.pace import Pace, Turns


class ComponentFactory:
    """Builds the first components, and for an edit only those that it changes; the others keep running."""

    def __init__(
        self,
        clock: Clock,
        secrets: Secrets,
        metrics: Metrics,
        config_path: Path | None = None,
        *,
        token_clock: Clock | None = None,
    ) -> None:
        """`token_clock`: the machine's, if `clock` is another one. The login's programs use the machine's too."""
        self._clock, self._token_clock = clock, token_clock or clock
        self._secrets = secrets
        self._metrics = metrics
        self._config_path = config_path

    def build(self, settings: Settings) -> ActiveConfig:
        """The components for a configuration. Raises ValueError if a target cannot be built."""
        self._learn(settings)
        return ActiveConfig(
            settings=settings,
            contexts=contexts(settings, self._config_path),
            api=GemApi(settings.api, self._clock),
            credentials=Credentials(settings.api.token, self._token_clock, self._secrets),
            targets=Targets(settings.targets, self._secrets),
            pace=self._pace(settings.api),
        )

    def rebuild(self, active: ActiveConfig, settings: Settings) -> ActiveConfig:
        """The same for an edit, touching nothing that runs."""
        self._learn(settings)
        old, new = active.settings.api, settings.api
        assert isinstance(active.targets, Targets)  # noqa: S101 (for mypy: this is who built them)
        return ActiveConfig(
            settings=settings,
            contexts=contexts(settings, self._config_path),
            targets=active.targets
            if active.settings.targets == settings.targets
            else active.targets.replaced(settings.targets),
            credentials=active.credentials
            if old.token == new.token
            else Credentials(new.token, self._token_clock, self._secrets),
            api=active.api if _connection(old) == _connection(new) else GemApi(new, self._clock),
            pace=active.pace
            if (old.max_in_flight, old.max_rate) == (new.max_in_flight, new.max_rate)
            else self._pace(new, active.pace.turns),
        )

    async def retire(self, old: ActiveConfig, new: ActiveConfig) -> None:
        """Close what is no longer used. Requests and sends under way end normally.

        Old credentials are dropped, not closed: a poll that waits for their token would see a refused login.
        """
        if old.targets is not new.targets:
            old.targets.close()  # threads of targets that stay are used by the new object
        if old.api is not new.api:
            await old.api.close()

    async def close(self, active: ActiveConfig) -> None:
        """Close everything."""
        await active.credentials.close()
        await active.api.close()
        active.targets.close()

    def _pace(self, api: ApiSettings, turns: Turns | None = None) -> Pace:
        return Pace(self._clock, at_once=api.max_in_flight, rate=api.max_rate, turns=turns)

    def _learn(self, settings: Settings) -> None:
        self._secrets.learn(settings)
        self._metrics.targets(target.name for target in settings.targets)


def _connection(api: ApiSettings) -> ApiSettings:
    """The settings that need a new client: neither the token nor the request rate."""
    return replace(api, token=TokenSource(), max_rate=0)
