#!/usr/bin/python3
"""Drives zkCli through every command that it has: run_zkcli.py CONNECT_STRING BASE_PATH [PART_OF_A_NAME]

zkCli is org.apache.zookeeper.ZooKeeperMain from Debian's jars. One interactive session is given its commands
on standard input, a second one makes the changes that the first one watches, and a few commands run alone for
their exit code. Prints "PASS name" or "FAIL name: why"; the exit code is 0, 1 when something failed, 2 when
nothing ran. Everything happens in a folder of its own below the base path, which must exist.
"""
import re
import subprocess
import sys
import threading
import time
import uuid

ZKCLI = ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
         "-cp", "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar",
         "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "org.apache.zookeeper.ZooKeeperMain"]
SECONDS = 30


class Session:
    """An interactive zkCli. run() returns what a command printed."""

    def __init__(self, servers):
        self._process = subprocess.Popen(ZKCLI + ["-server", servers], stdin=subprocess.PIPE, bufsize=0,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._printed = ""
        self._changed = threading.Condition()
        self._count = 0
        threading.Thread(target=self._read, daemon=True).start()
        self.wait_for("state:SyncConnected", 0)

    def _read(self):
        while True:
            piece = self._process.stdout.read(65536)
            with self._changed:
                self._printed += piece.decode("utf-8", "replace")
                self._changed.notify_all()
            if not piece:
                return

    def run(self, command):
        """The command's output. A command that does not exist marks its end: it is answered without a server."""
        start = len(self._printed)
        self._count += 1
        end = "Command not found: Command not found end-%d" % self._count
        self._process.stdin.write(("%s\nend-%d\n" % (command, self._count)).encode("utf-8"))
        text = self.wait_for(re.escape(end), start)
        return text.split("ZooKeeper -server host:port -client-configuration")[0].strip()

    def wait_for(self, pattern, start):
        """What was printed since the position start, once it matches the pattern."""
        deadline = time.monotonic() + SECONDS
        with self._changed:
            while not re.search(pattern, self._printed[start:]):
                if not self._changed.wait(deadline - time.monotonic()):
                    raise AssertionError("no %r in %d s, but %r" % (pattern, SECONDS, self._printed[start:][-500:]))
            return self._printed[start:]

    def position(self):
        return len(self._printed)

    def quit(self):
        """Ends zkCli as a user does and returns its exit code, which is that of the last command before."""
        self._process.stdin.write(b"version\nquit\n")
        return self._process.wait(SECONDS)

    def kill(self):
        self._process.kill()
        self._process.wait()


def run_alone(servers, *command):
    """The exit code and the output of a zkCli that runs one command."""
    done = subprocess.run(ZKCLI + ["-server", servers] + list(command), stdin=subprocess.DEVNULL, timeout=SECONDS,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def has(text, *patterns):
    for pattern in patterns:
        if not re.search(pattern, text, re.MULTILINE):
            raise AssertionError("no %r in %r" % (pattern, text))


def has_not(text, *patterns):
    for pattern in patterns:
        if re.search(pattern, text, re.MULTILINE):
            raise AssertionError("%r in %r" % (pattern, text))


class Checks:
    """Every method named check_... is one; they run in the order they are written in."""

    def __init__(self, servers, base):
        self.servers = servers
        self.root = base.rstrip("/") + "/zkcli-" + uuid.uuid4().hex
        self.cli = Session(servers)
        self.other = Session(servers)
        has(self.cli.run("create %s root" % self.root), "^Created " + self.root + "$")

    def close(self):
        self.cli.run("deleteall " + self.root)
        self.cli.kill()
        self.other.kill()

    def check_create_of_every_kind(self):
        has(self.cli.run("create %s/plain hello" % self.root), "^Created %s/plain$" % self.root)
        has(self.cli.run("create -s %s/seq x" % self.root), r"^Created %s/seq0000000001$" % self.root)
        has(self.cli.run("create -e %s/eph x" % self.root), "^Created %s/eph$" % self.root)
        has(self.cli.run("create -e -s %s/both x" % self.root), r"^Created %s/both0000000003$" % self.root)
        has(self.cli.run("create -c %s/container" % self.root), "^Created %s/container$" % self.root)
        # A server without extendedTypesEnabled answers Unimplemented, and must do so in a mount too.
        has(self.cli.run("create -t 100000 %s/ttl x" % self.root), "^Created %s/ttl$|Unimplemented" % self.root)
        has(self.cli.run("create %s/plain again" % self.root), "^Node already exists: %s/plain$" % self.root)
        has(self.cli.run("create %s/none/below x" % self.root), "^Node does not exist: %s/none/below$" % self.root)
        has(self.cli.run("create %s/eph/below x" % self.root), "Ephemerals cannot have children: %s/eph/below" % self.root)

    def check_get_set_and_stat(self):
        has(self.cli.run("get %s/plain" % self.root), "^hello$")
        has(self.cli.run("get -s %s/plain" % self.root), "^hello$", "^dataVersion = 0$", "^dataLength = 5$")
        has(self.cli.run("get -b %s/plain" % self.root), "Unrecognized option: -b|68656c6c6f")
        has(self.cli.run("set %s/plain world" % self.root), "^$")
        has(self.cli.run("set -s -v 1 %s/plain again" % self.root), "^dataVersion = 2$")
        has(self.cli.run("set -v 1 %s/plain stale" % self.root), "version No is not valid : %s/plain" % self.root)
        has(self.cli.run("get %s/plain" % self.root), "^again$")
        has(self.cli.run("stat %s/plain" % self.root), "^dataVersion = 2$", "^ephemeralOwner = 0x0$")
        has_not(self.cli.run("stat %s/eph" % self.root), "^ephemeralOwner = 0x0$")
        has(self.cli.run("get %s/none" % self.root), "^Node does not exist: %s/none$" % self.root)

    def check_ls(self):
        has(self.cli.run("ls %s" % self.root), r"^\[.*\bplain\b.*\]$", r"^\[.*\bseq0000000001\b.*\]$")
        has(self.cli.run("ls -s %s" % self.root), r"^\[.*\beph\b.*\]", "^numChildren = [56]$")
        has(self.cli.run("create %s/plain/deep x" % self.root), "^Created")
        has(self.cli.run("ls -R %s" % self.root), "^%s$" % self.root, "^%s/plain$" % self.root,
            "^%s/plain/deep$" % self.root)
        # What proxies keep is in nobody's way. (Of "/" the command ends at the first znode that it may not read.)
        walk = self.cli.run("ls -R /zookeeper")
        has(walk, "^/zookeeper/config$", "^/zookeeper/quota$")
        has_not(walk, "Insufficient")
        has(self.cli.run("ls %s/none" % self.root), "^Node does not exist: %s/none$" % self.root)
        has(self.cli.run("ls /"), r"\[.*\bzookeeper\b.*\]")

    def check_counts(self):
        has(self.cli.run("getAllChildrenNumber %s" % self.root), "^[67]$")
        has(self.cli.run("getEphemerals %s" % self.root), r"%s/both0000000003" % self.root, "%s/eph" % self.root)
        has(self.cli.run("getEphemerals"), "%s/eph" % self.root)

    def check_watches_by_flag(self):
        for command, change, event in (
                ("get -w %s/watched", "set %s/watched 1", "type:NodeDataChanged path:%s/watched"),
                ("stat -w %s/watched", "set %s/watched 2", "type:NodeDataChanged path:%s/watched"),
                ("ls -w %s/watched", "create %s/watched/child x", "type:NodeChildrenChanged path:%s/watched"),
                ("get -w %s/watched/child", "delete %s/watched/child", "type:NodeDeleted path:%s/watched/child")):
            if command.startswith("get -w %s/watched") and "child" not in command:
                self.cli.run("create %s/watched 0" % self.root)
                self.other.run("sync %s" % self.root)
            self.cli.run("sync %s" % self.root)
            start = self.cli.position()
            has_not(self.cli.run(command % self.root), "does not exist")
            has_not(self.other.run(change % self.root), "does not exist|not valid")
            self.cli.wait_for(event % self.root, start)

    def check_add_watch_and_remove_watches(self):
        start = self.cli.position()
        self.cli.run("addWatch %s/watched" % self.root)
        self.other.run("create %s/watched/a x" % self.root)
        self.other.run("create %s/watched/a/b x" % self.root)
        self.other.run("set %s/watched/a/b y" % self.root)
        self.cli.wait_for("type:NodeCreated path:%s/watched/a$(?s:.*)type:NodeCreated path:%s/watched/a/b$(?s:.*)"
                          "type:NodeDataChanged path:%s/watched/a/b$".replace("$", r"\s") %
                          (self.root, self.root, self.root), start)
        self.cli.run("removewatches %s/watched" % self.root)
        self.cli.wait_for("type:PersistentWatchRemoved path:%s/watched" % self.root, start)
        has(self.cli.run("removewatches %s/plain" % self.root), "No watcher|not a valid watcher|No such watch")
        start = self.cli.position()
        self.cli.run("addWatch -m PERSISTENT %s/watched" % self.root)
        self.other.run("create %s/watched/c x" % self.root)
        self.cli.wait_for("type:NodeChildrenChanged path:%s/watched" % self.root, start)
        self.cli.run("removewatches -a %s/watched" % self.root)

    def check_printwatches(self):
        has(self.cli.run("printwatches"), "^printwatches is on$")
        self.cli.run("printwatches off")
        has(self.cli.run("printwatches"), "^printwatches is off$")
        self.cli.run("printwatches on")

    def check_acls(self):
        has(self.cli.run("create %s/acl secret" % self.root), "^Created")
        has(self.cli.run("getAcl %s/acl" % self.root), "^'world,'anyone$", "^: cdrwa$")
        self.cli.run("addauth digest user:password")
        has(self.cli.run("whoami"), "^digest: user$", "^ip: ")
        has(self.cli.run("setAcl -s %s/acl auth:user:password:cdrwa" % self.root), "^aclVersion = 1$")
        has(self.cli.run("getAcl -s %s/acl" % self.root), "^'digest,'user:", "^: cdrwa$", "^aclVersion = 1$")
        has(self.cli.run("get %s/acl" % self.root), "^secret$")
        self.other.run("sync %s" % self.root)
        has(self.other.run("get %s/acl" % self.root), "Insufficient permission : %s/acl" % self.root)
        has(self.other.run("set %s/acl x" % self.root), "Insufficient permission : %s/acl" % self.root)
        has(self.cli.run("setAcl -v 9 %s/acl world:anyone:r" % self.root), "version No is not valid")

    def check_quota(self):
        # A quota's znodes live below /zookeeper/quota, which is home's: what is checked is that the limit is kept.
        has(self.cli.run("create %s/quota x" % self.root), "^Created")
        has_not(self.cli.run("setquota -n 5 %s/quota" % self.root), "does not exist|Exception")
        has(self.cli.run("listquota %s/quota" % self.root), "Output quota for %s/quota count=5" % self.root)
        has_not(self.cli.run("delquota -n %s/quota" % self.root), "does not exist|Exception")
        has_not(self.cli.run("delquota %s/quota" % self.root), "Exception")

    def check_sync(self):
        has(self.cli.run("sync %s" % self.root), "^Sync is OK$")

    def check_delete_and_deleteall(self):
        has(self.cli.run("delete %s/watched" % self.root), "^Node not empty: %s/watched$" % self.root)
        has(self.cli.run("delete -v 7 %s/plain/deep" % self.root), "version No is not valid")
        has(self.cli.run("delete -v 0 %s/plain/deep" % self.root), "^$")
        has(self.cli.run("deleteall %s/watched" % self.root), "^$")
        has(self.cli.run("stat %s/watched" % self.root), "Node does not exist: %s/watched" % self.root)
        self.cli.run("create %s/many" % self.root)
        for i in range(7):
            self.cli.run("create %s/many/%d" % (self.root, i))
        has_not(self.cli.run("deleteall %s/many -b 3" % self.root), "Failed|Exception")
        has(self.cli.run("stat %s/many" % self.root), "Node does not exist: %s/many" % self.root)

    def check_history_redo_and_version(self):
        self.cli.run("get %s/plain" % self.root)
        history = self.cli.run("history")
        has(history, r"^\d+ - get %s/plain$" % self.root)
        number = re.search(r"^(\d+) - get ", history, re.MULTILINE).group(1)
        has(self.cli.run("redo " + number), "^again$")
        has(self.cli.run("version"), "^ZooKeeper CLI version: ")

    def check_config_and_reconfig(self):
        has_not(self.cli.run("config"), "KeeperErrorCode|does not exist|Exception|Insufficient")
        # Nobody here may reconfigure; where it is switched off, that is said instead.
        has(self.cli.run("reconfig -remove 99"), "Insufficient permission|Reconfig is disabled|reconfig is disabled")

    def check_close_and_connect(self):
        start = self.cli.position()
        self.cli.run("close")
        has(self.cli.run("ls %s" % self.root), "Not connected")
        self.cli.run("connect " + self.servers)
        self.cli.wait_for("state:SyncConnected", start)
        self.cli.run("sync %s" % self.root)
        has(self.cli.run("stat %s/eph" % self.root), "Node does not exist: %s/eph" % self.root)
        has(self.cli.run("get %s/plain" % self.root), "^again$")

    def check_exit_codes_of_single_commands(self):
        for expected, command, pattern in (
                (0, ("get", self.root), "^root$"),
                (0, ("ls", self.root), r"^\[.*plain.*\]$"),
                (0, ("create", "-e", self.root + "/mine", "x"), "^Created %s/mine$" % self.root),
                (1, ("get", self.root + "/none"), "Node does not exist: %s/none" % self.root),
                (1, ("delete", self.root), "Node not empty: %s" % self.root)):
            code, printed = run_alone(self.servers, *command)
            has(printed, pattern)
            if code != expected:
                raise AssertionError("%s: exit code %d instead of %d" % (" ".join(command), code, expected))

    def check_quit(self):
        code = self.other.quit()
        if code != 0:
            raise AssertionError("exit code %d" % code)


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    part = sys.argv[3] if len(sys.argv) > 3 else ""
    checks = Checks(sys.argv[1], sys.argv[2])
    names = [name for name in vars(Checks) if name.startswith("check_") and part in name]
    failed = 0
    try:
        for name in names:
            started = time.monotonic()
            try:
                getattr(checks, name)()
                outcome = "PASS " + name[6:]
            except Exception as e:  # Whatever it is, it is this check's failure and the others still run.
                failed += 1
                outcome = "FAIL %s: %s" % (name[6:], e)
            print("%s (%d ms)" % (outcome, 1000 * (time.monotonic() - started)), flush=True)
    finally:
        checks.close()
    print("%d passed, %d failed" % (len(names) - failed, failed))
    return 2 if not names else 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
