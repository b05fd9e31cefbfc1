using System.Globalization;
using Xunit.Abstractions;
using ZooNet.Integration.Clients;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Integration;

/// <summary>
/// A region's proxies are restarted one after the other under unmodified clients that hold locks, ephemerals and watches at home and in a
/// mount. TEST_ROLLING_ROUNDS says how often, by default once each; docs/operations.md has the outcome of ten rounds.
/// </summary>
public sealed class RollingRestartTests(ITestOutputHelper report)
{
    private static readonly ClientProgram Kazoo = new("kazoo/rolling_restart.py", ("/usr/bin/python3", "python3"),
        ("/usr/lib/python3/dist-packages/kazoo/client.py", "python3-kazoo"));

    private static int Rounds => int.TryParse(Environment.GetEnvironmentVariable("TEST_ROLLING_ROUNDS"), CultureInfo.InvariantCulture,
        out var rounds) ? rounds : 1;

    [SkippableFact]
    public async Task Fifty_clients_lose_nothing_while_the_two_proxies_of_their_region_are_restarted_one_after_the_other()
    {
        Kazoo.Require();
        var folder = OwnedFolder.Create("rolling");
        await using var us = await RealEnsemble.StartAsync("us", new() { Voters = 3 });
        await using var eu = await RealEnsemble.StartAsync("eu", new() { RemoteObservers = 1 });
        await using var one = await ProxyProcess.StartAsync(us, [eu]);
        await one.WaitClustersAsync();
        await one.MountAsync("eu:/apps", "/mnt/eu", "create");
        await using var two = await ProxyProcess.StartAsync(us, [eu]);
        await two.WaitMountedAsync("/mnt/eu");
        var (ready, until) = (Path.Combine(folder, "ready"), Path.Combine(folder, "until"));
        var clients = Kazoo.RunAsync("--hosts", $"{one.Address},{two.Address}", "--places", "/,/mnt/eu", "--ready", ready, "--until",
            until);
        await Eventually.Async(() => File.Exists(ready) || clients.IsCompleted, "all clients at work", TimeSpan.FromMinutes(2));

        for (var round = 0; round < Rounds && !clients.IsCompleted; round++)
        {
            foreach (var proxy in (ProxyProcess[])[one, two])
            {
                Assert.Equal(0, await proxy.TerminateAsync(TimeSpan.FromMinutes(1)));
                await proxy.RestartAsync();
                await proxy.WaitReadyAsync();
                await proxy.WaitMountedAsync("/mnt/eu");
            }
        }
        await File.WriteAllTextAsync(until, "");

        var output = await clients;
        Assert.Contains("PASS no session is lost", output, StringComparison.Ordinal);
        Assert.DoesNotContain("FAIL ", output, StringComparison.Ordinal);
        report.WriteLine(output);
        Directory.Delete(folder, recursive: true);
    }
}
