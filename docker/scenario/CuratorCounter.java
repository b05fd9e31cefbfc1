import java.nio.charset.StandardCharsets;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.ExponentialBackoffRetry;

/**
 * Counts under a lock: CuratorCounter CONNECT LOCK COUNTER ROUNDS. Reads the counter and writes it back plus one, each time under an
 * InterProcessMutex. Whoever else counts under the same lock loses no step, if the lock and the reads are what they promise.
 */
public final class CuratorCounter {
    public static void main(String[] args) throws Exception {
        String counter = args[2];
        int rounds = Integer.parseInt(args[3]);
        try (CuratorFramework client = CuratorFrameworkFactory.newClient(args[0], 20_000, 15_000, new ExponentialBackoffRetry(200, 8))) {
            client.start();
            InterProcessMutex lock = new InterProcessMutex(client, args[1]);
            for (int i = 0; i < rounds; i++) {
                lock.acquire();
                try {
                    int value = Integer.parseInt(new String(client.getData().forPath(counter), StandardCharsets.UTF_8));
                    client.setData().forPath(counter, Integer.toString(value + 1).getBytes(StandardCharsets.UTF_8));
                } finally {
                    lock.release();
                }
            }
        }
        System.out.println(rounds);
    }
}
