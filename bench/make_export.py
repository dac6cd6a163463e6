#!/usr/bin/env python3
"""Writes an export of so many users and messages, for the figures of `dragoman import` in NOTEBOOK.md.

    bench/make_export.py 1000000 10000000 > big.jsonl
"""

import sys

SSHA = "{SSHA}Da7EncnlshX6sppjqvCxqkiGTSlzYWx0c2FsdDE="


def records(users, messages):
    rooms = max(1, users // 100)
    for nth in range(users):
        uid = 10_000 + nth
        yield (
            f'{{"user":{{"uid":{uid},"handle":"user{nth}","created":1700000000000,'
            f'"identities":["tel/{nth}"],"password":"{SSHA}"}}}}'
        )
    for room in range(1, rooms + 1):
        owner = 10_000 + (room - 1) % users
        yield (
            f'{{"room":{{"id":{room},"name":"room {room}","owner":{owner},'
            f'"created":1700000000000,"capacity":500}}}}'
        )
    for nth in range(users):
        yield f'{{"member":{{"room":{1 + nth % rooms},"user":{10_000 + nth}}}}}'
    for nth in range(messages):
        # Not in order, so that neighbours on disk were not posted together.
        member = nth * 2_654_435_761 % users
        yield (
            f'{{"message":{{"id":{nth + 1},"at":{1_700_000_000_000 + nth},"user":{10_000 + member},'
            f'"room":{1 + member % rooms},"text":"message {nth} is as long as most messages are"}}}}'
        )
    for nth in range(users):
        yield (
            f'{{"cursor":{{"user":{10_000 + nth},"of":{{"room":{1 + nth % rooms}}},'
            f'"message":{messages}}}}}'
        )


def main():
    users, messages = int(sys.argv[1]), int(sys.argv[2])
    write = sys.stdout.write
    write('{"export":{"version":1}}\n')
    count = 0
    for record in records(users, messages):
        write(record)
        write("\n")
        count += 1
    write(f'{{"end":{{"records":{count}}}}}\n')


main()
