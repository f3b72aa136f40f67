"""Notices that the configuration may have changed, however it was saved.

It looks instead of listening: inotify goes deaf after a rename, says nothing on network and desktop mounts, and
does not name the file when a ConfigMap is swapped.
"""

from gemwatch.adapters.config.sources import Sources


class FileWatch:
    """Compares the files of a configuration with the state in which they were read.

    Reads no content. `changed` is to be called about once a second; `watch` after each load, with its sources.
    """

    def __init__(self, sources: Sources) -> None:
        self.watch(sources)

    def watch(self, sources: Sources) -> None:
        """Look at these files from now on, for what differs from the state they were in before they were read.

        An edit that came during the load, also of a file that nobody looked at before, is therefore a change.
        """
        self._sources = sources
        self._told = self._last = sources.seen

    def changed(self) -> bool:
        """Whether there is a new state to read: once for each, and only when two looks in a row have seen it.

        The second look gives someone who is still writing the time to finish.
        """
        now = self._sources.poll_once()
        settled = now == self._last
        self._last = now
        if not settled or now == self._told:
            return False
        self._told = now
        return True
