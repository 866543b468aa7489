"""A dialogue that was heard, as a transcript in the notation of the simulator's scenarios. Pure.

Bytes are told apart by who wrote them; what fits the usual forms is written as a line, anything else byte by byte, so
that the transcript plays exactly what was heard. Numbers and texts are masked on the way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from drivers.modems.masking import mask

__all__ = ["Heard", "transcript"]

PAUSE = 0.3  # seconds; shorter ones are not told
Heard = tuple[float, str, bytes]  # when, ">" from the host or "<" from the modem, what

_NAMED = {0x0D: "<CR>", 0x0A: "<LF>", 0x1B: "<ESC>", 0x1A: "<SUB>", 0x00: "<NUL>"}
_LINE = re.compile(rb"\r\n([^\r\n]+)\r\n")
_PROMPT = b"\r\n> "


def transcript(heard: Sequence[Heard], *, name: str, title: str, profile: str, must: str) -> str:
    """`name`: a letter and then letters and digits. `must`: what a gateway has to do."""
    lines = [f"# {name} {title}".rstrip(), f"profile: {profile}"]
    before: float | None = None
    for at, side, words in _joined(heard):
        if before is not None and at - before >= PAUSE and (side == "<" or at - before >= 10 * PAUSE):
            lines.append(f"@{at - before:.1f}")
        before = at
        lines += _host(mask(words)) if side == ">" else _modem(mask(words))
    return "\n".join([*lines, f"must: {must}"]) + "\n"


def _joined(heard: Sequence[Heard]) -> Iterable[Heard]:
    """Pieces of one side that follow each other closely, put together: a line is cut anywhere."""
    start, last, side, words = 0.0, 0.0, "", bytearray()
    for at, direction, data in heard:
        if direction != side or (at - last >= PAUSE and words.endswith((b"\n", b"\r", b"\x1a", b"> "))):
            if words:
                yield start, side, bytes(words)
            start, side, words = at, direction, bytearray()
        words += data
        last = at
    if words:
        yield start, side, bytes(words)


def _host(words: bytes) -> Iterable[str]:
    for piece in re.findall(rb"[^\r\x1a\x1b]*[\r\x1a\x1b]|[^\r\x1a\x1b]+$", words):
        body, end = piece[:-1], piece[-1:]
        if end == b"\r" and body and _plain(body):
            yield f"H| {body.decode()}"
        elif end == b"\x1a" and body and _plain(body):
            yield f"H^ {body.decode()}"
        else:
            yield f"H= {_bytes(piece)}"


def _modem(words: bytes) -> Iterable[str]:
    at = 0
    while at < len(words):
        line = _LINE.match(words, at)
        if words.startswith(_PROMPT, at):
            yield "M>"
            at += len(_PROMPT)
        elif line is not None and _plain(line[1]):
            yield f"M| {line[1].decode()}"
            at = line.end()
        else:
            following = [found for found in (words.find(b"\r\n", at + 1),) if found > at]
            end = following[0] + 2 if following else len(words)
            yield f"M= {_bytes(words[at:end])}"
            at = end


def _plain(body: bytes) -> bool:
    """Can stand as text: printable, and nothing that the notation reads as something else."""
    return all(0x20 <= octet < 0x7F for octet in body) and body == body.strip() and not re.search(rb"[<{]", body)


def _bytes(words: bytes) -> str:
    """Every byte that the notation could read as something else has its number."""
    return "".join(
        _NAMED.get(octet) or (chr(octet) if 0x21 <= octet < 0x7F and chr(octet) not in "<{" else f"<{octet:02X}>")
        for octet in words
    )
