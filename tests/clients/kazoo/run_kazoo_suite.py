#!/usr/bin/python3
"""Runs kazoo's own test suite against servers that it does not manage.

    run_kazoo_suite.py --hosts 127.0.0.1:2181 [--chroot-prefix /mnt/eu] [--results FILE] [--junit FILE]
                       [--jobs N] [--rerun N] [-k EXPRESSION]
                       [--tls-authority PEM [--tls-certificate PEM --tls-key PEM]]

The suite is the one that Debian's python3-kazoo ships (kazoo.tests), unchanged, run by Debian's
python3-pytest. kazoo's harness starts and stops a cluster of its own; here it is given one with fixed
addresses instead, and each test's chroot is put below --chroot-prefix. The tests in EXCLUDED need what
fixed addresses cannot give and are left out; each says why.

The results, one line per test in the order of their ids: "outcome<TAB>id", outcome one of passed, failed,
skipped, error. compare_results.py compares two such files. The exit code is 0 when nothing failed, 1 when
something did, 2 when no test ran.
"""
import argparse
import fnmatch
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import unittest.mock
import uuid
import xml.etree.ElementTree as xml

MANAGES_SERVERS = "stops and restarts the servers of its cluster, and these are not ours to stop"
SASL = "needs servers that were started with a JAAS configuration, which kazoo's harness changes per class"

# Patterns of test ids. The client's tests are there once per handler: threads, gevent, eventlet.
EXCLUDED = {
    "*::test_update_host_list": MANAGES_SERVERS,
    "*::test_request_queuing_session_recovered": MANAGES_SERVERS,
    "*::test_request_queuing_session_expired": MANAGES_SERVERS,
    "test_connection.py::TestReadOnlyMode::test_read_only": MANAGES_SERVERS,
    "test_sasl.py::*": SASL,
}

MOST_FAILED_TO_RUN_AGAIN = 5

# The classes that wait longest go first: they bound the time of the whole run.
SLOWEST = ("KazooPartitionerTests", "KazooChildrenWatcherTests")


def short_id(nodeid):
    """test_x.py::Class::test, wherever the suite is installed."""
    file, separator, rest = nodeid.partition("::")
    return os.path.basename(file) + separator + rest


def is_excluded(test):
    return any(fnmatch.fnmatchcase(test, pattern) for pattern in EXCLUDED)


def speak_tls(options):
    """Lets every client of kazoo's connect by TLS, and show a certificate, if the options say so."""
    if not options.tls_authority:
        return
    from kazoo.client import KazooClient

    plain = KazooClient.__init__

    def with_tls(client, *args, **kwargs):
        kwargs.update(use_ssl=True, ca=options.tls_authority, certfile=options.tls_certificate, keyfile=options.tls_key)
        plain(client, *args, **kwargs)

    KazooClient.__init__ = with_tls


class FixedServer:
    """Stands in for kazoo's ManagedZooKeeper: an address, and nothing that can be managed."""

    running = True

    def __init__(self, address):
        self.address = address

    def _refuse(self):
        raise AssertionError("this run has fixed addresses: a test that manages servers must be in EXCLUDED")

    run = stop = destroy = reset = _refuse


class FixedCluster:
    """Stands in for kazoo's ZookeeperCluster."""

    def __init__(self, hosts):
        self._servers = [FixedServer(address) for address in hosts.split(",")]

    def __getitem__(self, index):
        return self._servers[index]

    def __iter__(self):
        return iter(self._servers)

    def _refuse(self):
        raise AssertionError("this run has fixed addresses: a test that manages servers must be in EXCLUDED")

    start = run = stop = terminate = reset = _refuse


class Worker:
    """The pytest plugin: installs the fixed cluster, leaves tests out, reports each test as a JSON line."""

    def __init__(self, hosts, prefix, report):
        self._hosts = hosts
        self._prefix = prefix.rstrip("/")
        self._report = report
        self._outcomes = {}

    def pytest_configure(self):
        # The suite imports mock, which has been part of Python since 3.3 and which Debian packages apart.
        sys.modules.setdefault("mock", unittest.mock)
        from kazoo.testing import harness

        cluster = FixedCluster(self._hosts)
        prefix = self._prefix

        def setup_zookeeper(test, **client_options):
            test.hosts = "%s%s/kazootests%s" % (test.servers, prefix, uuid.uuid4().hex)
            test.client = test._get_client(**client_options)
            test.client.start()
            test.client.ensure_path("/")

        harness.get_global_cluster = lambda: cluster
        harness.KazooTestHarness.setup_zookeeper = setup_zookeeper

    def pytest_collection_modifyitems(self, config, items):
        left_out = [item for item in items if is_excluded(short_id(item.nodeid))]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if not is_excluded(short_id(item.nodeid))]

    def pytest_collection_finish(self, session):
        if session.config.option.collectonly:
            for item in session.items:
                self._write(id=short_id(item.nodeid))

    def pytest_runtest_logreport(self, report):
        test = short_id(report.nodeid)
        entry = self._outcomes.setdefault(test, {"outcome": "passed", "seconds": 0.0, "why": ""})
        entry["seconds"] += report.duration
        if report.outcome != "passed" and entry["outcome"] == "passed":
            failed_aside = report.outcome == "failed" and report.when != "call"
            entry["outcome"] = "error" if failed_aside else report.outcome
            entry["why"] = report.longreprtext if report.failed else str(report.longrepr[-1])
        if report.when == "teardown":
            self._write(id=test, **self._outcomes.pop(test))

    def _write(self, **entry):
        self._report.write(json.dumps(entry) + "\n")
        self._report.flush()


def work(options):
    """One pytest run in this process: of the given ids, or of the whole suite with -k."""
    import kazoo.tests
    import pytest

    speak_tls(options)
    root = os.path.dirname(kazoo.tests.__file__)
    arguments = ["-q", "-p", "no:cacheprovider", "--rootdir", root, "-c", os.devnull]
    if options.collect_only:
        arguments.append("--collect-only")
    if options.k:
        arguments += ["-k", options.k]
    arguments += [os.path.join(root, test) for test in options.ids] or [root]
    with open(options.worker, "w") as report:
        return pytest.main(arguments, plugins=[Worker(options.hosts, options.chroot_prefix, report)])


def run_worker(options, folder, name, extra):
    """
    Starts a worker process and returns what it reported, its exit code and its output. A process that reports nothing for
    options.timeout seconds is ended; its exit code is None.
    """
    report = os.path.join(folder, name)
    command = [sys.executable, os.path.abspath(__file__), "--worker", report, "--hosts", options.hosts,
               "--chroot-prefix", options.chroot_prefix] + extra
    for name in ("tls_authority", "tls_certificate", "tls_key"):
        if getattr(options, name):
            command[2:2] = ["--" + name.replace("_", "-"), getattr(options, name)]
    # No bytecode: the suite lies in /usr/lib, which is not ours to write to.
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        worker = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, cwd=folder, stderr=subprocess.STDOUT, env=environment)
        reported, heard = 0, time.monotonic()
        code = None
        while code is None:
            try:
                code = worker.wait(timeout=1)
            except subprocess.TimeoutExpired:
                size = os.path.getsize(report) if os.path.exists(report) else 0
                if size > reported:
                    reported, heard = size, time.monotonic()
                elif time.monotonic() - heard > options.timeout:
                    worker.kill()
                    worker.wait()
                    break
        log.seek(0)
        output = log.read()
    entries = []
    if os.path.exists(report):
        with open(report) as f:
            entries = [json.loads(line) for line in f]
    return entries, code, output


def ensure_prefix(options):
    """A client's chroot must lie in a folder that exists. A mount's root does; elsewhere it is made here."""
    from kazoo.client import KazooClient

    speak_tls(options)
    client = KazooClient(options.hosts)
    client.start(timeout=30)
    try:
        client.ensure_path(options.chroot_prefix)
    finally:
        client.stop()
        client.close()


def collect(options, folder):
    extra = ["--collect-only"] + (["-k", options.k] if options.k else [])
    entries, code, output = run_worker(options, folder, "collected", extra)
    if code not in (0, 5):
        sys.exit("kazoo's suite could not be collected:\n" + output)
    return entries


def run_groups(options, folder, tests):
    """Runs the tests one process per class, options.jobs at a time."""
    groups = {}
    for test in tests:
        groups.setdefault(test["id"].rsplit("::", 1)[0], []).append(test)
    waiting = queue.Queue()
    for group in sorted(groups.items(), key=lambda g: (not g[0].endswith(SLOWEST), -len(g[1]))):
        waiting.put(group)
    results, lock = [], threading.Lock()

    def drain():
        while True:
            try:
                name, members = waiting.get_nowait()
            except queue.Empty:
                return
            started = time.monotonic()
            found = []
            rest = members
            while rest:
                file = "%s-%d" % (name.replace("::", "-"), len(rest))
                entries, code, output = run_worker(options, folder, file, [m["id"] for m in rest])
                found.extend(entries)
                reported = {e["id"] for e in entries}
                rest = [m for m in rest if m["id"] not in reported]
                # A test that took its whole process down, or hung in it, has reported nothing. They run in this order: the
                # first of them is the one that hung, and the others have not been run.
                hung = code is None
                why = "it did not end in %d s" % options.timeout if hung else "exit code %s" % code
                failed = rest[:1] if hung else rest
                found.extend({"id": m["id"], "outcome": "error", "seconds": 0.0, "why": why + "\n" + output[-4000:]} for m in failed)
                rest = rest[len(failed):]
            with lock:
                results.extend(found)
                print("%5.1f s  %-60s %d tests" % (time.monotonic() - started, name, len(members)), flush=True)

    threads = [threading.Thread(target=drain) for _ in range(options.jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(results, key=lambda r: r["id"])


def run_again(options, folder, results):
    """
    Runs each failed test again, by itself. A few of the suite's tests race with their own client's threads: on a busy
    machine test_connection_dropped, for one, may get the reply before it has dropped the connection; and test_lock waits for
    ever where the next contender has the lock before the test has seen that the one before gave it up. When more than a
    few have failed that is not the reason, and all of it stands. Every second run is printed.
    """
    failed = [r for r in results if r["outcome"] in ("failed", "error")]
    if len(failed) > MOST_FAILED_TO_RUN_AGAIN:
        return
    for result in failed:
        for attempt in range(1, options.rerun + 1):
            entries, _, _ = run_worker(options, folder, "again", [result["id"]])
            outcome = entries[0]["outcome"] if entries else "error"
            print("run again, %s the first time, %s now: %s" % (result["outcome"], outcome, result["id"]), flush=True)
            if outcome == "passed":
                result.update(entries[0])
                break


def write_junit(path, results):
    suite = xml.Element("testsuite", name="kazoo", tests=str(len(results)))
    for result in results:
        name, test = result["id"].rsplit("::", 1)
        case = xml.SubElement(suite, "testcase", classname=name, name=test, time="%.3f" % result["seconds"])
        if result["outcome"] != "passed":
            kind = {"failed": "failure", "error": "error", "skipped": "skipped"}[result["outcome"]]
            xml.SubElement(case, kind).text = result["why"]
    xml.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", help="host:port,host:port of running servers or proxies")
    parser.add_argument("--chroot-prefix", default="/", help="put every test's chroot below this path (default /)")
    parser.add_argument("--results", help="write the outcome of every test to this file")
    parser.add_argument("--junit", help="write a JUnit report to this file")
    parser.add_argument("--jobs", type=int, default=4, help="processes at a time (default 4; most of them wait)")
    parser.add_argument("--timeout", type=int, default=120, help="seconds that one test may take")
    parser.add_argument("--rerun", type=int, default=2, help="how often a failed test is run again (default 2)")
    parser.add_argument("--list-excluded", action="store_true", help="print what is left out and why")
    parser.add_argument("-k", help="run only the tests that match, as pytest's -k")
    parser.add_argument("--tls-authority", help="connect by TLS; a PEM file with those who sign the servers' certificates")
    parser.add_argument("--tls-certificate", help="the PEM file of the certificate to show, with its chain")
    parser.add_argument("--tls-key", help="the PEM file of its key")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--collect-only", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("ids", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()

    if options.list_excluded:
        for test, why in EXCLUDED.items():
            print("%s\n    %s" % (test, why))
        return 0
    if not options.hosts:
        parser.error("--hosts is required")
    if options.worker:
        return work(options)

    for name in ("tls_authority", "tls_certificate", "tls_key"):
        if getattr(options, name):
            # The workers run in folders of their own.
            setattr(options, name, os.path.abspath(getattr(options, name)))
    started = time.monotonic()
    ensure_prefix(options)
    with tempfile.TemporaryDirectory(prefix="zoonet-kazoo-") as folder:
        results = run_groups(options, folder, collect(options, folder))
        run_again(options, folder, results)

    for result in results:
        if result["outcome"] in ("failed", "error"):
            print("\n==== %s %s\n%s" % (result["outcome"], result["id"], result["why"]))
    if options.results:
        with open(options.results, "w") as f:
            f.writelines("%s\t%s\n" % (r["outcome"], r["id"]) for r in results)
    if options.junit:
        write_junit(options.junit, results)
    count = {o: sum(r["outcome"] == o for r in results) for o in ("passed", "failed", "error", "skipped")}
    print("\n%d passed, %d failed, %d errors, %d skipped in %.0f s" % (
        count["passed"], count["failed"], count["error"], count["skipped"], time.monotonic() - started))
    return 2 if not results else 1 if count["failed"] + count["error"] else 0


if __name__ == "__main__":
    sys.exit(main())
