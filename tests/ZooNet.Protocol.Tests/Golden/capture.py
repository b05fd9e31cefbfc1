#!/usr/bin/env python3
"""Captures the golden frames: asks a real ZooKeeper and writes what went over the wire, one frame a line.

    capture.py HOST:PORT > frames.txt

A line: direction (> to the server, < from it), what it is, the payload in hex (without its length prefix). The server should be
freshly started and its own: zxids, times and ids are in the frames.
"""
import socket
import struct
import sys

host, port = sys.argv[1].rsplit(":", 1)
sock = socket.create_connection((host, int(port)))
OPEN = struct.pack(">ii", 1, 31) + struct.pack(">i", 5) + b"world" + struct.pack(">i", 6) + b"anyone"


def text(value):
    data = value.encode()
    return struct.pack(">i", len(data)) + data


def receive():
    def exactly(count):
        data = b""
        while len(data) < count:
            part = sock.recv(count - len(data))
            if not part:
                sys.exit("closed by the server")
            data += part
        return data
    return exactly(struct.unpack(">i", exactly(4))[0])


def send(name, payload):
    print(">", name, payload.hex())
    sock.sendall(struct.pack(">i", len(payload)) + payload)


def exchange(name, xid, op, body, events=0):
    send(name, struct.pack(">ii", xid, op) + body)
    for _ in range(events):
        print("<", "event", receive().hex())
    print("<", name, receive().hex())


send("connect", struct.pack(">iqiq", 0, 0, 10000, 0) + struct.pack(">i", 16) + bytes(16) + b"\0")
print("<", "connect", receive().hex())
exchange("auth", -4, 100, struct.pack(">i", 0) + text("digest") + text("user:secret"))
exchange("create", 1, 1, text("/golden") + text("data") + OPEN + struct.pack(">i", 0))
exchange("create2", 2, 15, text("/golden/e-") + struct.pack(">i", -1) + OPEN + struct.pack(">i", 3))
exchange("exists-nonode", 3, 3, text("/missing") + b"\1")
exchange("exists", 4, 3, text("/golden") + b"\0")
exchange("getData", 5, 4, text("/golden") + b"\1")
exchange("getData-null", 6, 4, text("/golden/e-0000000000") + b"\0")
exchange("setData", 7, 5, text("/golden") + text("new") + struct.pack(">i", -1), events=1)
exchange("getAcl", 8, 6, text("/golden"))
exchange("setAcl", 9, 7, text("/golden") + OPEN + struct.pack(">i", -1))
exchange("getChildren", 10, 8, text("/golden") + b"\0")
exchange("getChildren2", 11, 12, text("/golden") + b"\1")
exchange("sync", 12, 9, text("/golden"))
exchange("ping", -2, 11, b"")
CHECK = struct.pack(">ibi", 13, 0, -1) + text("/golden") + struct.pack(">i", -1)
SET = struct.pack(">ibi", 5, 0, -1) + text("/golden") + text("multi") + struct.pack(">i", -1)
MAKE = struct.pack(">ibi", 1, 0, -1) + text("/golden/m") + text("m") + OPEN + struct.pack(">i", 0)
MAKE2 = struct.pack(">ibi", 15, 0, -1) + text("/golden/m2") + text("m") + OPEN + struct.pack(">i", 0)
DELETE = struct.pack(">ibi", 2, 0, -1) + text("/golden/m") + struct.pack(">i", -1)
DONE = struct.pack(">ibi", -1, 1, -1)
exchange("multi", 13, 14, CHECK + SET + MAKE + MAKE2 + DELETE + DONE, events=1)
exchange("multi-failed", 14, 14, SET + struct.pack(">ibi", 2, 0, -1) + text("/missing") + struct.pack(">i", -1) + SET + DONE)
exchange("multiRead", 15, 22, struct.pack(">ibi", 4, 0, -1) + text("/golden") + b"\0"
         + struct.pack(">ibi", 8, 0, -1) + text("/golden") + b"\0" + struct.pack(">ibi", 4, 0, -1) + text("/missing") + b"\0" + DONE)
exchange("addWatch", 16, 106, text("/golden") + struct.pack(">i", 1))
exchange("checkWatches", 17, 17, text("/golden") + struct.pack(">i", 3))
exchange("removeWatches", 18, 18, text("/golden") + struct.pack(">i", 3))
exchange("setWatches", -8, 101, struct.pack(">q", 1) + struct.pack(">i", 1) + text("/golden") + struct.pack(">i", 1) + text("/missing") + struct.pack(">i", 0), events=1)
exchange("setWatches2", 19, 105, struct.pack(">q", 1) + struct.pack(">iii", 0, 0, 0) + struct.pack(">i", 1) + text("/golden") + struct.pack(">i", 0))
exchange("getEphemerals", 20, 103, text("/"))
exchange("getAllChildrenNumber", 21, 104, text("/golden"))
exchange("whoAmI", 22, 107, b"")
exchange("createTtl", 23, 21, text("/golden/ttl") + text("t") + OPEN + struct.pack(">iq", 5, 60000), events=1)
exchange("createContainer", 24, 19, text("/golden/container") + text("c") + OPEN + struct.pack(">i", 4), events=1)
exchange("reconfig", 25, 16, struct.pack(">iii", -1, -1, -1) + struct.pack(">q", -1))
exchange("short-body", 26, 4, struct.pack(">i", 100))
exchange("delete-badversion", 27, 2, text("/golden") + struct.pack(">i", 77))
exchange("closeSession", 28, -11, b"")
