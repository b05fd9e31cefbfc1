using System.Diagnostics;
using System.Globalization;
using System.Text;
using ZooNet.Bench;
using ZooNet.Federation.Freshness;

namespace ZooNet.Demo;

/// <summary>
/// The demo, from two clusters without anything in common to a table of what their composition costs. Everything runs in this
/// process: clusters, observers, WAN, proxies and clients, all over real sockets.
/// </summary>
internal sealed class DemoRun(DemoOptions options, Narrator narrator)
{
    private readonly string _secret = $"demo:{Random.Shared.NextInt64():x}";

    /// <summary>Runs it all.</summary>
    /// <exception cref="DemoFailedException">It can't go on, or a mode that promises consistency broke its promise.</exception>
    /// <exception cref="IOException">A given address can't be listened on.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var rtt = $"{options.Rtt.TotalMilliseconds.ToString("0.##", CultureInfo.InvariantCulture)} ms";
        narrator.Title("ZooNet", $": two regions, us and eu, with a round trip of {rtt} between them. All of it in this process.");

        narrator.Chapter("Two clusters, independent of each other");
        await using var us = await DemoRegion.StartAsync("us", 1, options.Rtt, cancellationToken);
        await using var eu = await DemoRegion.StartAsync("eu", 2, options.Rtt, cancellationToken);
        narrator.Act("us", us.Server.ToString(), $"its observer in eu, {us.ObserverElsewhere}, learns of writes half a round trip later");
        narrator.Act("eu", eu.Server.ToString(), $"its observer in us, {eu.ObserverElsewhere}, likewise");
        var writers = new TwoWriters(us, eu, options);
        var load = new MixedLoad(us, eu, options);
        await PrepareAsync(us, eu, writers, load, cancellationToken);
        var direct = await narrator.WhileAsync("a client with a connection to each cluster…", () => DirectClient.MeasureAsync(us, eu, cancellationToken));
        narrator.Say($"A client in us that connects to eu itself: {Median(direct[OperationKind.MountedRead])} for a read, {Median(direct[OperationKind.MountedWrite])} for a write.");

        narrator.Chapter("A proxy in each region, and a mount each way");
        await StartProxiesAsync(us, eu, DemoMode.All[0].Consistency, cancellationToken);
        await narrator.WhileAsync("mounting…", async () =>
        {
            await us.MountAsync(eu, cancellationToken);
            await eu.MountAsync(us, cancellationToken);
        });
        narrator.Act("us", $"zoonet mount eu:/apps {eu.MountPoint}", "done");
        narrator.Act("eu", $"zoonet mount us:/apps {us.MountPoint}", "done");
        await GreetAsync(us, eu, cancellationToken);

        var results = new List<ModeResult>();
        foreach (var mode in DemoMode.All)
        {
            results.Add(await RunAsync(mode, us, eu, writers, load, cancellationToken));
        }

        narrator.Chapter("What it cost");
        narrator.Show(DemoTable.Of(direct, results));
        var broken = results.Where(r => r.Mode.IsConsistent && r.TwoWriters.BothOld + r.Load.InCycles > 0).ToList();
        if (broken.Count > 0)
        {
            throw new DemoFailedException($"consistency was promised and lost in {string.Join(", ", broken.Select(r => r.Mode.Column))}: this is a bug of ZooNet; please report it with the output above");
        }
        Conclude(results);
        if (options.Keep)
        {
            await KeepAsync(us, eu, cancellationToken);
        }
    }

    private async Task<ModeResult> RunAsync(DemoMode mode, DemoRegion us, DemoRegion eu, TwoWriters writers, MixedLoad load, CancellationToken cancellationToken)
    {
        narrator.Chapter(mode.Chapter);
        narrator.Say(mode.Rule);
        if (mode == DemoMode.All[0])
        {
            narrator.Say("Alice in us writes x at home, then reads y in eu. Bob in eu writes y at home, then reads x in us.");
            narrator.Say("Whatever the order of these four, the last of the two reads must see the new value.");
        }
        else
        {
            await narrator.WhileAsync("starting the proxies…", () => StartProxiesAsync(us, eu, mode.Consistency, cancellationToken));
        }
        var twoWriters = await narrator.WhileAsync("two writers…", () => writers.RunAsync(cancellationToken));
        narrator.Finding($"both read the old value in {twoWriters.BothOld} of {twoWriters.Rounds} rounds", twoWriters.BothOld == 0);
        var result = await narrator.WhileAsync($"mixed load, {options.Operations:N0} operations…", () => load.RunAsync(cancellationToken));
        narrator.Finding(string.Create(CultureInfo.InvariantCulture, $"mixed load of {2 * options.ClientsPerRegion} clients: {result.InCycles:N0} of {result.Operations:N0} operations fit no single order"), result.InCycles == 0);
        return new ModeResult(mode, twoWriters, result);
    }

    private static async Task PrepareAsync(DemoRegion us, DemoRegion eu, TwoWriters writers, MixedLoad load, CancellationToken cancellationToken)
    {
        await using var usClient = await DemoRegion.ConnectAsync(us.Server, cancellationToken);
        await using var euClient = await DemoRegion.ConnectAsync(eu.Server, cancellationToken);
        await usClient.CreateAsync("/apps", cancellationToken: cancellationToken);
        await euClient.CreateAsync("/apps", cancellationToken: cancellationToken);
        await writers.PrepareAsync(usClient, euClient);
        await load.PrepareAsync(usClient, euClient);
    }

    private async Task StartProxiesAsync(DemoRegion us, DemoRegion eu, ConsistencyMode mode, CancellationToken cancellationToken)
    {
        await us.StartProxyAsync(eu, mode, options.Us, _secret, cancellationToken);
        await eu.StartProxyAsync(us, mode, options.Eu, _secret, cancellationToken);
    }

    private async Task GreetAsync(DemoRegion us, DemoRegion eu, CancellationToken cancellationToken)
    {
        await using var client = await us.ConnectAsync(cancellationToken);
        await using var direct = await DemoRegion.ConnectAsync(eu.Server, cancellationToken);
        var began = Stopwatch.GetTimestamp();
        await client.CreateAsync($"{eu.MountPoint}/greeting", "hello from us"u8.ToArray(), cancellationToken: cancellationToken);
        narrator.Act("us", $"create {eu.MountPoint}/greeting", $"\"hello from us\", {Milliseconds(Stopwatch.GetElapsedTime(began))}: the first request also opens a session in eu");
        var read = await direct.GetDataAsync("/apps/greeting", cancellationToken: cancellationToken);
        narrator.Act("eu", "get /apps/greeting, past all proxies", $"\"{Encoding.UTF8.GetString(read.Data!)}\"");
    }

    private void Conclude(List<ModeResult> results)
    {
        var none = results.Single(r => r.Mode.Consistency == ConsistencyMode.None);
        if (none.TwoWriters.BothOld == 0)
        {
            narrator.Say($"Without barriers nothing went wrong this time: at a round trip of {Milliseconds(options.Rtt)} the observers keep up. Try a longer --rtt.");
        }
        var paper = results.Single(r => r.Mode.Consistency == ConsistencyMode.Switch);
        var ours = results[^1];
        narrator.Say(string.Create(CultureInfo.InvariantCulture,
            $"Nothing out of order with ZooNet, and {ours.Load.Barriers.Needed:N0} reads that waited for the other region. A barrier at every switch makes it {paper.Load.Barriers.Needed:N0}."));
    }

    private async Task KeepAsync(DemoRegion us, DemoRegion eu, CancellationToken cancellationToken)
    {
        narrator.Chapter("It stays up until Ctrl-C");
        foreach (var (region, other) in new[] { (us, eu), (eu, us) })
        {
            var address = region.Proxy.ClientEndPoints[0];
            narrator.Say("");
            narrator.Act(region.Name, $"clients at {address}", $"cluster {region.Server}, observer of {other.Name} {other.ObserverElsewhere}");
            narrator.Say($"zkCli.sh -server {address} ls {other.MountPoint}");
            narrator.Say($"python3 -c \"from kazoo.client import KazooClient as K; z=K('{address}'); z.start(); print(z.get_children('{other.MountPoint}')); z.stop()\"");
            narrator.Say($"zoonet status --admin http://{region.Proxy.AdminEndPoint}");
        }
        await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static string Median(LatencyHistogram histogram) => Milliseconds(histogram.Percentile(0.5));

    private static string Milliseconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:0} ms");
}
