#!/usr/bin/python3
"""Runs a command against a real ZooKeeper ensemble that lives only as long as the command.

    with_ensemble.py [--servers N] [--observers N] [--tick MS] -- COMMAND [ARG...]

The servers come from Debian's jars (package libzookeeper-java), or are of the release whose class path
TEST_ZOOKEEPER names. They listen on free ports of 127.0.0.1 and keep
everything in a temporary folder, which is removed afterwards. "{}" in the command's arguments stands for
the connect string of the voters, "{observers}" for that of the observers. The exit code is the command's.

The super user is "super:test" (digest), reconfiguration and every four-letter word are allowed, and there
is no limit on connections: what kazoo's own harness sets.
"""
import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

# zookeeper.jar names its own dependencies in its manifest; slf4j-simple is only there to log to stderr.
CLASSPATH = os.environ.get("TEST_ZOOKEEPER") or "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar"
SUPER_DIGEST = "super:D/InIHSb7yEEbrWz8b9l71RjZJU="  # super:test
UP_WITHIN_SECONDS = 60


def free_ports(count):
    """Ports that were free a moment ago; held together so that no two are the same."""
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def configuration(folder, members, server_id, tick):
    _, _, client_port, kind = members[server_id]
    lines = [
        "tickTime=%d" % tick, "initLimit=20", "syncLimit=10", "dataDir=" + folder,
        "maxClientCnxns=0", "admin.enableServer=false", "4lw.commands.whitelist=*",
        "standaloneEnabled=false", "reconfigEnabled=true", "extendedTypesEnabled=true", "peerType=" + kind,
    ]
    lines += ["server.%d=127.0.0.1:%d:%d:%s;127.0.0.1:%d" % (i, quorum, election, k, client)
              for i, (quorum, election, client, k) in members.items()]
    return "\n".join(lines) + "\n"


def start(folder, members, server_id, tick):
    home = os.path.join(folder, str(server_id))
    os.mkdir(home)
    with open(os.path.join(home, "myid"), "w") as f:
        f.write(str(server_id))
    path = os.path.join(home, "zoo.cfg")
    with open(path, "w") as f:
        f.write(configuration(home, members, server_id, tick))
    log = open(os.path.join(home, "log"), "w")
    return subprocess.Popen(
        ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
         "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dzookeeper.extendedTypesEnabled=true",
         "-Dzookeeper.DigestAuthenticationProvider.superDigest=" + SUPER_DIGEST,
         "-cp", CLASSPATH, "org.apache.zookeeper.server.quorum.QuorumPeerMain", path],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def mode(port):
    """"leader", "follower", "observer", or None while the server does not serve."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as s:
            s.sendall(b"srvr")
            answer = b""
            while True:
                piece = s.recv(4096)
                if not piece:
                    break
                answer += piece
    except OSError:
        return None
    for line in answer.decode("ascii", "replace").splitlines():
        if line.startswith("Mode: "):
            return line[6:]
    return None


def wait_until_serving(servers, members, folder):
    deadline = time.monotonic() + UP_WITHIN_SECONDS
    for server_id, process in servers.items():
        while mode(members[server_id][2]) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                with open(os.path.join(folder, str(server_id), "log")) as log:
                    sys.exit("server %d does not serve:\n%s" % (server_id, log.read()[-4000:]))
            time.sleep(0.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=int, default=3, help="voters (default 3)")
    parser.add_argument("--observers", type=int, default=0, help="observers (default 0)")
    parser.add_argument("--tick", type=int, default=2000, help="tickTime in ms (default 2000)")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()

    count = options.servers + options.observers
    ports = iter(free_ports(3 * count))
    members = {i: (next(ports), next(ports), next(ports),
                   "participant" if i <= options.servers else "observer") for i in range(1, count + 1)}
    address = {kind: ",".join("127.0.0.1:%d" % m[2] for m in members.values() if m[3] == kind)
               for kind in ("participant", "observer")}

    # SIGTERM must run the finally below too, or the servers would outlive this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="zoonet-ensemble-")
    servers = {}
    try:
        for i in members:
            servers[i] = start(folder, members, i, options.tick)
        wait_until_serving(servers, members, folder)
        print("# ensemble %s observers %s" % (address["participant"], address["observer"] or "none"),
              file=sys.stderr, flush=True)
        command = [a.replace("{observers}", address["observer"]).replace("{}", address["participant"])
                   for a in options.command]
        return subprocess.call(command)
    finally:
        for process in servers.values():
            process.kill()
        for process in servers.values():
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
