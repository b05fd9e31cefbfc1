import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AsyncCallback;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZKUtil;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** ZooKeeper's Java client itself. Arguments: connect string, base path, [part of a check's name]. */
public final class JavaClient {
    private final String servers;
    private final String root;
    private final ZooKeeper client;

    private JavaClient(String servers, String root, ZooKeeper client) {
        this.servers = servers;
        this.root = root;
        this.client = client;
    }

    public static void main(String[] arguments) throws Exception {
        String base = arguments[1].equals("/") ? "" : arguments[1];
        String root = base + "/java-" + UUID.randomUUID();
        Suite suite = new Suite(arguments.length > 2 ? arguments[2] : "");
        ZooKeeper client = Sessions.connect(arguments[0]);
        Sessions.ensure(client, root);

        new JavaClient(arguments[0], root, client).addTo(suite);
        new JavaWatches(arguments[0], root, base.isEmpty()).addTo(suite);

        ZKUtil.deleteRecursive(client, root);
        client.close();
        System.exit(suite.finish());
    }

    private void addTo(Suite suite) throws InterruptedException {
        suite.check("nodes_of_every_kind_are_made_and_read", this::nodesOfEveryKind);
        suite.check("data_is_kept_byte_by_byte", this::dataIsKept);
        suite.check("errors_are_the_servers_own", this::errors);
        suite.check("multi_is_all_or_nothing", this::multi);
        suite.check("multi_read_gives_each_its_own_result", this::multiRead);
        suite.check("asynchronous_replies_come_in_order", this::asynchronousOrder);
        suite.check("acls_keep_strangers_out", this::acls);
        suite.check("subtrees_and_ephemerals_are_counted", this::counts);
        suite.check("ephemerals_go_when_the_session_closes", this::ephemeralsGo);
        suite.check("an_ended_session_is_told_that_it_expired", this::expiry);
        suite.check("a_chroot_below_the_base_path_works", this::chroot);
        suite.check("a_client_that_allows_read_only_servers_works", this::readOnlyAllowed);
    }

    private String create(String path, CreateMode mode) throws Exception {
        return client.create(path, "x".getBytes(UTF_8), ZooDefs.Ids.OPEN_ACL_UNSAFE, mode);
    }

    private void nodesOfEveryKind() throws Exception {
        String folder = create(root + "/kinds", CreateMode.PERSISTENT);
        Suite.equal(folder + "/s-0000000000", create(folder + "/s-", CreateMode.PERSISTENT_SEQUENTIAL), "sequential");
        Suite.equal(folder + "/e", create(folder + "/e", CreateMode.EPHEMERAL), "ephemeral");
        Suite.equal(folder + "/e-0000000002", create(folder + "/e-", CreateMode.EPHEMERAL_SEQUENTIAL), "both");
        Suite.equal(folder + "/c", create(folder + "/c", CreateMode.CONTAINER), "container");
        Suite.equal(Set.of("s-0000000000", "e", "e-0000000002", "c"),
                new TreeSet<>(client.getChildren(folder, false)), "children");
        Stat stat = new Stat();
        client.create(folder + "/stat", "data".getBytes(UTF_8), ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL, stat);
        Suite.equal(stat, client.exists(folder + "/stat", false), "the stat in the create's reply");
        Suite.equal(client.getSessionId(), stat.getEphemeralOwner(), "the owner");
        Stat parent = new Stat();
        Suite.equal(5, client.getChildren(folder, false, parent).size(), "children");
        Suite.equal(5, parent.getNumChildren(), "their number in the stat");
        Suite.equal(stat.getCzxid(), parent.getPzxid(), "the last change of the children");
        client.delete(folder + "/stat", 0);
        Suite.that(client.exists(folder + "/stat", false) == null, "deleted");
    }

    private void dataIsKept() throws Exception {
        String path = create(root + "/data", CreateMode.PERSISTENT);
        byte[] every = new byte[1_000_000];
        for (int i = 0; i < every.length; i++) {
            every[i] = (byte) i;
        }
        for (byte[] data : new byte[][] {{}, {0}, "\u00e4\u4e2d".getBytes(UTF_8), every}) {
            Stat set = client.setData(path, data, -1);
            Stat read = new Stat();
            Suite.that(java.util.Arrays.equals(data, client.getData(path, false, read)), data.length + " bytes");
            Suite.equal(set, read, "the stat");
        }
        client.setData(path, null, -1);
        Suite.that(client.getData(path, false, null) == null, "null is not the same as empty");
        String unicode = root + "/\u00e4\u4e2d-\u20ac x";
        Suite.equal(unicode, create(unicode, CreateMode.PERSISTENT), "a name beyond ASCII");
    }

    private void errors() throws Exception {
        String path = create(root + "/errors", CreateMode.PERSISTENT);
        create(path + "/child", CreateMode.EPHEMERAL);
        fails(Code.NONODE, () -> client.getData(path + "/none", false, null));
        fails(Code.NONODE, () -> create(path + "/none/below", CreateMode.PERSISTENT));
        fails(Code.NODEEXISTS, () -> create(path, CreateMode.PERSISTENT));
        fails(Code.NOTEMPTY, () -> client.delete(path, -1));
        fails(Code.BADVERSION, () -> client.setData(path, new byte[0], 7));
        fails(Code.NOCHILDRENFOREPHEMERALS, () -> create(path + "/child/x", CreateMode.PERSISTENT));
        fails(Code.INVALIDACL, () -> client.create(path + "/acl", null, Collections.emptyList(), CreateMode.PERSISTENT));
        fails(Code.NOWATCHER, () -> client.removeAllWatches(path, Watcher.WatcherType.Any, false));
        Suite.that(client.exists(path + "/none", false) == null, "what does not exist has no stat");
    }

    static void fails(Code expected, Suite.Check body) throws Exception {
        try {
            body.run();
        } catch (KeeperException e) {
            Suite.equal(expected, e.code(), "the error");
            return;
        }
        throw new AssertionError(expected + " expected, but it succeeded");
    }

    private void multi() throws Exception {
        String path = root + "/multi";
        List<OpResult> results = client.multi(List.of(
                Op.create(path, new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.create(path + "/s-", new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL),
                Op.setData(path, new byte[] {1}, 0),
                Op.check(path, 1),
                Op.delete(path + "/s-0000000000", -1)));
        Suite.equal(5, results.size(), "results");
        Suite.equal(path, ((OpResult.CreateResult) results.get(0)).getPath(), "the created path");
        Suite.equal(path + "/s-0000000000", ((OpResult.CreateResult) results.get(1)).getPath(), "the sequential path");
        Suite.equal(1, ((OpResult.SetDataResult) results.get(2)).getStat().getVersion(), "the new version");
        try {
            client.multi(List.of(Op.setData(path, new byte[] {2}, -1), Op.check(path + "/none", 0), Op.delete(path, -1)));
            throw new AssertionError("the multi went through");
        } catch (KeeperException.NoNodeException e) {
            List<Integer> codes = new ArrayList<>();
            for (OpResult result : e.getResults()) {
                codes.add(((OpResult.ErrorResult) result).getErr());
            }
            Suite.equal(List.of(0, Code.NONODE.intValue(), Code.RUNTIMEINCONSISTENCY.intValue()), codes, "the codes");
        }
        Suite.equal(1, client.exists(path, false).getVersion(), "nothing of it was done: version");
    }

    private void multiRead() throws Exception {
        String path = create(root + "/multi-read", CreateMode.PERSISTENT);
        create(path + "/child", CreateMode.PERSISTENT);
        List<OpResult> results = client.multi(
                List.of(Op.getData(path + "/child"), Op.getData(path + "/none"), Op.getChildren(path)));
        Suite.equal("x", new String(((OpResult.GetDataResult) results.get(0)).getData(), UTF_8), "data");
        Suite.equal(Code.NONODE.intValue(), ((OpResult.ErrorResult) results.get(1)).getErr(), "the second's error");
        Suite.equal(List.of("child"), ((OpResult.GetChildrenResult) results.get(2)).getChildren(), "children");
    }

    private void asynchronousOrder() throws Exception {
        String path = create(root + "/order", CreateMode.PERSISTENT);
        int count = 1000;
        List<Integer> order = Collections.synchronizedList(new ArrayList<>());
        List<String> wrong = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch done = new CountDownLatch(count);
        AsyncCallback.StatCallback written = (code, p, context, stat) -> {
            int number = (Integer) context;
            if (code != 0 || stat.getVersion() != number / 2 + 1) {
                wrong.add("write " + number + ": code " + code);
            }
            order.add(number);
            done.countDown();
        };
        AsyncCallback.DataCallback read = (code, p, context, data, stat) -> {
            int number = (Integer) context;
            if (code != 0 || !new String(data, UTF_8).equals("v" + (number - 1))) {
                wrong.add("read " + number + ": code " + code);
            }
            order.add(number);
            done.countDown();
        };
        List<Integer> expected = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            if (i % 2 == 0) {
                client.setData(path, ("v" + i).getBytes(UTF_8), -1, written, i);
            } else {
                client.getData(path, false, read, i);
            }
            expected.add(i);
        }
        Suite.that(done.await(40, TimeUnit.SECONDS), "all replies within 40 s, missing " + done.getCount());
        Suite.equal(expected, order, "the order of the replies");
        Suite.equal(List.of(), wrong, "replies that do not show the session's own last write");
    }

    private void acls() throws Exception {
        ZooKeeper owner = Sessions.connect(servers);
        owner.addAuthInfo("digest", "owner:secret".getBytes(UTF_8));
        String path = root + "/acl";
        owner.create(path, "x".getBytes(UTF_8), ZooDefs.Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        Suite.equal("digest", owner.getACL(path, null).get(0).getId().getScheme(), "the scheme");
        Sessions.sync(client, root);
        fails(Code.NOAUTH, () -> client.getData(path, false, null));
        fails(Code.NOAUTH, () -> client.setData(path, new byte[0], -1));
        Suite.equal("x", new String(owner.getData(path, false, null), UTF_8), "the owner reads");
        Stat stat = owner.setACL(path, ZooDefs.Ids.READ_ACL_UNSAFE, 0);
        Suite.equal(1, stat.getAversion(), "the ACL's version");
        Sessions.sync(client, path);
        Suite.equal("x", new String(client.getData(path, false, null), UTF_8), "now anyone reads");
        fails(Code.NOAUTH, () -> client.setData(path, new byte[0], -1));
        owner.close();
    }

    private void counts() throws Exception {
        String path = create(root + "/counts", CreateMode.PERSISTENT);
        create(path + "/a", CreateMode.PERSISTENT);
        create(path + "/a/b", CreateMode.PERSISTENT);
        create(path + "/a/e", CreateMode.EPHEMERAL);
        Suite.equal(3, client.getAllChildrenNumber(path), "all children");
        Suite.equal(List.of(path + "/a/e"), client.getEphemerals(path), "ephemerals");
        Suite.that(client.getEphemerals().contains(path + "/a/e"), "all ephemerals have it too");
        Suite.that(!client.whoAmI().isEmpty(), "the client is somebody");
    }

    private void ephemeralsGo() throws Exception {
        ZooKeeper owner = Sessions.connect(servers);
        String path = root + "/ephemeral";
        owner.create(path, new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        Sessions.sync(client, root);
        CompletableFuture<Watcher.Event.EventType> event = new CompletableFuture<>();
        Suite.that(client.exists(path, e -> event.complete(e.getType())) != null, "another client sees it");
        owner.close();
        Suite.equal(Watcher.Event.EventType.NodeDeleted, event.get(20, TimeUnit.SECONDS), "the event");
        Suite.that(client.exists(path, false) == null, "it is gone");
    }

    private void expiry() throws Exception {
        CountDownLatch expired = new CountDownLatch(1);
        ZooKeeper victim = Sessions.connect(servers, event -> {
            if (event.getState() == Watcher.Event.KeeperState.Expired) {
                expired.countDown();
            }
        });
        String path = root + "/of-the-victim";
        victim.create(path, new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        Sessions.kill(servers, victim);
        Suite.that(expired.await(30, TimeUnit.SECONDS), "it is told within 30 s");
        Suite.that(client.exists(path, false) == null, "its ephemeral is gone");
    }

    private void chroot() throws Exception {
        create(root + "/chroot", CreateMode.PERSISTENT);
        ZooKeeper inside = Sessions.connect(servers + root + "/chroot");
        Sessions.sync(inside, "/");
        CompletableFuture<String> event = new CompletableFuture<>();
        inside.exists("/a", e -> event.complete(e.getPath()));
        Suite.equal("/a", inside.create("/a", new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT), "path");
        Suite.equal("/a", event.get(20, TimeUnit.SECONDS), "the event's path");
        Suite.equal("/a/s-0000000000", inside.create("/a/s-", new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE,
                CreateMode.EPHEMERAL_SEQUENTIAL), "a sequential path");
        Sessions.sync(client, root);
        Suite.equal(List.of("a"), client.getChildren(root + "/chroot", false), "seen from outside");
        inside.close();
    }

    private void readOnlyAllowed() throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper reader = new ZooKeeper(servers, Sessions.TIMEOUT_MS, event -> connected.countDown(), true);
        Suite.that(connected.await(20, TimeUnit.SECONDS), "connected in 20 s");
        Suite.equal(ZooKeeper.States.CONNECTED, reader.getState(), "the state");
        Sessions.sync(reader, root);
        Suite.that(reader.exists(root, false) != null, "it reads");
        reader.setData(root, new byte[0], -1);
        reader.close();
    }
}
