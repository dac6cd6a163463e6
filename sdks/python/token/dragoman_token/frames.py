"""Frames: written by the fields that token.ksy gives each command, read by the parser that Kaitai Struct made of it."""

import json
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from .frames_generated import Token  # type: ignore[attr-defined]

_TYPES = json.loads(files(__package__).joinpath("token.ksy").read_text())["types"]
_NUMBERS = {"u1": ">B", "u2": ">H", "u4": ">I", "u8": ">Q", "s4": ">i"}
_COUNTS = {"string16": ">H", "string32": ">I"}

REPLY = 0x8000
"""A reply has the command of its request, and this."""

# The types that name the fields of each command.
_REQUESTS = {command.value: f"{command.name}_request" for command in Token.Command if command.value < 0x4000}


@dataclass(frozen=True)
class PopulationChanged:
    """The number of seats taken in a room has changed."""

    room_id: int
    population: int


@dataclass(frozen=True)
class MemberChanged:
    """A member came or went. A guest has uid 0."""

    room_id: int
    uid: int
    entered: bool
    name: str


@dataclass(frozen=True)
class Message:
    """A message was posted to a room."""

    room_id: int
    uid: int
    message_id: int
    time: datetime
    text: str


@dataclass(frozen=True)
class Gap:
    """Messages of a room that were missed and are not there any more: they were removed.

    They came after the message `after` and before `before`. `count`: how many; None where that is not known any more.
    """

    room_id: int
    after: int
    before: int
    count: int | None


Notification = PopulationChanged | MemberChanged | Message | Gap
"""What the gateway says by itself, and what it has removed."""


def encode(command: int, sequence: int, **given: int | str) -> bytes:
    """The frame of a request, its length included. Fields are named as in token.ksy."""
    body = b"".join(_field(field["type"], given[field["id"]]) for field in _TYPES[_REQUESTS[command]]["seq"])
    return struct.pack(">IHI", 6 + len(body), command, sequence) + body


def _field(kind: str, value: int | str) -> bytes:
    if isinstance(value, str):
        text = value.encode()
        return struct.pack(_COUNTS[kind], len(text)) + text
    return struct.pack(_NUMBERS[kind], value)


def decode(content: bytes) -> Any:
    """Reads what is after the length of a frame: `command`, `sequence`, `result` and `body` by the dialect's page."""
    return Token.Content.from_bytes(content)


def notification(content: Any) -> Notification | None:
    """What a frame that is no reply tells. None: one that this package does not know."""
    body = content.body
    match content.command:
        case Token.Command.population_changed:
            return PopulationChanged(body.room_id, body.population)
        case Token.Command.member_changed:
            return MemberChanged(body.room_id, body.uid, body.entered == 1, str(json.loads(body.info.text)["name"]))
        case Token.Command.message:
            time = datetime.fromtimestamp(body.time / 1000, UTC)
            return Message(body.room_id, body.uid, body.message_id, time, body.text.text)
        case _:
            return None
