"""Where the token for a daemon comes from: the environment or a file, never an argument that `ps` shows."""

from collections.abc import Mapping
from pathlib import Path

from gemwatch.client.errors import TokenError

TOKEN_VARIABLE = "GEMWATCH_WEB_TOKEN"  # noqa: S105 (a name)


def read_token(environ: Mapping[str, str], file: Path | None = None) -> str | None:
    """The token in the file, else in `GEMWATCH_WEB_TOKEN`; None if there is none.

    Raises TokenError if the file cannot be read, or if what it contains cannot be a token.
    """
    if file is None:
        place, token = TOKEN_VARIABLE, environ.get(TOKEN_VARIABLE, "").strip()
        if not token:
            return None
    else:
        place = str(file)
        try:
            token = file.read_text(encoding="ascii").strip()
        except OSError as error:
            raise TokenError(f"{place}: the token cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            token = ""
    if not token or not all("!" <= character <= "~" for character in token):
        raise TokenError(f"{place}: this is not a token: it must be one word of ASCII characters")
    return token
