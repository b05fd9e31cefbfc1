using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Integration.Roaming;
using ZooNet.Wan;

namespace ZooNet.Experiments;

/// <summary>What the trees experiment varies.</summary>
/// <param name="Load">Clients, windows, rounds.</param>
/// <param name="RttMs">Round trip between the regions, in milliseconds.</param>
/// <param name="Moves">Moves of each size of tree.</param>
/// <param name="Sizes">Numbers of znodes in the tree that is moved.</param>
internal sealed record TreesOptions(HomeOptions Load, int RttMs, int Moves, IReadOnlyList<int> Sizes);

/// <summary>
/// Writes of region eu into a roaming tree that it owns, beside its writes at home, into a tree that us owns, and into a static mount of
/// us; how long writes stand still while a tree moves, by its number of znodes; and how soon a policy follows a load that has moved.
/// </summary>
internal sealed class TreesExperiment(TreesOptions options, TextWriter log)
{
    private const string Policy = "majority,window=2s,windows=2,hold=2s";
    private readonly StringBuilder _table = new();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await using var regions = await TreeRegions.StartAsync(["us", "eu"], options.Load.Voters, 1,
            new WanOptions { Rtt = TimeSpan.FromMilliseconds(options.RttMs) }, ensemble: new RealEnsembleOptions { Jvm = RunningFast.Jvm });
        var eu = regions.Proxies["eu"][0];
        await using (var zk = await regions.Ensembles["us"].ConnectAsync())
        {
            await zk.CreateAsync("/apps", [], cancellationToken: cancellationToken);
        }
        await eu.MountAsync("us:/apps", "/mnt", "create");
        Way[] ways =
        [
            new("at home", eu.Address),
            new("tree that eu owns", eu.Address) { Path = TreeRegions.Mount, Before = () => regions.MoveAsync("eu") },
            new("tree that us owns", eu.Address) { Path = TreeRegions.Mount, Before = () => regions.MoveAsync("us") },
            new("static mount of us", eu.Address) { Path = "/mnt" },
        ];
        var rounds = new Rounds(options.Load, log);
        await rounds.RunAsync(ways, cancellationToken);
        var load = options.Load;
        Line($"{Machine.Describe()}; {load.Voters} voter(s) per ensemble, {options.RttMs} ms round trip, {load.Clients} clients in eu,");
        Line($"1 KB, {load.Rounds} interleaved rounds of {load.Seconds:0.#} s. Median (smallest–largest).");
        Line($"");
        Line($"| load | way | requests per second | p50 ms | p99 ms | p50 ÷ at home | throughput ÷ at home |");
        Line($"| --- | --- | --- | --- | --- | --- | --- |");
        foreach (var one in rounds.Loads)
        {
            foreach (var way in ways)
            {
                var (did, home) = (rounds[one, way], rounds[one, ways[0]]);
                _table.Append($"| {one.Name} | {way.Name} | {did.Rate.ToString("#,0")} | {did.P50.ToString("0.00")} ");
                _table.Append($"| {did.P99.ToString("0.0")} | {did.P50.Over(home.P50).ToString("0.00")} ");
                Line($"| {did.Rate.Over(home.Rate).ToString("0.00")} |");
            }
        }
        Line($"");
        Line($"Longest in a move, in round trips:");
        Line($"");
        Line($"| znodes | time without a write of anybody | wait of a write of the old owner's region | of the new owner's |");
        Line($"| --- | --- | --- | --- |");
        await using var inUs = await regions.ConnectAsync("us");
        await using var inEu = await regions.ConnectAsync("eu");
        foreach (var size in options.Sizes)
        {
            await FillAsync(inUs, size, cancellationToken);
            var (none, old, young) = await MoveAsync(regions, inUs, inEu, cancellationToken);
            Line($"| {size:#,0} | {none.ToString("0.00")} | {old.ToString("0.00")} | {young.ToString("0.00")} |");
        }
        Line($"");
        await FollowAsync(regions, cancellationToken);

        await log.WriteLineAsync($"\n{_table}");
        options.Load.Out.Create();
        await File.WriteAllTextAsync(Path.Combine(options.Load.Out.FullName, "trees.md"), _table.ToString(), cancellationToken);
        await File.WriteAllTextAsync(Path.Combine(options.Load.Out.FullName, "trees.json"),
            JsonSerializer.Serialize(rounds.ToValues(ways), new JsonSerializerOptions { WriteIndented = true }), cancellationToken);
    }

    private static async Task FillAsync(ZooKeeperClient client, int size, CancellationToken cancellationToken)
    {
        if (!(await client.ExistsAsync($"{TreeRegions.Mount}/many", cancellationToken: cancellationToken)).Exists)
        {
            await client.CreateAsync($"{TreeRegions.Mount}/many", [], cancellationToken: cancellationToken);
        }
        var there = (await client.GetChildrenAsync($"{TreeRegions.Mount}/many", cancellationToken: cancellationToken)).Names.Length;
        foreach (var some in Enumerable.Range(there, Math.Max(0, size - there)).Chunk(200))
        {
            await Task.WhenAll(some.Select(i =>
                client.CreateAsync($"{TreeRegions.Mount}/many/{i}", new byte[100], cancellationToken: cancellationToken)));
        }
    }

    /// <summary>The longest time without a write, and the longest waits of one, during each move, in round trips.</summary>
    private async Task<(Sample None, Sample Old, Sample Young)> MoveAsync(TreeRegions regions, ZooKeeperClient inUs, ZooKeeperClient inEu,
        CancellationToken cancellationToken)
    {
        var (none, old, young) = (new Sample(), new Sample(), new Sample());
        await regions.MoveAsync("us");
        for (var i = 0; i < options.Moves; i++)
        {
            var to = i % 2 == 0 ? "eu" : "us";
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var done = new ConcurrentBag<long>();
            var (writingUs, writingEu) = (WriteAsync(inUs, "us", done, stop.Token), WriteAsync(inEu, "eu", done, stop.Token));
            await Task.Delay(TimeSpan.FromMilliseconds(10 * options.RttMs), cancellationToken);
            await regions.MoveAsync(to);
            await Task.Delay(TimeSpan.FromMilliseconds(5 * options.RttMs), cancellationToken);
            await stop.CancelAsync();
            var (longestUs, longestEu) = (await writingUs, await writingEu);
            var times = done.Order().ToArray();
            var longest = times.Skip(1).Zip(times, (later, before) => Stopwatch.GetElapsedTime(before, later)).Max();
            none.Add(longest.TotalMilliseconds / options.RttMs);
            old.Add((to == "eu" ? longestUs : longestEu).TotalMilliseconds / options.RttMs);
            young.Add((to == "eu" ? longestEu : longestUs).TotalMilliseconds / options.RttMs);
        }
        return (none, old, young);
    }

    private static async Task<TimeSpan> WriteAsync(ZooKeeperClient client, string name, ConcurrentBag<long> done, CancellationToken stop)
    {
        var longest = TimeSpan.Zero;
        var path = $"{TreeRegions.Mount}/by-{name}";
        if (!(await client.ExistsAsync(path, cancellationToken: CancellationToken.None)).Exists)
        {
            await client.CreateAsync(path, [], cancellationToken: CancellationToken.None);
        }
        while (!stop.IsCancellationRequested)
        {
            var began = Stopwatch.GetTimestamp();
            await client.SetDataAsync(path, new byte[100], cancellationToken: CancellationToken.None);
            done.Add(Stopwatch.GetTimestamp());
            longest = Stopwatch.GetElapsedTime(began) is var took && took > longest ? took : longest;
        }
        return longest;
    }

    /// <summary>The tree's users are in eu from now on: how soon its policy follows, and what a write costs then.</summary>
    private async Task FollowAsync(TreeRegions regions, CancellationToken cancellationToken)
    {
        await regions.MoveAsync("us");
        var admin = regions.Proxies["us"][0];
        await admin.SetTreePolicyAsync(TreeRegions.Tree, Policy);
        var began = Stopwatch.GetTimestamp();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var inEu = await regions.ConnectAsync("eu");
        var writing = WriteAsync(inEu, "eu", [], stop.Token);
        await Eventually.Async(async () => await regions.OwnerAsync("eu") == "eu", "eu to own the tree");
        var took = Stopwatch.GetElapsedTime(began);
        await stop.CancelAsync();
        await writing;
        await admin.SetTreePolicyAsync(TreeRegions.Tree, "pinned");
        Line($"With the policy `{Policy}` eu owned the tree {took.TotalSeconds:0.0} s after its clients alone had begun to write.");
    }

    private void Line(FormattableString text) => _table.AppendLine(text.ToString(CultureInfo.InvariantCulture));
}
