import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.ZooKeeper;

/** Where Curator's checks run: the address, a folder of their own below the base path, and their clients. */
final class Region {
    final String servers;
    final String root;

    Region(String servers, String base) {
        this.servers = servers;
        this.root = (base.equals("/") ? "" : base) + "/curator-" + UUID.randomUUID();
    }

    /** Some connected clients, each with a session of its own. Closing what it returns closes them. */
    Clients connect(int count) throws Exception {
        Clients clients = new Clients();
        for (int i = 0; i < count; i++) {
            CuratorFramework client = CuratorFrameworkFactory.builder()
                    .connectString(servers).sessionTimeoutMs(Sessions.TIMEOUT_MS).connectionTimeoutMs(20_000)
                    .retryPolicy(new RetryNTimes(20, 100)).build();
            client.start();
            clients.all.add(client);
            Suite.that(client.blockUntilConnected(20, TimeUnit.SECONDS), "no connection in 20 s");
        }
        return clients;
    }

    void kill(CuratorFramework victim) throws Exception {
        Sessions.kill(servers, victim.getZookeeperClient().getZooKeeper());
    }

    /** Takes the client's connection away but not its session, and waits until the client has it again. */
    void reconnect(CuratorFramework client) throws Exception {
        ZooKeeper handle = client.getZookeeperClient().getZooKeeper();
        long session = handle.getSessionId();
        Sessions.move(servers, handle);
        // A write finds out that the session has moved; Curator retries it until the connection is back.
        client.setData().forPath(root, new byte[0]);
        Suite.equal(session, client.getZookeeperClient().getZooKeeper().getSessionId(), "the session");
    }

    /** Clients that are closed together. */
    static final class Clients implements AutoCloseable {
        private final List<CuratorFramework> all = new ArrayList<>();

        CuratorFramework get(int index) {
            return all.get(index);
        }

        List<CuratorFramework> list() {
            return all;
        }

        @Override
        public void close() {
            all.forEach(CuratorFramework::close);
        }
    }
}
