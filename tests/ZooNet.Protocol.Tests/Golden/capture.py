#!/usr/bin/env python3
"""Captures the golden frames: asks a real ZooKeeper and writes what went over the wire, one frame a line.

    capture.py HOST:PORT > 3.8.0.txt

A line: direction (> to the server, < from it), what it is, the payload in hex (without its length prefix). `x NAME` tells that the
server closed the connection, instead of answering or after it; the next line connects again. The server should be freshly started, stand alone,
with -Dzookeeper.extendedTypesEnabled=true and 4lw.commands.whitelist=*: zxids, times and ids are in the frames.
"""
import socket
import struct
import sys

host, port = sys.argv[1].rsplit(":", 1)
OPEN = struct.pack(">ii", 1, 31) + struct.pack(">i", 5) + b"world" + struct.pack(">i", 6) + b"anyone"
NONE = struct.pack(">i", 0)
UNIMPLEMENTED = struct.pack(">i", -6)
sock = None


def text(value):
    data = value.encode()
    return struct.pack(">i", len(data)) + data


def receive():
    def exactly(count):
        data = b""
        while len(data) < count:
            part = sock.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data
    return exactly(struct.unpack(">i", exactly(4))[0])


def send(name, payload):
    print(">", name, payload.hex())
    sock.sendall(struct.pack(">i", len(payload)) + payload)


def connect():
    global sock
    sock = socket.create_connection((host, int(port)), timeout=20)
    send("connect", struct.pack(">iqiq", 0, 0, 10000, 0) + struct.pack(">i", 16) + bytes(16) + b"\0")
    print("<", "connect", receive().hex())


def exchange(name, xid, op, body):
    """Sends a request and writes what comes until its reply, events included."""
    send(name, struct.pack(">ii", xid, op) + body)
    try:
        while True:
            payload = receive()
            event = payload[:4] == b"\xff\xff\xff\xff" and xid != -1
            print("<", "event" if event else name, payload.hex())
            if not event:
                break
        if payload[12:16] == UNIMPLEMENTED:
            sock.settimeout(1)
            print("<", "event", receive().hex())
    except TimeoutError:
        sock.settimeout(20)
    except (EOFError, ConnectionError):
        print("x", name)
        connect()


def word(name):
    with socket.create_connection((host, int(port)), timeout=20) as asker:
        asker.sendall(name.encode())
        answer = b""
        while part := asker.recv(65536):
            answer += part
    # The rest of `envi` is about the machine.
    print("w", name, b"\n".join(answer.split(b"\n")[:2]).hex() if name == "envi" else answer.hex())


connect()
exchange("auth", -4, 100, struct.pack(">i", 0) + text("digest") + text("user:secret"))
exchange("create", 1, 1, text("/golden") + text("data") + OPEN + struct.pack(">i", 0))
exchange("create2", 2, 15, text("/golden/e-") + struct.pack(">i", -1) + OPEN + struct.pack(">i", 3))
exchange("exists-nonode", 3, 3, text("/missing") + b"\1")
exchange("exists", 4, 3, text("/golden") + b"\0")
exchange("getData", 5, 4, text("/golden") + b"\1")
exchange("getData-null", 6, 4, text("/golden/e-0000000000") + b"\0")
exchange("setData", 7, 5, text("/golden") + text("new") + struct.pack(">i", -1))
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
exchange("multi", 13, 14, CHECK + SET + MAKE + MAKE2 + DELETE + DONE)
exchange("multi-failed", 14, 14, SET + struct.pack(">ibi", 2, 0, -1) + text("/missing") + struct.pack(">i", -1) + SET + DONE)
exchange("multiRead", 15, 22, struct.pack(">ibi", 4, 0, -1) + text("/golden") + b"\0"
         + struct.pack(">ibi", 8, 0, -1) + text("/golden") + b"\0" + struct.pack(">ibi", 4, 0, -1) + text("/missing") + b"\0" + DONE)
exchange("addWatch", 16, 106, text("/golden") + struct.pack(">i", 1))
exchange("checkWatches", 17, 17, text("/golden") + struct.pack(">i", 3))
exchange("removeWatches", 18, 18, text("/golden") + struct.pack(">i", 3))
exchange("setWatches", -8, 101, struct.pack(">q", 1) + struct.pack(">i", 1) + text("/golden") + struct.pack(">i", 1) + text("/missing") + struct.pack(">i", 0))
exchange("setWatches2", 19, 105, struct.pack(">q", 1) + struct.pack(">iii", 0, 0, 0) + struct.pack(">i", 1) + text("/golden") + struct.pack(">i", 0))
exchange("getEphemerals", 20, 103, text("/"))
exchange("getAllChildrenNumber", 21, 104, text("/golden"))
exchange("createTtl", 23, 21, text("/golden/ttl") + text("t") + OPEN + struct.pack(">iq", 5, 60000))
exchange("createContainer", 24, 19, text("/golden/container") + text("c") + OPEN + struct.pack(">i", 4))
exchange("reconfig", 25, 16, struct.pack(">iii", -1, -1, -1) + struct.pack(">q", -1))
exchange("short-body", 26, 4, struct.pack(">i", 100))
exchange("delete-badversion", 27, 2, text("/golden") + struct.pack(">i", 77))
exchange("create-noauth-made", 30, 1, text("/closed") + text("c") + struct.pack(">ii", 1, 1) + text("digest") + text("other:x") + NONE)
exchange("getData-noauth-or-not", 31, 4, text("/closed") + b"\0")
exchange("setData-noauth", 32, 5, text("/closed") + text("n") + struct.pack(">i", -1))
exchange("exists-closed", 33, 3, text("/closed") + b"\0")
exchange("getAcl-closed", 34, 6, text("/closed"))
exchange("create-nodeexists", 35, 1, text("/golden") + text("d") + OPEN + NONE)
exchange("create-nonode", 36, 1, text("/none/of") + text("d") + OPEN + NONE)
exchange("create-invalidacl", 37, 1, text("/golden/acl") + text("d") + NONE + NONE)
exchange("create-badpath", 38, 1, text("/golden//x") + text("d") + OPEN + NONE)
exchange("create-noephemeralchildren", 39, 1, text("/golden/e-0000000000/x") + text("d") + OPEN + NONE)
exchange("create-badflags", 40, 1, text("/golden/f") + text("d") + OPEN + struct.pack(">i", 9))
exchange("delete-notempty", 41, 2, text("/golden") + struct.pack(">i", -1))
exchange("delete-root", 42, 2, text("/") + struct.pack(">i", -1))
exchange("checkWatches-none", 43, 17, text("/nowatch") + struct.pack(">i", 3))
exchange("removeWatches-none", 44, 18, text("/nowatch") + struct.pack(">i", 1))
exchange("removeWatches-persistent", 45, 18, text("/golden") + struct.pack(">i", 4))
exchange("addWatch-badmode", 46, 106, text("/golden") + struct.pack(">i", 7))
exchange("addWatch-persistent", 47, 106, text("/golden") + struct.pack(">i", 0))
exchange("setData-persistent", 48, 5, text("/golden") + text("p") + struct.pack(">i", -1))
exchange("getConfig", 49, 4, text("/zookeeper/config") + b"\0")
exchange("setWatches-null", 50, 101, struct.pack(">q", 1) + struct.pack(">iii", -1, -1, -1))
exchange("getEphemerals-null", 51, 103, struct.pack(">i", -1))
exchange("unknown-op", 52, 999, b"")
exchange("auth-failed", -4, 100, NONE + text("nosuch") + text("x"))
sock.close()
connect()
exchange("auth", -4, 100, NONE + text("digest") + text("user:secret"))
exchange("whoAmI", 22, 107, b"")
exchange("getEphemerals-none", 54, 103, text("/"))
exchange("closeSession", 55, -11, b"")
for name in ("ruok", "srvr", "isro", "envi", "nope"):
    word(name)
