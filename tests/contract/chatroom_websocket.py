"""The chatroom WebSocket, by its schema: chatroom_websocket.py HTTP_ADDRESS WEBSOCKET_ADDRESS

Each message gets an answer that the schema describes, a complaint about the form exactly where the schema has none of
that form, and another client in the room hears on as before. The gateway has the rooms TEST and MARKER.
"""

import json
import sys
import urllib.request

from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from messages import TOO_LONG, Schema, broken, changed, conversations, known, meant

FORM = {"invalid message", "invalid data", "illegal type", "null message"}
# Said of a value of the wrong type, and of a name that is not allowed.
EITHER = "illegal data"

http, websocket = sys.argv[1:]
schema = Schema(http, "chatroom")
seen = {}


def packet(kind, user, room, msg=""):
    return {"type": kind, "data": {"user": {"user_name": user}, "room_name": room, "msg": msg}}


class Peer:
    """A connection, and a room of its own in which its joins are answered to it alone."""

    made = 0

    def __init__(self):
        Peer.made += 1
        self.name = f"marker-{Peer.made}"
        self.socket = connect(f"ws://{websocket}/", max_size=None)
        self.hear()

    def say(self, message):
        self.socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message, ensure_ascii=False))

    def hear(self):
        """All that came since, and was caused by what was said."""
        self.say(packet("join", self.name, "MARKER"))
        heard = []
        while True:
            answer = json.loads(self.socket.recv(timeout=10))
            schema.check(answer)
            kind = answer["type"] + ": " + answer["data"]["msg"] if answer["type"] != "msg" else "msg"
            seen[kind] = seen.get(kind, 0) + 1
            if answer["type"] == "user" and answer["data"]["user"]["user_name"] == self.name:
                return heard
            elif answer["data"]["room_name"] != "MARKER":
                heard.append(answer)


def answers_of(said, heard):
    """Of what was heard, what can be the answer to what was said."""
    room = said["data"]["room_name"]

    def is_it(one):
        data = one["data"]
        if one["type"] == "error":
            return data["msg"] not in FORM
        if one["type"] == "posted":
            return said["type"] == "msg"
        same = data["room_name"] == room or not room.isascii()
        if said["type"] == "msg":
            return one["type"] == "msg" and same and data["msg"] == said["data"]["msg"]
        return one["type"] == "user" and same and (data["msg"] == "leave") == (said["type"] == "leave")

    return [one for one in heard if is_it(one)]


values = {
    "user_name": st.sampled_from(["ann", "bob", "owner", "@x", "guest:y", ""]),
    "room_name": st.sampled_from(["TEST", "TEST", "TEST", "nowhere", ""]),
    "msg": st.sampled_from(["hello", "", "\u4f60\u597d"]) | TOO_LONG,
}
right = known(st.one_of(schema.sent()), values)
steps = st.one_of(right, right, changed(right), broken(right), st.binary(max_size=20))

urllib.request.urlopen(f"http://{http}/auth/register?user_tel=1&user_name=owner&user_password=secret").close()
witness = Peer()
witness.say(packet("join", "witness", "TEST"))
witness.hear()


@conversations(steps, 150)
def every_message_gets_an_answer_that_is_described(steps):
    peer = Peer()
    for step in steps:
        peer.say(step)
        heard = peer.hear()
        complaints = {one["data"]["msg"] for one in heard if one["type"] == "error"}
        message = meant(step)
        if message is None:
            assert complaints == {"invalid message"}, f"{step!r} got {heard}"
        elif schema.takes(message):
            assert answers_of(message, heard), f"{step} got {heard}"
        else:
            assert complaints and complaints <= FORM | {EITHER}, f"{step} got {heard}"
    peer.socket.close()
    witness.hear()


def closes(said, code):
    peer = Peer()
    try:
        peer.say(said)
        while True:
            peer.socket.recv(timeout=10)
    except ConnectionClosed as closed:
        assert closed.rcvd and closed.rcvd.code == code, closed


for malformed in [packet("msg", "ann", "TEST"), packet("dance", "ann", "TEST"), packet("msg", "", "TEST"), {"type": "msg", "data": {}}]:
    witness.say(malformed)
    assert [one["type"] for one in witness.hear()] == ["error"]
closes("x" * (2 << 20), 1009)
witness.say(packet("msg", "witness", "TEST", "still here"))
assert [one["data"]["msg"] for one in witness.hear() if one["type"] == "msg"] == ["still here"]
expected = {"user: create", "user: join", "user: leave", "msg", *(f"error: {word}" for word in FORM | {EITHER})}
expected |= {"error: room not exist", "error: user not exist", "error: not signed in"}
assert expected <= seen.keys(), f"never said: {expected - seen.keys()}"
print(f"chatroom WebSocket: {sum(seen.values())} messages of the gateway, {len(seen)} kinds")
