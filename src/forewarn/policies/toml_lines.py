"""Line numbers of keys in a TOML text, which tomllib does not tell."""

import tomllib
from collections.abc import Iterator

Path = tuple[str | int, ...]
_BARE_END = " \t\r\n.=[]{},#\"'"


class TomlLines:
    """Where each key and table of `text` begins. `text` must be valid TOML: parse it with tomllib first.

    Paths name keys and, within arrays, positions: ("asset", 0, "signals", "speed", "unit").
    """

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._at = 0
        self._line = 1
        self._lines: dict[Path, int] = {(): 1}
        self._counts: dict[Path, int] = {}
        self._scan()

    def line(self, path: Path) -> int:
        """Line of `path`, or of the nearest part of it that the text holds."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def _scan(self) -> None:
        table: Path = ()
        while self._skip_blank():
            if self._peek() == "[":
                table = self._header()
            else:
                self._assignment(table)

    def _header(self) -> Path:
        line, array = self._line, self._text.startswith("[[", self._at)
        self._advance(2 if array else 1)
        keys = list(self._keys())
        self._advance(2 if array else 1)
        path: Path = ()
        for key in keys[:-1]:
            path = self._entered((*path, key))
        path = (*path, keys[-1])
        if array:
            self._lines.setdefault(path, line)
            self._counts[path] = self._counts.get(path, 0) + 1
            path = (*path, self._counts[path] - 1)
        self._lines[path] = line
        return path

    def _entered(self, path: Path) -> Path:
        self._lines.setdefault(path, self._line)
        return (*path, self._counts[path] - 1) if path in self._counts else path

    def _assignment(self, table: Path) -> None:
        line, path = self._line, table
        for key in self._keys():
            path = (*path, key)
            self._lines.setdefault(path, line)
        self._advance(1)
        self._skip(" \t")
        self._value(path)

    def _value(self, path: Path) -> None:
        character = self._peek()
        if character in "\"'":
            self._string()
        elif character == "[":
            self._array(path)
        elif character == "{":
            self._inline_table(path)
        else:
            self._skip_bare()

    def _array(self, path: Path) -> None:
        self._advance(1)
        index = 0
        while self._skip_blank() and self._peek() != "]":
            if self._peek() == ",":
                self._advance(1)
                continue
            self._lines[(*path, index)] = self._line
            self._value((*path, index))
            index += 1
        self._advance(1)

    def _inline_table(self, path: Path) -> None:
        self._advance(1)
        while self._skip_blank() and self._peek() != "}":
            if self._peek() == ",":
                self._advance(1)
            else:
                self._assignment(path)
        self._advance(1)

    def _keys(self) -> Iterator[str]:
        while True:
            self._skip(" \t")
            yield self._string() if self._peek() in "\"'" else self._bare()
            self._skip(" \t")
            if self._peek() != ".":
                return
            self._advance(1)

    def _bare(self) -> str:
        start = self._at
        while self._at < len(self._text) and self._text[self._at] not in _BARE_END:
            self._at += 1
        return self._text[start : self._at]

    def _string(self) -> str:
        quote = self._peek()
        if self._text.startswith(quote * 3, self._at):
            return self._until(quote * 3, quote == '"')
        return self._until(quote, quote == '"')

    def _until(self, end: str, escapes: bool) -> str:
        self._advance(len(end))
        start = self._at
        while not self._text.startswith(end, self._at) or (
            len(end) == 3 and self._text.startswith(end[0], self._at + 3)  # """" ends one quote later
        ):
            self._advance(2 if escapes and self._peek() == "\\" else 1)
        content = self._text[start : self._at]
        self._advance(len(end))
        return _unescaped(content) if escapes and "\\" in content else content

    def _skip_bare(self) -> None:
        while self._at < len(self._text) and self._text[self._at] not in ",]}\n#":
            self._at += 1

    def _skip(self, characters: str) -> None:
        while self._at < len(self._text) and self._text[self._at] in characters:
            self._advance(1)

    def _skip_blank(self) -> bool:
        while True:
            self._skip(" \t\r\n")
            if self._at >= len(self._text):
                return False
            if self._peek() != "#":
                return True
            while self._at < len(self._text) and self._peek() != "\n":
                self._at += 1

    def _peek(self) -> str:
        return self._text[self._at]

    def _advance(self, by: int) -> None:
        self._line += self._text.count("\n", self._at, self._at + by)
        self._at += by


def _unescaped(content: str) -> str:
    return str(tomllib.loads(f'k = """{content}"""')["k"])
