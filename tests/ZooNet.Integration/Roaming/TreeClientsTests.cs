using Xunit.Abstractions;
using ZooNet.Integration.Clients;
using ZooNet.Wan;

namespace ZooNet.Integration.Roaming;

/// <summary>
/// Unmodified clients with all that they do inside a roaming tree of two regions, which moves from one to the other and back under them.
/// A part of it in each run; all of it with ZOONET_LONG.
/// </summary>
public sealed class TreeClientsTests(ITestOutputHelper report)
{
    private const string Part = "KazooLockTests or KazooCounterTests or KazooQueueTests";

    private static readonly bool IsLong = Environment.GetEnvironmentVariable("ZOONET_LONG") is not null;

    [SkippableFact]
    public async Task Kazoos_suite_has_the_same_results_in_a_tree_that_moves_under_it_as_directly()
    {
        KazooSuiteTests.Suite.Require();
        var folder = Directory.CreateTempSubdirectory("zoonet-kazoo-tree-").FullName;
        try
        {
            await using var regions = await StartAsync();
            string[] part = IsLong ? [] : ["-k", Part];
            var direct = await KazooSuiteTests.RunAsync(folder, "direct", regions.Ensembles["us"].ConnectString, "/", part);
            Assert.NotEmpty(await File.ReadAllLinesAsync(direct));
            var moved = await MovingAsync(regions, () =>
                KazooSuiteTests.RunAsync(folder, "tree", regions.Proxies["us"][0].Address.ToString(), TreeRegions.Mount, part));
            report.WriteLine(await KazooSuiteTests.Compare.RunAsync(direct, moved));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>With ZOONET_LONG those in Java too, which take long. zkCli's <c>ls -R /</c> meets what the proxies keep of the tree.</summary>
    [SkippableFact]
    public async Task Other_clients_pass_in_a_tree_that_moves_under_them()
    {
        (ClientProgram Program, string[] Further)[] programs =
        [
            (UnmodifiedClientTests.C, []),
            (UnmodifiedClientTests.Node, []),
            (UnmodifiedClientTests.ZkCli, []),
            .. IsLong
                ? [(UnmodifiedClientTests.Java, ["CuratorRecipes"]), (UnmodifiedClientTests.Java, ["ZooKeeperRecipes"]),
                    (UnmodifiedClientTests.Java, ["JavaClient"])]
                : Array.Empty<(ClientProgram, string[])>(),
        ];
        foreach (var (program, _) in programs)
        {
            program.Require();
        }
        await using var regions = await StartAsync();
        await MovingAsync(regions, async () =>
        {
            foreach (var (program, further) in programs)
            {
                report.WriteLine($"{program.Path} {string.Join(' ', further)}");
                var output = await program.RunAsync([regions.Proxies["us"][0].Address.ToString(), TreeRegions.Mount, .. further]);
                Assert.Contains("PASS ", output, StringComparison.Ordinal);
                Assert.DoesNotContain("FAIL ", output, StringComparison.Ordinal);
            }
            return true;
        });
    }

    /// <summary>The tree moves every 200 ms for as long as something runs.</summary>
    private async Task<T> MovingAsync<T>(TreeRegions regions, Func<Task<T>> run)
    {
        using var stop = new CancellationTokenSource();
        var moving = Task.Run(async () =>
        {
            var moves = 0;
            for (; !stop.IsCancellationRequested; moves++)
            {
                await regions.MoveAsync(moves % 2 == 0 ? "eu" : "us");
                await Task.Delay(TimeSpan.FromMilliseconds(200), CancellationToken.None);
            }
            return moves;
        }, CancellationToken.None);
        try
        {
            return await run();
        }
        finally
        {
            await stop.CancelAsync();
            report.WriteLine($"{await moving} moves");
        }
    }

    private static Task<TreeRegions> StartAsync() => TreeRegions.StartAsync(["us", "eu"], voters: 1, proxies: 1, new WanOptions(),
        ensemble: new() { TickTimeMs = 1000, Config = ["reconfigEnabled=true"], Jvm = [ClientsFixture.SuperUser] });
}
