#!/usr/bin/env python3
"""Writes fuzz/corpus: test cases from the transcripts of the dialects, docs/plugins.md and gateway.toml.

Run it after a change to those. Longer cases than CASE_BYTES_MAX are left out, for they slow the fuzzer down.
"""

import json
import pathlib
import re
import shutil

ROOT = pathlib.Path(__file__).resolve().parent.parent
CASE_BYTES_MAX = 4096
DIALECTS = {
    "token": "token", "irc": "irc", "ourchat": "ourchat", "chatroom": "chatroom", "channel": "channel",
    "usr_room": "usr-room",
}

corpus = {}


def add(target, case):
    if isinstance(case, str):
        case = case.encode()
    if 0 < len(case) <= CASE_BYTES_MAX:
        corpus.setdefault(target, set()).add(case)


def take_script(target, script):
    """Streams and lines become one test case a script, each HTTP request one of its own."""
    stream, head, body = b"", None, b""

    def end_request():
        if head is not None:
            case = head.encode() + b"\n\n" + body
            add(target, case)
            add("http_params", case)

    for line in script.splitlines():
        if line.startswith("<hex "):
            stream += bytes.fromhex("".join(re.findall(r"\b[0-9a-fA-F]{2}\b", line[5:])))
        elif line.startswith("< "):
            stream += line[2:].encode() + b"\n"
        elif line.startswith("> "):
            end_request()
            head, body = line[2:], b""
        elif line.startswith(">> ") and head is not None:
            head += "\n" + line[3:]
        elif line.startswith(">>> ") and head is not None:
            body += line[4:].encode()
        elif line.startswith("= "):
            add("json", line[2:])
            add("plugin_inputs", "6" + line[2:])
    end_request()
    add(target, stream)


def take_page(page):
    """The examples of docs/plugins.md, as inputs and outputs of a plugin."""
    outputs = {"command": "0\n1 %s", "query": "0\n2 %s", "response": "0\n3 %s\tbody", "manifest": "0\n9 %s"}
    inputs = {"request": "2%s\nbody", "outcome": "6%s", "event": "7%s", "peer": "1%s", "fault": "1%s"}
    for kind, text in re.findall(r"^```json (\w+)\n(.*?)\n```$", page, re.S | re.M):
        text = json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)
        add("json", text)
        if kind in outputs:
            add("plugin_outputs", outputs[kind] % text)
        else:
            add("plugin_inputs", inputs[kind] % text)
    for case in [
        "1\n4 bytes", "2\n5 text", "3\n", '0\n6 {"messages":true,"presence":true,"population":false}',
        "0\n7 1700000000000", "0\n8 ", "-1\n10 a reason\tkey",
        '0\n11 {"name":"openapi.json","media_type":"application/json"}\t{}',
    ]:
        add("plugin_outputs", case)


def take_configuration():
    """The sections of gateway.toml with every key set, and the examples of docs/configuration.md."""
    text = re.sub(r"^#", "", (ROOT / "gateway.toml").read_text(), flags=re.M)
    for section in text.split("\n["):
        add("config", "[" + section)
    add("config", "#!server.drain_timeout=30s\n#$STORE__PATH=/tmp/x\n[server]\n")
    for block in re.findall(r"^```toml\n(.*?)^```$", (ROOT / "docs/configuration.md").read_text(), re.S | re.M):
        add("config", block)


def take_proxy_headers():
    """Headers of the PROXY protocol, both versions."""
    signature = b"\r\n\r\n\0\r\nQUIT\n"
    addresses = bytes([192, 0, 2, 7, 10, 0, 0, 1, 18, 52, 0, 80])
    tls = b"\x20\x00\x0b\x07\0\0\0\0\x22\x00\x03app"
    for line in [b"TCP4 192.0.2.7 10.0.0.1 4660 80", b"TCP6 2001:db8::7 ::1 4660 80", b"UNKNOWN", b"UNKNOWN ff ee"]:
        add("proxy_header", b"PROXY " + line + b"\r\n")
    for head, body in [
        (b"\x21\x11", addresses), (b"\x20\x00", b""), (b"\x21\x11", addresses + b"\x01\x00\x02h2" + tls),
        (b"\x21\x21", bytes(36)), (b"\x21\x31", bytes(216)),
    ]:
        add("proxy_header", signature + head + len(body).to_bytes(2, "big") + body)


for target, folder in DIALECTS.items():
    for script in sorted((ROOT / "frontends" / folder / "tests/transcripts").rglob("*.in")):
        take_script(target, script.read_text())
take_page((ROOT / "docs/plugins.md").read_text())
take_configuration()
take_proxy_headers()
# A message row and a run of ids; libFuzzer finds the other rows, which are short.
add("store_rows", b"\x01\x00" + bytes(8) + (10_000).to_bytes(8, "little") + (7).to_bytes(4, "little") + b"hello")
add("store_rows", b"\x01\x01" + bytes(8) + b"\x03\x00zed" + (7).to_bytes(4, "little") + b"hello")
add("store_rows", b"\x01\x01\xab\x02\xd4\xfd\xff\xff\xff\x1f")

shutil.rmtree(ROOT / "fuzz/corpus", ignore_errors=True)
for target, cases in sorted(corpus.items()):
    folder = ROOT / "fuzz/corpus" / target
    folder.mkdir(parents=True)
    for nth, case in enumerate(sorted(cases)):
        (folder / f"{nth:04}").write_bytes(case)
    print(f"{target}: {len(cases)} cases")
