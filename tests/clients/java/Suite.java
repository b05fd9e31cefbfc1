import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Runs named checks one after the other and prints "PASS name" or "FAIL name: why" for each. */
final class Suite {
    /** A check that throws when what it checks does not hold. */
    interface Check {
        void run() throws Exception;
    }

    private static final int SECONDS_PER_CHECK = 60;

    private final String pattern;
    private final List<String> failed = new ArrayList<>();
    private final ExecutorService runner = Executors.newCachedThreadPool(task -> {
        Thread thread = new Thread(task, "check");
        thread.setDaemon(true);
        return thread;
    });
    private int ran;

    Suite(String pattern) {
        this.pattern = pattern;
    }

    void check(String name, Check body) throws InterruptedException {
        if (!name.contains(pattern)) {
            return;
        }
        ran++;
        long started = System.nanoTime();
        String why = run(body);
        System.out.printf("%s (%d ms)%n", why == null ? "PASS " + name : "FAIL " + name + ": " + why,
                TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started));
        if (why != null) {
            failed.add(name);
        }
    }

    private String run(Check body) throws InterruptedException {
        Future<?> running = runner.submit(() -> {
            body.run();
            return null;
        });
        try {
            running.get(SECONDS_PER_CHECK, TimeUnit.SECONDS);
            return null;
        } catch (ExecutionException e) {
            e.getCause().printStackTrace();
            return e.getCause().toString().replace('\n', ' ');
        } catch (TimeoutException e) {
            printAllStacks();
            running.cancel(true);
            return "not done after " + SECONDS_PER_CHECK + " s";
        }
    }

    private static void printAllStacks() {
        for (Map.Entry<Thread, StackTraceElement[]> thread : Thread.getAllStackTraces().entrySet()) {
            System.err.println(thread.getKey());
            for (StackTraceElement frame : thread.getValue()) {
                System.err.println("    " + frame);
            }
        }
    }

    /** Prints the sum and returns the exit code: 0, 1 when a check failed, 2 when none ran. */
    int finish() {
        System.out.printf("%d passed, %d failed%n", ran - failed.size(), failed.size());
        return ran == 0 ? 2 : failed.isEmpty() ? 0 : 1;
    }

    /** Waits until the condition holds, at most 20 s. */
    static void eventually(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!condition.holds()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("not within 20 s: " + what);
            }
            Thread.sleep(10);
        }
    }

    /** Something that may hold now or later. */
    interface Condition {
        boolean holds() throws Exception;
    }

    static void that(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object expected, Object actual, String what) {
        if (!expected.equals(actual)) {
            throw new AssertionError(what + ": expected " + expected + ", got " + actual);
        }
    }
}
