"""The token dialect, by its layout: token_frames.py ADDRESS TOKEN_KSY SCHEMA_JSON

Frames are made from the fields of token.ksy and read by them to the last byte. Each gets one reply, with its command and
sequence, in order, and E_FRAME exactly where the layout does not fit; who sits in the same room hears on as before.
"""

import json
import socket
import struct
import sys

import jsonschema
from hypothesis import strategies as st

from messages import ANYTHING, TOO_LONG, conversations

address, layout, schema = sys.argv[1:]
layout = json.load(open(layout))
defs = json.load(open(schema))["$defs"]
types = layout["types"]
bodies = next(field for field in types["content"]["seq"] if field["id"] == "body")["type"]["cases"]
results = {row["id"]: int(number) for number, row in layout["enums"]["result"].items()}
commands = {row["id"]: int(number) for number, row in layout["enums"]["command"].items()}
INTEGER = {"u1": ">B", "u2": ">H", "u4": ">I", "u8": ">Q", "s4": ">i"}
REPLY, NOTIFICATION, FAILED = 0x8000, 0x4000, "32768"
seen = {}


def write(kind, value):
    """A value of one of the layout's types, as bytes."""
    if kind in INTEGER:
        return struct.pack(INTEGER[kind], value)
    first, second = types[kind]["seq"]
    if second["type"] == "str":
        return write(first["type"], len(value)) + value
    return write(first["type"], len(value)) + b"".join(write(second["type"], one) for one in value)


class Misfit(Exception):
    """Bytes that are not what the layout says."""


def read(kind, data):
    """A value of one of the layout's types, and the bytes after it."""
    if kind in INTEGER:
        size = struct.calcsize(INTEGER[kind])
        if len(data) < size:
            raise Misfit(f"{len(data)} bytes for {kind}")
        return struct.unpack(INTEGER[kind], data[:size])[0], data[size:]
    first, second = types[kind]["seq"]
    count, data = read(first["type"], data)
    if second["type"] == "str":
        if len(data) < count:
            raise Misfit(f"{len(data)} bytes for a text of {count}")
        try:
            return data[:count].decode(), data[count:]
        except UnicodeDecodeError as error:
            raise Misfit(str(error)) from error
    values = []
    for _ in range(count):
        value, data = read(second["type"], data)
        values.append(value)
    return values, data


def fields(name, data):
    """What a body says; all of it."""
    values = {}
    for field in types[name]["seq"]:
        values[field["id"]], data = read(field["type"], data)
    if data:
        raise Misfit(f"{len(data)} bytes after {name}")
    return values


def fits(command, body):
    """Whether a body is a request's, by the layout, and by what it says of info in words: an object or nothing."""
    try:
        values = fields(bodies[str(command)], body)
        info = values.get("info") or "{}"
        return isinstance(json.loads(info), dict)
    except (Misfit, ValueError, RecursionError):
        return False


class Peer:
    def __init__(self):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.sequence = 0

    def send(self, command, body, length=None):
        self.sequence += 1
        content = struct.pack(">HI", command, self.sequence) + body
        self.socket.sendall(struct.pack(">I", len(content) if length is None else length) + content)
        return self.sequence

    def frame(self):
        """One frame, None at the end: command, sequence, result, what it says."""
        head = self.exactly(4)
        if not head:
            return None
        content = self.exactly(struct.unpack(">I", head)[0])
        command, sequence = struct.unpack(">HI", content[:6])
        result, body = None, content[6:]
        kind = str(command)
        if command & REPLY:
            (result,), body = struct.unpack(">H", body[:2]), body[2:]
            assert result in results.values(), f"the layout has no result {result}"
            kind = kind if result == 0 else FAILED
        else:
            assert sequence == 0, f"a notification with sequence {sequence}"
        values = fields(bodies[kind], body)
        check_info(bodies[kind], values)
        key = bodies[kind] if result in (None, 0) else next(name for name, number in results.items() if number == result)
        seen[key] = seen.get(key, 0) + 1
        return command, sequence, result, values

    def exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                assert not data, f"ended within a frame: {data!r}"
                return b""
            data += more
        return data

    def reply(self):
        """The next reply, and the notifications before it."""
        before = []
        while True:
            frame = self.frame()
            if frame is None or frame[0] & REPLY:
                return frame, before
            before.append(frame)

    def ask(self, command, body=b""):
        sequence = self.send(command, body)
        frame, _ = self.reply()
        assert frame and frame[:2] == (command | REPLY, sequence), f"command {command} #{sequence} got {frame}"
        return frame[2], frame[3]

    def order(self, name, **values):
        kinds = types[f"{name}_request"]["seq"]
        return self.ask(commands[name], b"".join(write(field["type"], values[field["id"]]) for field in kinds))


INFO = {"create_account_reply": "UserInfo", "login_reply": "UserInfo", "create_room_reply": "RoomInfo",
        "create_room_once_reply": "RoomInfo",
        "enter_room_reply": "RoomInfo", "member_changed_notification": "MemberInfo"}


def check_info(body, values):
    """`info` is the client's own, but for keys that are always there."""
    if "info" not in values:
        return
    required = defs[INFO[body]]["required"]
    info = json.loads(values["info"])
    jsonschema.validate(info, {"type": "object", "required": required})


def enter(peer, name):
    result, _ = peer.order("login", openid=name, openid_type=b"qq", auto_create=1, info=b"")
    assert result == results["ok"]
    return peer.order("enter_room", room_id=room)


stranger = Peer()
stranger.order("login", openid=b"stranger", openid_type=b"qq", auto_create=0, info=b"")
witness = Peer()
witness.order("login", openid=b"witness", openid_type=b"qq", auto_create=1, info=b"")
token = witness.order("apply_for_token")[1]["token"]
room = witness.order("create_room", app_code=1, token=token, info=b'{"name":"contract"}')[1]["room_id"]
witness.order("enter_room", room_id=room)
witness.order("post_message", room_id=room, text=b"first")

infos = st.one_of(
    st.just(b""), st.just(b"{}"), st.dictionaries(st.text(max_size=5), ANYTHING, max_size=3).map(json.dumps).map(str.encode),
    st.sampled_from([b'{"name":"x","section":7}', b"[]", b"null", b"{", b'{"name":"\xff"}']),
)
KNOWN = {
    "openid": st.sampled_from([b"ann", b"bob", b"", b"x" * 300]),
    "openid_type": st.sampled_from([b"qq", b"qq", b"", b"a/b"]),
    "info": infos,
    "token": st.sampled_from([token, token, 0]),
    "room_id": st.sampled_from([room, room, 0, 99]),
    "auto_create": st.sampled_from([0, 1, -1]),
    # Other numbers are mostly ids that no message has yet, which are refused.
    "after": st.sampled_from([0, 1, 2**53 - 1]),
    "text": st.sampled_from([b"hello", b"", "\u4f60\u597d".encode()]) | TOO_LONG.map(str.encode),
}
ANY = {
    **{kind: st.integers(0, 256 ** struct.calcsize(form) - 1) for kind, form in INTEGER.items() if kind[0] == "u"},
    "s4": st.integers(-(2**31), 2**31 - 1),
    "string16": st.one_of(st.text(max_size=20).map(str.encode), st.binary(max_size=20)),
    "string32": st.one_of(infos, st.binary(max_size=20)),
}


@st.composite
def requests(draw):
    name = draw(st.sampled_from([name for name in bodies.values() if name.endswith("_request")]))
    command = commands[name.removesuffix("_request")]
    body = b""
    for field in types[name]["seq"]:
        anything = ANY[field["type"]]
        known = KNOWN.get(field["id"], anything)
        body += write(field["type"], draw(st.one_of(known, known, anything)))
    return command, body


@st.composite
def damaged(draw):
    command, body = draw(requests())
    at = draw(st.integers(0, len(body)))
    how = draw(st.sampled_from(["less", "more", "other", "command"]))
    if how == "command":
        return draw(st.integers(0, 0xFFFF)), body
    if how == "less":
        return command, body[:at]
    if how == "more":
        return command, body[:at] + draw(st.binary(min_size=1, max_size=4)) + body[at:]
    return command, body[:at] + draw(st.binary(min_size=1, max_size=1)) + body[at + 1 :]


def check(command, body, frame, sequence):
    assert frame is not None, f"hung up after command {command}"
    replied, number, result, _ = frame
    assert (replied, number) == (command | REPLY, sequence), f"{command} #{sequence} {body!r} got {frame}"
    if str(command) not in bodies or command >= NOTIFICATION:
        assert result == results["e_command"], f"{command} got {frame}"
    else:
        assert (result != results["e_frame"]) == fits(command, body), f"{command} {body!r} got {frame}"


@conversations(st.one_of(requests(), requests(), damaged()), 250)
def every_frame_gets_one_reply_that_the_layout_describes(steps):
    peer = Peer()
    if len(steps) > 2:
        enter(peer, b"ann")
    # Some together, so that they share a segment.
    sequences = [peer.send(command, body) for command, body in steps]
    for (command, body), sequence in zip(steps, sequences):
        check(command, body, peer.reply()[0], sequence)
    peer.socket.close()
    assert witness.ask(commands["heartbeat"])[0] == results["ok"]


def closes(command, length, last):
    """A length that no frame has is answered once more, and then the connection ends."""
    peer = Peer()
    peer.send(command, b"", length)
    frame, _ = peer.reply()
    assert frame[:3] == (*last, results["e_frame"]), frame
    assert peer.frame() is None


closes(commands["heartbeat"], 5, (REPLY, 0))
closes(commands["heartbeat"], 1 << 24, (commands["heartbeat"] | REPLY, 1))
sequence = witness.send(commands["post_message"], write("u4", room) + write("string32", b"still here"))
witness.send(commands["heartbeat"], b"")
heard = [frame for _ in range(2) for frame in witness.reply()[1]]
heard += [] if heard else [witness.frame()]
assert heard[-1][3]["text"] == "still here", heard
first, second = (witness.order("post_once", room_id=room, client_id=b"a", text=b"once") for _ in range(2))
assert first == second and first[0] == results["ok"], (first, second)
assert witness.order("catch_up", room_id=room, after=0, limit=10)[0] == results["ok"]
unseen = {name for name in bodies.values() if not name.endswith("_request")} - seen.keys() - {"failure"}
unseen |= {name for name in results if name not in ("ok", "e_limit", "e_server", "e_denied", "e_room_full")} - seen.keys()
assert not unseen, f"never said: {unseen}"
print(f"token: {sum(seen.values())} frames of the gateway, {len(seen)} kinds")
