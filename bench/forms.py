#!/usr/bin/python3
"""Measures what eng/release made: how large each form is, how fast it starts, and what it holds in memory.

    forms.py [FOLDER] [--rounds N] [--seconds N] [--image NAME]

FOLDER is that of the release, by default artifacts/release. The forms take turns, round after round, in an order that rotates. In each
round a form prints its version, then serves a region as a proxy, with a mount, between two `zoonet server` that run all the time:

    version   from exec to the end of `zoonet --version`
    ready     from exec of `zoonet proxy` until /ready answers 200
    idle      resident memory (VmRSS) two seconds after that
    loaded    resident memory after 1 s and then --seconds of `zoonet bench` with 8 clients and windows of 16, reads and updates at home
    peak      the most that was resident until then (VmHWM)

With --image the image of that name is one more form: each time a new container with the host's network, which goes when it ends. Its
times are those of `docker run`, its memory that of the process in the container. Its download is that of "docker save", by gzip.

Nothing is kept between rounds but the disk cache. Everything is below a temporary folder and is removed. Needs the .NET 10 SDK, tar and
dpkg-deb.
"""
import argparse
import glob
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
# Where "docker run" writes the name of its container.
CONTAINER = os.path.join(tempfile.gettempdir(), "zoonet-forms-%d.cid" % os.getpid())


def size(path):
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(folder, f)) for folder, _, files in os.walk(path) for f in files
               if not os.path.islink(os.path.join(folder, f)))


def one(folder, pattern):
    found = glob.glob(os.path.join(folder, pattern))
    if len(found) != 1:
        raise SystemExit("forms: %s has %d files %s; make a release: eng/release" % (folder, len(found), pattern))
    return found[0]


def install(release, work):
    """Each form: its name, the command, what is downloaded and what is there afterwards."""
    forms = []
    archive = one(release, "zoonet-*-linux-x64.tar.gz")
    os.mkdir(os.path.join(work, "file"))
    subprocess.run(["tar", "-xzf", archive, "-C", os.path.join(work, "file"), "--strip-components=1"], check=True)
    forms.append(("one file", [os.path.join(work, "file/zoonet")], archive, os.path.join(work, "file")))
    package = one(release, "zoonet_*_amd64.deb")
    subprocess.run(["dpkg-deb", "-x", package, os.path.join(work, "deb")], check=True)
    forms.append(("Debian package", [os.path.join(work, "deb/usr/bin/zoonet")], package, os.path.join(work, "deb")))
    tool = [p for p in glob.glob(os.path.join(release, "ZooNet.*.nupkg")) if os.path.basename(p).split(".")[1].isdigit()]
    if len(tool) != 1:
        raise SystemExit("forms: %s has %d packages of the tool" % (release, len(tool)))
    version = os.path.basename(tool[0])[len("ZooNet."):-len(".nupkg")]
    subprocess.run(["dotnet", "tool", "install", "ZooNet", "--version", version, "--source", release, "--tool-path",
                    os.path.join(work, "tool")], check=True, stdout=subprocess.DEVNULL)
    forms.append((".NET tool", [os.path.join(work, "tool/zoonet")], tool[0], os.path.join(work, "tool")))
    return version, forms


def install_image(image, work):
    """The same of an image that the engine has; what is there afterwards is what it unpacks to."""
    archive, folder = os.path.join(work, "image.tar.gz"), os.path.join(work, "image")
    subprocess.run("docker save %s | gzip > %s" % (image, archive), shell=True, check=True)
    container = subprocess.check_output(["docker", "create", image], text=True).strip()
    os.mkdir(folder)
    subprocess.run("docker export %s | tar -x -C %s" % (container, folder), shell=True, check=True)
    subprocess.run(["docker", "rm", container], check=True, stdout=subprocess.DEVNULL)
    run = ["docker", "run", "--rm", "--network", "host", "--user", "0", "--cidfile", CONTAINER, "-v", "%s:%s:ro" % (work, work)]
    return ("image", run + [image], archive, folder)


def spawn(command, out):
    """A process that dies with this one."""
    if CONTAINER in command:
        command = ["sh", "-c", 'rm -f "$0"; exec "$@"', CONTAINER] + command
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL"] + command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)


def end(process):
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def first_line(command, work):
    """Starts a server or a proxy; its first line says where it listens."""
    path = tempfile.mkstemp(dir=work)[1]
    with open(path, "w") as out:
        process = spawn(command, out)
    wait(lambda: "\n" in open(path).read(), process, path)
    return process, path


def wait(done, process, log, seconds=60):
    deadline = time.monotonic() + seconds
    while not done():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("forms: %s\n%s" % (process.args, open(log).read()))
        time.sleep(0.002)


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def memory(process, field):
    pid = process.pid
    if CONTAINER in process.args:
        with open(CONTAINER) as name:
            pid = int(subprocess.check_output(["docker", "inspect", "-f", "{{.State.Pid}}", name.read()]))
    with open("/proc/%d/status" % pid) as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":")) / 1024


def measure(command, servers, work, seconds, runner):
    if os.path.exists(CONTAINER):
        os.remove(CONTAINER)
    began = time.monotonic()
    subprocess.run(command + ["--version"], check=True, stdout=subprocess.DEVNULL)
    result = {"version": (time.monotonic() - began) * 1000}
    configuration = os.path.join(work, "proxy.json")
    with open(configuration, "w") as f:
        json.dump({"region": "us", "listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "insecure": True,
                   "home": {"cluster": "us", "servers": servers[0]}, "remotes": {"eu": {"servers": servers[1]}}}, f)
    log = tempfile.mkstemp(dir=work)[1]
    with open(log, "w") as out:
        began = time.monotonic()
        proxy = spawn(command + ["proxy", "--config", configuration], out)
    try:
        found = {}

        def addressed():
            for line in open(log).read().splitlines():
                if line.startswith(("clients: ", "admin: ")):
                    found.setdefault(*line.split(": ", 1))
            return "clients" in found and "admin" in found

        wait(addressed, proxy, log)
        wait(lambda: answers(found["admin"].rstrip("/") + "/ready"), proxy, log)
        result["ready"] = (time.monotonic() - began) * 1000
        subprocess.run(runner + ["mount", "eu:/apps", "/mnt/eu", "-o", "create", "--admin", found["admin"]], check=True,
                       stdout=subprocess.DEVNULL)
        time.sleep(2)
        result["idle"] = memory(proxy, "VmRSS")
        subprocess.run(runner + ["bench", "--server", found["clients"], "--clients", "8", "--window", "16", "--local", "100",
                                 "--warmup", "1s", "--duration", "%ds" % seconds],
                       check=True, stdout=subprocess.DEVNULL)
        result["loaded"], result["peak"] = memory(proxy, "VmRSS"), memory(proxy, "VmHWM")
    finally:
        end(proxy)
    return result


def spread(values, digits=0):
    shown = "{:,.%df}" % digits
    return "%s (%s–%s)" % tuple(shown.format(v) for v in (statistics.median(values), min(values), max(values)))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", nargs="?", default=os.path.join(HERE, "../artifacts/release"))
    arguments.add_argument("--rounds", type=int, default=11)
    arguments.add_argument("--seconds", type=int, default=3)
    arguments.add_argument("--image", metavar="NAME")
    given = arguments.parse_args()
    work = tempfile.mkdtemp(prefix="zoonet-forms-")
    servers = []
    try:
        version, forms = install(os.path.abspath(given.folder), work)
        if given.image:
            forms.append(install_image(given.image, work))
        runner = forms[0][1]
        servers = [first_line(runner + ["server", "--listen", "127.0.0.1:0"], work) for _ in range(2)]
        addresses = [open(log).readline().split("listening on ")[1].strip() for _, log in servers]
        print("ZooNet %s, %s, load average %s" % (version, time.strftime("%F %H:%M UTC", time.gmtime()), os.getloadavg()[0]), flush=True)
        seen = {name: [] for name, _, _, _ in forms}
        for round_ in range(given.rounds + 1):
            for i in range(len(forms)):
                name, command, _, _ = forms[(i + round_) % len(forms)]
                result = measure(command, addresses, work, given.seconds, runner)
                # The first round brings the files into the disk cache.
                if round_ > 0:
                    seen[name].append(result)
        print("\n| form | download MB | installed MB | `--version` ms | proxy ready ms | ready ÷ one file | idle MB | loaded MB | peak MB |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        for name, _, download, there in forms:
            rows, first = seen[name], seen[forms[0][0]]
            ratio = [row["ready"] / other["ready"] for row, other in zip(rows, first)]
            print("| %s | %.1f | %.1f | %s | %s | %s | %s |" % (
                name, size(download) / 1e6, size(there) / 1e6, spread([r["version"] for r in rows]), spread([r["ready"] for r in rows]),
                "" if name == forms[0][0] else spread(ratio, 2), " | ".join(spread([r[k] for r in rows], 1) for k in ("idle", "loaded", "peak"))))
        print("\nload average at the end %s" % os.getloadavg()[0])
    finally:
        for process, _ in servers:
            end(process)
        shutil.rmtree(work)
        if os.path.exists(CONTAINER):
            os.remove(CONTAINER)


if __name__ == "__main__":
    main()
