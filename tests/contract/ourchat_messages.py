"""OurChat over WebSocket and over TCP, by its schema: ourchat_messages.py WEBSOCKET_ADDRESS TCP_ADDRESS

Each message gets an answer that the schema describes, and code 18 where the schema has none of that form; a session of
another client hears on as before.
"""

import json
import socket
import sys

from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from messages import TOO_LONG, Schema, broken, changed, conversations, known, meant

# What answers a message, besides 18; after a login there may be what was missed, and a gap.
ANSWERS = {0: {0, 19}, 4: {5}, 6: {7, 0, 16}, 8: {9}, 10: {11}, 12: {12}, 14: {15}, 17: set()}
# What has no answer where all is well.
UNANSWERED = {17}
REFUSED = 18

websocket, lines = sys.argv[1:]
schema = Schema(websocket, "ourchat")
seen = {}


def as_line(text):
    """What is on two lines is two messages, and an empty one is none."""
    line = text if isinstance(text, bytes) else text.encode()
    return line.replace(b"\n", b" ").replace(b"\r", b" ") or b"?"


def is_binary(line):
    """Whether a stream that begins with this line is of another protocol, such as TLS, and ends at once."""
    return line[0] != ord("\t") and (line[0] < 0x20 or line[0] == 0x7F or 0x80 <= line[0] <= 0xBF)


class OverWebSocket:
    def __init__(self):
        self.socket = connect(f"ws://{websocket}/", max_size=None)

    def say(self, text):
        self.socket.send(text)

    def read(self):
        return self.socket.recv(timeout=10)

    def close(self):
        self.socket.close()


class OverTcp:
    def __init__(self):
        host, port = lines.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.file = self.socket.makefile("rb")

    def say(self, text):
        self.socket.sendall(as_line(text) + b"\n")

    def read(self):
        return self.file.readline()

    def close(self):
        self.socket.close()


class Peer:
    asked = 1000

    def __init__(self, kind=OverWebSocket):
        self.stream = kind()

    def ask(self, message):
        """All that comes until the complaint about an unknown code. Before it, an empty group is
        requested, and refused: the engine does so after everything else."""
        Peer.asked += 1
        self.stream.say(message if isinstance(message, (str, bytes)) else json.dumps(message, ensure_ascii=False))
        self.stream.say(json.dumps({"code": 8, "members": [1]}))
        self.stream.say(json.dumps({"code": Peer.asked}))
        heard = []
        while True:
            answer = json.loads(self.stream.read())
            schema.check(answer)
            kind = answer["code"], answer.get("status", answer.get("success"))
            seen[kind] = seen.get(kind, 0) + 1
            if answer.get("details") == f"unknown code {Peer.asked}":
                assert heard.pop()["code"] in (9, REFUSED)
                return heard
            heard.append(answer)


def account(name):
    """An account and a session of it."""
    peer = Peer()
    peer.ask({"code": 4, "email": f"{name}@example.org", "password": "secret"})
    (answer, *_) = peer.ask({"code": 6, "login_type": 0, "account": f"{name}@example.org", "password": "secret"})
    return peer, answer["ocid"]


ann, ann_ocid = account("ann")
bob, bob_ocid = account("bob")
ann.ask({"code": 4, "email": "ann@example.org", "password": "secret"})
((group),) = ann.ask({"code": 8, "members": [bob_ocid]})
group = group["group_id"]

ocids = st.sampled_from([ann_ocid, ann_ocid, bob_ocid, str(ann_ocid), 1])
values = {
    "ocid": st.sampled_from([ann_ocid, ann_ocid, ann_ocid, bob_ocid]),
    "group_id": st.sampled_from([group, group, str(group), 99]),
    "private_id": ocids,
    "members": st.lists(ocids, max_size=3),
    "account": st.sampled_from(["ann@example.org", "stranger@example.org", ann_ocid]),
    "password": st.sampled_from(["secret", "wrong", ""]),
    "email": st.sampled_from(["ann@example.org", "new@example.org", "@", ""]),
    "request_values": st.lists(st.sampled_from(["ocid", "nickname", "status", "avater", "time", "what"]), max_size=5),
    "msg": st.sampled_from(["hello", "", "\u4f60\u597d"]) | TOO_LONG,
}
LOGIN = {"code": 6, "login_type": 0, "account": "ann@example.org", "password": "secret"}


def for_a_user(message):
    """A text as the schema has it, for a user who exists."""
    sender = message["sender"]
    sender["ocid"] = ann_ocid
    if "private_id" in sender:
        sender.pop("group_id", None)
    else:
        sender["group_id"] = group
    return message


kinds = schema.sent()
right = known(st.one_of(kinds), values)
texts = known(kinds[0], values).map(for_a_user)
steps = st.one_of(right, texts, texts, changed(right), changed(texts), broken(right), st.binary(max_size=20))


def check(step, heard, logged_in):
    codes = {one["code"] for one in heard}
    message = meant(step)
    if message is None or not schema.takes(message):
        assert codes == {REFUSED}, f"{step!r} got {heard}"
        return
    wanted = ANSWERS[int(message["code"])]
    if not logged_in and int(message["code"]) not in (4, 6, 12, 14):
        wanted = set()
    answered = codes & (wanted | {REFUSED})
    assert answered or int(message["code"]) in UNANSWERED, f"{step} got {heard}"


def converse(kind, steps):
    peer = Peer(kind)
    logged_in = len(steps) > 1
    if logged_in:
        peer.ask(LOGIN)
    for step in steps:
        heard = peer.ask(step)
        check(step, heard, logged_in)
        logged_in |= any(one["code"] == 7 and one["state"] == 0 for one in heard)
    peer.stream.close()
    ann.ask("{}")
    bob.ask("{}")


@conversations(steps, 100)
def every_message_gets_an_answer_that_is_described(steps):
    converse(OverWebSocket, steps)


@conversations(steps, 50)
def so_does_every_line(steps):
    if isinstance(steps[0], (str, bytes)) and len(steps) == 1 and is_binary(as_line(steps[0])):
        stream = OverTcp()
        stream.say(steps[0])
        assert stream.read() == b"", f"{steps[0]!r} got an answer"
        stream.close()
        return
    converse(OverTcp, steps)


def closes(said, code):
    peer = Peer()
    try:
        peer.stream.say(said)
        while True:
            peer.stream.read()
    except ConnectionClosed as closed:
        assert closed.rcvd and closed.rcvd.code == code, closed


closes("x" * (2 << 20), 1009)
heard = ann.ask({"code": 10, "ocid": 1, "request_values": ["ocid"]})
assert [one["status"] for one in heard] == [3], heard
heard = ann.ask({"code": 10, "ocid": bob_ocid, "request_values": ["ocid", "nickname"]})
assert [one["status"] for one in heard] == [0], heard
heard = Peer(OverTcp).ask(LOGIN | {"password": "wrong"})
assert [one["state"] for one in heard] == [1], heard
heard = ann.ask({"code": 0, "sender": {"ocid": ann_ocid, "group_id": group}, "msg": "still here"})
assert [one["msg"] for one in heard] == ["still here"], heard
assert "still here" in [one.get("msg") for one in bob.ask("{}")]
heard = ann.ask({"code": 12})
assert [one["status"] for one in heard] == [0], heard
once = {"code": 0, "sender": {"ocid": ann_ocid, "group_id": group}, "msg": "once", "client_id": "a"}
first, second = ([one["cid"] for one in ann.ask(once) if one["code"] == 19] for _ in range(2))
assert len(first) == 1 and first == second, (first, second)
expected = {(5, 0), (5, 1), (5, 2), (7, 0), (7, 1), (9, True), (9, False), (11, 0), (12, 0), (15, 0)}
expected |= {(0, None), (18, None), (19, None)}
assert expected <= seen.keys(), f"never said: {expected - seen.keys()}"
assert seen[0, None] > 5, seen
print(f"ourchat: {sum(seen.values())} messages of the gateway, {len(seen)} kinds")
