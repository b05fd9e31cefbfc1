#!/usr/bin/python3
"""Measures `zoonet server` against a stand-alone ZooKeeper 3.8.0: same machine, same client, taking turns.

    embedded_server.py [--rounds N] [--seconds N] [--warm N] [--clients N] [--window N] [--size BYTES] [--program zoonet.dll]

Both servers run all the time, ZooKeeper from Debian's jars with its default settings (its log goes to a temporary folder on the
same disk, with fsync) and once more without fsync, `zoonet server` in memory and once more with --data. `zoonet bench` loads one
at a time: reads only, then updates only, each server in turn, round after round. Both run on just-in-time compilers that make them
several times faster within the first seconds, so a first round of each kind is not counted. Printed are the medians, and each
round's ratio, so that a machine whose speed wanders shows.
"""
import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

CLASSPATH = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar"
HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "../src/ZooNet/bin/Release/net10.0/zoonet.dll")


def spawn(arguments, log):
    """A process that dies with this one."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL"] + arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_serving(port, process):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as s:
                s.sendall(b"srvr")
                if b"Mode: " in s.makefile("rb").read():
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("the server on port %d does not serve" % port)


def zookeeper(folder, name, flags):
    home = os.path.join(folder, name)
    os.mkdir(home)
    port = free_port()
    with open(os.path.join(home, "zoo.cfg"), "w") as f:
        f.write("dataDir=%s/data\nclientPort=%d\nclientPortAddress=127.0.0.1\ntickTime=2000\nmaxClientCnxns=0\n"
                "admin.enableServer=false\n4lw.commands.whitelist=*\n" % (home, port))
    process = spawn(["java", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"] + flags
                    + ["-cp", CLASSPATH, "org.apache.zookeeper.server.quorum.QuorumPeerMain", os.path.join(home, "zoo.cfg")],
                    open(os.path.join(home, "log"), "w"))
    return port, process


def zoonet(folder, name, program, flags):
    port = free_port()
    return port, spawn(["dotnet", program, "server", "--listen", "127.0.0.1:%d" % port] + flags, open(os.path.join(folder, name), "w"))


def bench(program, port, process, read, seconds, options):
    report = os.path.join(tempfile.gettempdir(), "zoonet-bench-%d.json" % os.getpid())
    subprocess.run(["dotnet", program, "bench", "--server", "127.0.0.1:%d" % port, "--clients", str(options.clients),
                    "--window", str(options.window), "--read", str(read), "--size", str(options.size), "--local", "100",
                    "--duration", "%ds" % seconds, "--warmup", "2s", "--cpu-of", str(process.pid), "--json", report],
                   check=True, stdout=subprocess.DEVNULL)
    with open(report) as f:
        result = json.load(f)
    os.remove(report)
    return result["perSecond"], result["cpu"][0]["microsecondsPerRequest"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--warm", type=int, default=10, help="seconds of the round that is not counted (default 10)")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--program", default=PROGRAM)
    options = parser.parse_args()

    folder = tempfile.mkdtemp(prefix="zoonet-bench-")
    servers = {}
    try:
        servers["ZooKeeper 3.8.0"] = zookeeper(folder, "zk", [])
        servers["ZooKeeper 3.8.0, no fsync"] = zookeeper(folder, "zk-nosync", ["-Dzookeeper.forceSync=no"])
        servers["zoonet server"] = zoonet(folder, "ours", options.program, [])
        servers["zoonet server --data"] = zoonet(folder, "ours-data", options.program, ["--data", os.path.join(folder, "data")])
        for port, process in servers.values():
            wait_serving(port, process)
        print("%d processors, load %.1f; %d clients, %d outstanding each, %d bytes, %d s a run"
              % ((os.cpu_count(), os.getloadavg()[0]) + (options.clients, options.window, options.size, options.seconds)))
        for kind, read in (("reads", 100), ("writes", 0)):
            results = {name: [] for name in servers}
            for port, process in servers.values():
                bench(options.program, port, process, read, options.warm, options)
            for _ in range(options.rounds):
                for name, (port, process) in servers.items():
                    results[name].append(bench(options.program, port, process, read, options.seconds, options))
            base = results["ZooKeeper 3.8.0"]
            for name, runs in results.items():
                ratios = [own[0] / other[0] for own, other in zip(runs, base)]
                print("%-6s %-26s %9.0f/s  %6.1f us CPU  ratio %.2f (%s)" % (
                    kind, name, statistics.median(r[0] for r in runs), statistics.median(r[1] for r in runs),
                    statistics.median(ratios), " ".join("%.2f" % r for r in ratios)), flush=True)
        print("load at the end %.1f" % os.getloadavg()[0])
    finally:
        for _, process in servers.values():
            process.kill()
            process.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
