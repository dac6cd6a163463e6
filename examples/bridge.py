#!/usr/bin/env python3
"""Five people, five dialects, one room: a conversation over a running gateway.

    python3 examples/bridge.py

Needs nothing but Python 3. Other addresses than those of the shipped gateway.toml:

    python3 examples/bridge.py --channel 10.0.0.7:5004 --ourchat 10.0.0.7:7777
"""

import argparse
import base64
import json
import os
import socket
import struct
import time
import urllib.parse
import urllib.request

ROOM = "TEST"


def main():
    addresses = arguments()
    run = f"{time.time_ns() // 1_000_000 % 1_000_000_000}"

    # 1. ann: chatroom. Registers and signs in over HTTP, then joins over a WebSocket.
    ann, tel = f"ann{run}", run
    chatroom = f"http://{addresses.chatroom}"
    say("chatroom", call(f"{chatroom}/auth/register", user_tel=tel, user_name=ann, user_password="a"))
    say("chatroom", call(f"{chatroom}/auth/login", user_tel=tel, user_password="a"))
    chat = WebSocket(addresses.chatroom_websocket)
    chat.send(packet("join", ann))
    say("chatroom", chat.receive())

    # 2. bob: channel. Everything over HTTP; a token proves who he is.
    bob = f"bob{run}"
    channel = f"http://{addresses.channel}"
    say("channel", call(f"{channel}/register", name=bob, password="b", password_repete="b"))
    token = call(f"{channel}/login", name=bob, password="b")["data"]["token"]
    call(f"{channel}/channel/receive", token=token, name=ROOM)  # joins; what was before is read
    say("channel", call(f"{channel}/channel/send", token=token, name=ROOM, message="hello from bob"))
    until(chat, "chatroom", lambda got: got["data"]["msg"] == "hello from bob")

    # 3. cy: token. Binary frames over TCP.
    frames = Frames(addresses.token)
    say("token", frames.login(f"cy{run}", "example", {"name": f"cy{run}"}))
    room = room_id(f"http://{addresses.usr_room}")
    frames.enter(room)
    frames.post(room, "hello from cy")
    until(chat, "chatroom", lambda got: got["data"]["msg"] == "hello from cy")

    # 4. dee: usr/room. An app backend that speaks for its users; the room is polled.
    usr_room = f"http://{addresses.usr_room}"
    dee = f"dee{run}"
    say("usr_room", call(f"{usr_room}/usr/complete", openid=dee, sex="", preference=[]))
    say("usr_room", call(f"{usr_room}/usr/join", room_id=room, openid=dee))
    say("usr_room", call(f"{usr_room}/room/send_message", room_id=room, openid=dee, message="hello from dee"))
    until(chat, "chatroom", lambda got: got["data"]["msg"] == "hello from dee")

    # 5. eve: OurChat. Codes over a WebSocket; a private message reaches bob.
    codes = WebSocket(addresses.ourchat)
    codes.send({"code": 4, "time": 0, "email": f"eve{run}@example.org", "password": "e", "name": f"eve{run}"})
    say("ourchat", codes.receive())
    codes.send({"code": 6, "time": 0, "login_type": 0, "account": f"eve{run}@example.org", "password": "e"})
    eve = codes.receive()
    say("ourchat", eve)
    bob_uid = next_uid_of(chat, codes, bob, eve["ocid"])
    codes.send({"code": 0, "time": 0, "sender": {"ocid": eve["ocid"], "private_id": bob_uid}, "msg": "psst, bob"})
    say("ourchat", codes.receive())
    direct = call(f"{channel}/receive", token=token)["data"]["messages"]
    say("channel", direct)
    assert direct == {f"eve{run}": ["psst, bob"]}, direct

    # ann answers everyone; bob reads the whole conversation, in order.
    chat.send(packet("msg", ann, "hello, all of you"))
    until(chat, "chatroom", lambda got: got["data"]["msg"] == "hello, all of you")
    heard = call(f"{channel}/channel/receive", token=token, name=ROOM)["data"]["messages"]
    for message in heard:
        say("channel", message)
    texts = [message["msg"] for message in heard]
    wanted = ["hello from bob", "hello from cy", "hello from dee", "hello, all of you"]
    assert [text for text in texts if text in wanted] == wanted, texts
    print("five dialects, one conversation")


def next_uid_of(chat, codes, handle, last):
    """The uid of a handle: accounts are numbered, so it is looked for from the newest down."""
    for uid in range(last, 9_999, -1):
        codes.send({"code": 10, "time": 0, "ocid": uid, "request_values": ["ocid", "nickname"]})
        if codes.receive()["data"].get("nickname") == handle:
            return uid
    raise SystemExit(f"no user is called {handle}")


def room_id(usr_room):
    found = call(f"{usr_room}/search", key=ROOM)["rooms"]
    return next(room["room_id"] for room in found if room["name"] == ROOM)


def packet(kind, name, msg=""):
    user = {"user_name": name, "user_avatar": ""}
    return {"type": kind, "data": {"user": user, "room_name": ROOM, "msg": msg}}


def until(socket, dialect, wanted):
    while True:
        got = socket.receive()
        say(dialect, got)
        if wanted(got):
            return


def say(dialect, what):
    print(f"{dialect:>9}  {json.dumps(what, ensure_ascii=False)}")


def call(url, **fields):
    """POSTs a JSON object and returns the one that comes back."""
    request = urllib.request.Request(url, json.dumps(fields).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read())


class WebSocket:
    """The little of RFC 6455 that a client of text messages needs."""

    def __init__(self, address):
        self.socket = connect(address)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.stream = self.socket.makefile("rb")
        status = self.stream.readline()
        assert b" 101 " in status, status
        while self.stream.readline() != b"\r\n":
            pass

    def send(self, message):
        self.frame(1, json.dumps(message).encode())

    def frame(self, opcode, payload):
        mask = os.urandom(4)
        length = len(payload)
        head = bytes([0x80 | opcode])
        head += bytes([0x80 | length]) if length < 126 else b"\xfe" + struct.pack(">H", length)
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    def receive(self):
        while True:
            first, length = self.stream.read(2)
            if length == 126:
                length, = struct.unpack(">H", self.stream.read(2))
            elif length == 127:
                length, = struct.unpack(">Q", self.stream.read(8))
            payload = self.stream.read(length)
            if first & 15 == 9:
                self.frame(10, payload)
            elif first & 15 == 1:
                return json.loads(payload)


class Frames:
    """The token protocol: length, command, sequence, and in replies a result."""

    def __init__(self, address):
        self.socket = connect(address)
        self.stream = self.socket.makefile("rb")
        self.sequence = 0

    def login(self, openid, kind, info):
        info = json.dumps(info).encode()
        body = self.call(2, string(openid) + string(kind) + struct.pack(">iI", 1, len(info)) + info)
        uid, length = struct.unpack_from(">QI", body)
        return {"uid": uid, "info": json.loads(body[12:12 + length])}

    def enter(self, room):
        self.call(4, struct.pack(">I", room))

    def post(self, room, text):
        text = text.encode()
        self.call(10, struct.pack(">II", room, len(text)) + text)

    def call(self, command, body):
        self.sequence += 1
        self.socket.sendall(struct.pack(">IHI", 6 + len(body), command, self.sequence) + body)
        while True:
            length, command, sequence = struct.unpack(">IHI", self.stream.read(10))
            body = self.stream.read(length - 6)
            if command & 0x8000:
                result, = struct.unpack_from(">H", body)
                assert result == 0, body[4:].decode()
                return body[2:]


def string(text):
    return struct.pack(">H", len(text.encode())) + text.encode()


def connect(address):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=30)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, address in [
        ("token", "127.0.0.1:5100"),
        ("usr-room", "127.0.0.1:5001"),
        ("chatroom", "127.0.0.1:5000"),
        ("chatroom-websocket", "127.0.0.1:2333"),
        ("ourchat", "127.0.0.1:7777"),
        ("channel", "127.0.0.1:5004"),
    ]:
        parser.add_argument(f"--{name}", default=address, metavar="HOST:PORT")
    return parser.parse_args()


if __name__ == "__main__":
    main()
