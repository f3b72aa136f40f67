"""The HTML of our own messages as text, for people who read it on a terminal."""

from html.parser import HTMLParser

_BLOCKS = frozenset({"p", "ul", "table", "pre"})


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self._link: str | None = None
        self._exact = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.text = self.text.rstrip() + "\n\n"
        elif tag in ("li", "tr"):
            self.text += "- " if self.text.endswith("\n\n") else "\n- "
        elif tag == "td" and not self.text.endswith(("- ", " · ")):
            self.text += " · "
        self._exact = self._exact or tag in ("pre", "code")
        self._link = dict(attrs).get("href") if tag == "a" else self._link

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._link is not None:
            self.text += f": {self._link}"
        self._exact = self._exact and tag not in ("pre", "code")

    def handle_data(self, data: str) -> None:
        self.text += data if self._exact else data.replace("\n", "")


def text_of(page: str) -> str:
    """Paragraphs, lists and rows on lines of their own; links with their addresses."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return "\n".join(line.rstrip() for line in reader.text.strip().splitlines())
