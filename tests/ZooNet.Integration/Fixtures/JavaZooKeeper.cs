namespace ZooNet.Integration.Fixtures;

/// <summary>
/// Debian's ZooKeeper: its jars and whatever else a server needs; or the release whose whole class path TEST_ZOOKEEPER names.
/// </summary>
public static class JavaZooKeeper
{
    private const string Folder = "/usr/share/java";
    private static readonly string[] Names = ["zookeeper", "zookeeper-jute", "slf4j-api", "slf4j-simple", "netty-all", "netty-handler", "netty-transport",
        "netty-common", "netty-buffer", "netty-codec", "netty-resolver", "netty-transport-native-epoll", "netty-transport-native-unix-common",
        "metrics-core", "snappy-java", "commons-io", "commons-cli", "commons-lang3", "jline"];

    /// <summary>The class path.</summary>
    public static string ClassPath { get; } = Environment.GetEnvironmentVariable("TEST_ZOOKEEPER")
        ?? string.Join(':', Names.Select(name => $"{Folder}/{name}.jar").Where(File.Exists));

    /// <summary>Whether a real ensemble can be started here.</summary>
    public static bool Present { get; } =
        File.Exists($"{Folder}/zookeeper.jar") && File.Exists($"{Folder}/zookeeper-jute.jar") && File.Exists("/usr/bin/java");
}
