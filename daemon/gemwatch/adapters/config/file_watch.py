"""Notices that the configuration may have changed, however it was saved.

It polls. inotify stops reporting after a rename, reports nothing on network and desktop mounts, and does not name
the file when Kubernetes swaps a ConfigMap.
"""

from gemwatch.adapters.config.sources import Sources


class FileWatch:
    """Compares the files of a configuration with the state in which they were read.

    Does not read their content. Call `changed` about once a second, and `watch` after each load with its sources.
    """

    def __init__(self, sources: Sources) -> None:
        self.watch(sources)

    def watch(self, sources: Sources) -> None:
        """Watch these files from now on. A change is any difference from their state before they were read.

        So an edit during the load counts as a change, also in a file that was not watched before.
        """
        self._sources = sources
        self._reported = self._last = sources.seen

    def changed(self) -> bool:
        """Whether there is a new state to read. True once per state, when two calls in a row have seen it.

        The second call gives an editor that is still writing the time to finish.
        """
        now = self._sources.stamps()
        settled = now == self._last
        self._last = now
        if not settled or now == self._reported:
            return False
        self._reported = now
        return True
