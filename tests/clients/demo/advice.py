#!/usr/bin/python3
"""What the demos' scenario says where they can't run: an engine that is too old, a port in use, no memory.

The engine is one of this program, which answers what Docker's API answers. Prints PASS or FAIL for each; exit code: 0 if nothing failed.
"""
import http.server
import json
import os
import socketserver
import sys
import tempfile
import threading

FOLDER = tempfile.mkdtemp()
os.environ.update(ENGINE_SOCKET=os.path.join(FOLDER, "engine"), REGIONS="us")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../docker/scenario"))
sys.dont_write_bytecode = True
import demo  # noqa: E402  pylint: disable=wrong-import-position

RUNNING = {"Status": "running", "Running": True, "ExitCode": 0, "Error": "", "OOMKilled": False}
failures = 0


class Api(http.server.BaseHTTPRequestHandler):
    version, compose, states = "28.2.2", "2.29.1", {}

    def address_string(self):
        return "engine"

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def do_GET(self):  # pylint: disable=invalid-name
        if self.path == "/version":
            body = {"Version": Api.version}
        elif self.path == "/info":
            body = {"MemTotal": 16 << 30}
        elif self.path.startswith("/containers/json"):
            body = [{"Id": name, "Labels": {"com.docker.compose.service": name}} for name in Api.states]
        else:
            body = {"Config": {"Labels": {"com.docker.compose.project": "z", "com.docker.compose.version": Api.compose}},
                    "State": Api.states.get(self.path.split("/")[2])}
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def expect(name, said, *wanted):
    global failures
    held = len(said) == len(wanted) and all(w in s for w, s in zip(wanted, said))
    failures += 0 if held else 1
    print("%s %s%s" % ("PASS" if held else "FAIL", name, "" if held else ": %r" % said))


def state(**changed):
    return {"us-proxy-1": dict(RUNNING, Running=False, **changed), "us-zk": RUNNING}


def main():
    server = socketserver.ThreadingUnixStreamServer(os.environ["ENGINE_SOCKET"], Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    engine = demo.Engine()
    expect("of versions that are new enough nothing is said", list(engine.too_old()))
    Api.version, Api.compose = "19.03.15", "1.25.0"
    expect("an engine and a Compose that are too old are named, with what is wanted", list(demo.Engine().too_old()),
           "engine 19.03.15 is older than 20.10", "Compose 1.25.0 is older than 1.29")
    Api.states = state(Status="created", ExitCode=128, Error="driver failed programming external connectivity on endpoint us-proxy-1: "
                       "Bind for 127.0.0.1:2281 failed: port is already allocated")
    expect("a port that another container has is named, with the variable that moves it", list(engine.ended()), "port 2281 of this machine is in use")
    Api.states = state(Status="created", ExitCode=128, Error="driver failed programming external connectivity: Error starting userland "
                       "proxy: listen tcp4 127.0.0.1:9181: bind: address already in use")
    expect("and one that another program has", list(engine.ended()), "US_ADMIN_PORT=19181")
    Api.states = state(Status="exited", ExitCode=137, Error="", OOMKilled=True)
    expect("want of memory is told from an end", list(engine.ended()), "us-proxy-1 was ended for want of memory: give the engine more")
    Api.states = state(Status="exited", ExitCode=2, Error="")
    expect("of what ended by itself the logs are named", list(engine.ended()), "docker compose logs us-proxy-1")
    Api.states = {"mount": dict(RUNNING, Running=False, Status="exited"), "us-pg-1": dict(RUNNING, Running=False, Status="created")}
    expect("what is done, and what waits, is nothing wrong", list(engine.ended()))
    server.shutdown()
    os.remove(os.environ["ENGINE_SOCKET"])
    os.rmdir(FOLDER)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
