using System.Globalization;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Server.Tests.Differential;

/// <summary>
/// The same random requests from several sessions to the embedded server and to a real ZooKeeper 3.8.0: every reply, error code,
/// Stat and event must be the same, zxids counted from the start and times left out. ZOONET_DIFF_SEED and ZOONET_DIFF_COUNT choose
/// another run.
/// </summary>
public sealed class DifferentialTests
{
    private const int Sessions = 4;

    [SkippableFact]
    public async Task The_embedded_server_answers_as_ZooKeeper_does()
    {
        Jars.Require();
        var seed = Setting("ZOONET_DIFF_SEED", 20260);
        var count = Setting("ZOONET_DIFF_COUNT", 10_000);
        await using var real = await RealStandalone.StartAsync(["minSessionTimeout=30000", "maxSessionTimeout=120000"], ["-Dznode.container.checkIntervalMs=86400000"]);
        await using var ours = await EmbeddedServer.StartAsync(new EmbeddedServerOptions
        {
            MinSessionTimeout = TimeSpan.FromSeconds(30),
            MaxSessionTimeout = TimeSpan.FromSeconds(120),
            ReapInterval = TimeSpan.FromDays(1),
        });
        var run = new DifferentialRun(seed, new Side("real", real.Address), new Side("ours", ours.Address), Sessions);
        run.Execute(count);
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : otherwise;
}
