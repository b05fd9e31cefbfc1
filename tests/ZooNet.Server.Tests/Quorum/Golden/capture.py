#!/usr/bin/env python3
"""Captures the golden packets: puts a relay between a real ZooKeeper observer and its leader, lets a client do one of everything
through the observer, and writes what went over the wire, one packet a line.

    capture.py CLASSPATH > packets.txt

A line: direction (> to the leader, < from it), the packet's type, all its bytes in hex. A line "< snapshot" has the bytes behind a
SNAP. Three connections are recorded, each under a line with #: an observer without data (SNAP), the same one again after it has
missed transactions (DIFF), and a made-up one that claims more than the leader has (TRUNC) and sees a reconfiguration. Needs Java, ZooKeeper's jars and kazoo.
"""
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from kazoo.client import KazooClient
from kazoo.security import make_acl

TYPES = {1: "REQUEST", 2: "PROPOSAL", 3: "ACK", 4: "COMMIT", 5: "PING", 6: "REVALIDATE", 7: "SYNC", 8: "INFORM", 9: "COMMITANDACTIVATE",
         10: "NEWLEADER", 11: "FOLLOWERINFO", 12: "UPTODATE", 13: "DIFF", 14: "TRUNC", 15: "SNAP", 16: "OBSERVERINFO", 17: "LEADERINFO",
         18: "ACKEPOCH", 19: "INFORMANDACTIVATE"}
SNAPSHOT_END = struct.pack(">i", 10) + b"BenWasHere"
folder = tempfile.mkdtemp()
lock = threading.Lock()
lines = []


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def packet_length(data):
    """The length of the packet at the start; None where more must arrive."""
    at = 12
    if len(data) < at + 4:
        return None
    at += 4 + max(0, struct.unpack_from(">i", data, at)[0])
    if len(data) < at + 4:
        return None
    ids = max(0, struct.unpack_from(">i", data, at)[0])
    at += 4
    for _ in range(2 * ids):
        if len(data) < at + 4:
            return None
        at += 4 + max(0, struct.unpack_from(">i", data, at)[0])
    return at if len(data) >= at else None


class Recorder:
    def __init__(self, direction):
        self.direction, self.data, self.in_snapshot = direction, b"", False

    def feed(self, data):
        self.data += data
        while True:
            if self.in_snapshot:
                end = self.data.find(SNAPSHOT_END)
                if end < 0:
                    return
                name, length = "snapshot", end + len(SNAPSHOT_END)
                self.in_snapshot = False
            else:
                length = packet_length(self.data)
                if length is None:
                    return
                name = TYPES[struct.unpack_from(">i", self.data)[0]]
                self.in_snapshot = name == "SNAP"
            with lock:
                lines.append(f"{self.direction} {name} {self.data[:length].hex()}")
            self.data = self.data[length:]


def pump(source, target, recorder):
    try:
        while data := source.recv(65536):
            recorder.feed(data)
            target.sendall(data)
    except OSError:
        pass
    target.close()


def relay(port, to):
    listener = socket.create_server(("127.0.0.1", port))

    def accept():
        while True:
            client = listener.accept()[0]
            server = socket.create_connection(("127.0.0.1", to))
            threading.Thread(target=pump, args=(client, server, Recorder(">")), daemon=True).start()
            threading.Thread(target=pump, args=(server, client, Recorder("<")), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()


def start(sid):
    return subprocess.Popen(["java", "-Xmx128m", "-Dzookeeper.extendedTypesEnabled=true", "-Dzookeeper.skipACL=yes", "-cp", sys.argv[1],
                             "org.apache.zookeeper.server.quorum.QuorumPeerMain", f"{folder}/{sid}/zoo.cfg"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def client(port, **more):
    zk = KazooClient(f"127.0.0.1:{port}", timeout=20, **more)
    zk.start(timeout=60)
    return zk


quorum, election, leader_port, observer_port, relayed = (free_port() for _ in range(5))
ports = free_port(), free_port()
for sid, port in ((1, leader_port), (2, observer_port)):
    os.makedirs(f"{folder}/{sid}/data")
    with open(f"{folder}/{sid}/data/myid", "w") as f:
        f.write(f"{sid}\n")
    with open(f"{folder}/{sid}/zoo.cfg", "w") as f:
        f.write(f"tickTime=1000\ninitLimit=20\nsyncLimit=10\ndataDir={folder}/{sid}/data\nstandaloneEnabled=false\n"
                "admin.enableServer=false\n4lw.commands.whitelist=*\n" + ("peerType=observer\n" if sid == 2 else "")
                + f"clientPort={port}\nserver.1=127.0.0.1:{quorum if sid == 1 else relayed}:{election}\n"
                + f"server.2=127.0.0.1:{ports[0]}:{ports[1]}:observer\n")
relay(relayed, quorum)
processes = [start(1)]
try:
    home = client(leader_port)
    home.create("/before", b"there", acl=[make_acl("digest", "u:x", all=True), make_acl("world", "anyone", read=True)])
    home.create("/before/ephemeral", b"e", ephemeral=True)
    lines.append("# an observer without data: SNAP")
    processes.append(start(2))
    zk = client(observer_port)
    zk.add_auth("digest", "user:secret")
    zk.create("/golden", b"data")
    zk.create("/golden/e", b"", ephemeral=True)
    zk.create("/golden/s-", b"s", sequence=True, include_data=True)
    zk.create("/golden/gone", b"x")
    zk.set("/golden", b"changed")
    zk.set_acls("/golden", [make_acl("auth", "", all=True), make_acl("world", "anyone", all=True)])
    zk.delete("/golden/gone")
    t = zk.transaction()
    t.create("/golden/m", b"m")
    t.set_data("/golden/m", b"n")
    t.check("/golden", 1)
    t.delete("/golden/m")
    t.commit()
    t = zk.transaction()
    t.create("/golden/never", b"m")
    t.check("/golden", 77)
    t.commit()
    try:
        zk.delete("/golden")
    except Exception:  # not empty: an error transaction
        pass
    zk.sync("/golden")
    # kazoo has neither TTL nor container: raw requests on a session of their own.
    raw = socket.create_connection(("127.0.0.1", observer_port))

    def exchange(payload):
        raw.sendall(struct.pack(">i", len(payload)) + payload)
        length = struct.unpack(">i", raw.recv(4, socket.MSG_WAITALL))[0]
        return raw.recv(length, socket.MSG_WAITALL)

    def text(value):
        return struct.pack(">i", len(value)) + value.encode()

    OPEN = struct.pack(">ii", 1, 31) + text("world") + text("anyone")
    answer = exchange(struct.pack(">iqiq", 0, 0, 20000, 0) + struct.pack(">i", 16) + bytes(16) + b"\0")
    session, password = struct.unpack_from(">q", answer, 8)[0], answer[20:36]
    exchange(struct.pack(">ii", 1, 21) + text("/golden/ttl") + text("t") + OPEN + struct.pack(">iq", 5, 60000))
    exchange(struct.pack(">ii", 2, 19) + text("/golden/container") + text("c") + OPEN + struct.pack(">i", 4))
    exchange(struct.pack(">ii", 3, 1) + text("/golden/mine") + text("") + OPEN + struct.pack(">i", 1))
    raw.close()
    # The same session again, and one that never was.
    raw = socket.create_connection(("127.0.0.1", observer_port))
    exchange(struct.pack(">iqiq", 0, 0, 20000, session) + struct.pack(">i", 16) + password + b"\0")
    exchange(struct.pack(">ii", 4, -11))
    raw.close()
    time.sleep(2)
    zk.stop()
    zk.close()
    processes[1].send_signal(signal.SIGKILL)
    processes[1].wait()
    home.set("/before", b"missed")
    home.create("/before/missed")
    lines.append("# the same observer after it has missed two transactions: DIFF")
    processes[1] = start(2)
    zk = client(observer_port)
    zk.stop()
    zk.close()
    home.stop()
    home.close()
    for process in processes:
        process.send_signal(signal.SIGKILL)
        process.wait()
    # A real observer would leave the relay when it learns the leader's own address by a reconfiguration: a made-up one does not.
    with open(f"{folder}/1/zoo.cfg", "a") as f:
        f.write("reconfigEnabled=true\n")
    processes[:] = [start(1)]
    home = client(leader_port)
    lines.append("# a made-up observer that claims more than the leader has: TRUNC; and sees a reconfiguration")
    home.set("/before", b"a transaction of this leader's")
    epoch = home.last_zxid >> 32
    recorders = Recorder(">"), Recorder("<")
    with socket.create_connection(("127.0.0.1", quorum)) as leader:
        def send(packet):
            recorders[0].feed(packet)
            leader.sendall(packet)

        def receive(name):
            while not lines[-1].startswith(f"< {name} "):
                recorders[1].feed(leader.recv(65536))
            return bytes.fromhex(lines[-1].split()[2])

        send(struct.pack(">iqiqiqi", 16, epoch << 32, 20, 77, 0x10000, 0, -1))
        receive("LEADERINFO")
        send(struct.pack(">iqiii", 18, (epoch << 32) + 1000, 4, -1, -1))
        new = receive("NEWLEADER")
        send(struct.pack(">i", 3) + new[4:12] + struct.pack(">ii", -1, -1))
        receive("UPTODATE")
        threading.Thread(target=home.reconfig, args=("server.3=127.0.0.1:1:2:observer;127.0.0.1:3", None, None), daemon=True).start()
        receive("INFORMANDACTIVATE")
    home.stop()
    print("\n".join(lines))
finally:
    for process in processes:
        process.kill()
        process.wait()
    shutil.rmtree(folder)
