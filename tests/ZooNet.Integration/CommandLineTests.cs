using System.Text.Json;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;

namespace ZooNet.Integration;

/// <summary>The executable, as an admin uses it, on real ZooKeeper.</summary>
[Collection(RegionsCollection.Name)]
public sealed class CommandLineTests(RegionsFixture regions)
{
    [SkippableFact]
    public async Task An_admin_mounts_looks_and_unmounts()
    {
        Jars.Require();
        await using var proxy = await CliProxy.StartReadyAsync(regions.Us, regions.Eu);
        await using var eu = await regions.Eu.ConnectAsync();
        await eu.CreateAsync("/cli-apps", "eu's"u8.ToArray());

        Assert.Equal(new CommandResult(0, "eu:/cli-apps is mounted on /cli/eu\n", ""), await proxy.RunAsync("mount", "eu:/cli-apps", "/cli/eu", "-o", "ro,relaxed"));
        await using (var client = await proxy.ConnectAsync())
        {
            Assert.Equal("eu's"u8.ToArray(), (await client.GetDataAsync("/cli/eu")).Data);
            var refused = await Assert.ThrowsAsync<KeeperException>(() => client.CreateAsync("/cli/eu/x"));
            Assert.Equal(ErrorCode.NoAuth, refused.Code);
        }
        Assert.Matches(@"eu:/cli-apps\s+/cli/eu\s+ro,relaxed\s+active\s+up", (await proxy.RunAsync("mounts")).Output);
        var list = JsonDocument.Parse((await proxy.RunAsync("mounts", "--json")).Output).RootElement;
        Assert.Equal("/cli/eu", list.GetProperty("mounts")[0].GetProperty("path").GetString());
        Assert.StartsWith("eu:/cli-apps/a/b\n", (await proxy.RunAsync("resolve", "/cli/eu/a/b")).Output);
        var status = (await proxy.RunAsync("status")).Output;
        Assert.Contains("of region us: ready", status);
        Assert.Matches(@"eu\s+remote\s+up", status);
        Assert.DoesNotContain('\u001b', status);
        Assert.DoesNotContain(" \n", status);
        Assert.DoesNotContain(" \n", (await proxy.RunAsync("mounts")).Output);
        Assert.DoesNotContain(" \n", (await proxy.RunAsync("clusters")).Output);

        Assert.Equal(new CommandResult(0, "/cli/eu is unmounted\n", ""), await proxy.RunAsync("unmount", "/cli/eu"));
        Assert.Equal("nothing is mounted\n", (await proxy.RunAsync("mounts")).Output);
        await using var us = await regions.Us.ConnectAsync();
        Assert.False((await us.ExistsAsync("/cli/eu")).Exists);
        Assert.True((await eu.ExistsAsync("/cli-apps")).Exists);
    }

    [SkippableFact]
    public async Task Refusals_end_with_1_bad_usage_with_2_and_each_with_one_sentence_on_standard_error()
    {
        Jars.Require();
        await using var proxy = await CliProxy.StartReadyAsync(regions.Us, regions.Eu);
        await using var eu = await regions.Eu.ConnectAsync();
        await using var us = await regions.Us.ConnectAsync();
        await eu.CreateAsync("/cli-refusals");
        await us.CreateAsync("/cli-full");
        await us.CreateAsync("/cli-full/child");
        Assert.Equal(0, (await proxy.RunAsync("mount", "eu:/cli-refusals", "/cli-mounted")).ExitCode);
        try
        {
            foreach (var (exitCode, reason, line) in new[]
            {
                (1, "the cluster 'ap' is not known to this proxy (known are eu)", "mount ap:/x /m"),
                (1, "'us' is the home cluster", "mount us:/x /m"),
                (1, "the cluster 'eu' has no znode /cli-none", "mount eu:/cli-none /m"),
                (1, "'/' can't be a mount point", "mount eu:/cli-refusals /"),
                (1, "/zookeeper is ZooKeeper's own", "mount eu:/cli-refusals /zookeeper/x"),
                (1, "has 1 child that the mount would hide", "mount eu:/cli-refusals /cli-full"),
                (1, "eu:/cli-refusals is on /cli-mounted already, with rw", "mount eu:/cli-refusals /cli-mounted -o ro"),
                (1, "lies inside the mount /cli-mounted", "mount eu:/cli-refusals /cli-mounted/x"),
                (1, "nothing is mounted on /m; mounted are /cli-mounted", "unmount /m"),
                (1, "no proxy answers at", "mounts --admin 127.0.0.1:1"),
                (1, $"{proxy.Clients} is where clients of a ZooNet proxy connect; name the proxy's", $"mounts --admin {proxy.Clients}"),
                (1, $"{regions.Us.Servers[0].Address} is a ZooKeeper server's client port", $"mounts --admin {regions.Us.Servers[0].Address}"),
                (2, "'eu' is no source", "mount eu /m"),
                (2, "the mount option 'fast' is not known", "mount eu:/x /m -o fast"),
                (2, "'m' is no znode path", "mount eu:/x m"),
                (2, "Required argument 'PATH' missing", "mount eu:/x"),
                (2, "Unrecognized command or argument '--fast'", "mounts --fast"),
                (2, "Unrecognized command or argument 'mout'", "mout eu:/x /m"),
            })
            {
                var result = await proxy.RunAsync(line.Split(' '));
                Assert.True(result.ExitCode == exitCode, $"{line}: {result}");
                Assert.Contains(reason, result.Error);
                Assert.Single(result.Error.TrimEnd().Split('\n'));
                Assert.Equal("", result.Output);
            }
            Assert.Equal(new CommandResult(0, "eu:/cli-refusals is mounted on /cli-mounted already\n", ""),
                await proxy.RunAsync("mount", "eu:/cli-refusals", "/cli-mounted"));
        }
        finally
        {
            await proxy.RunAsync("unmount", "/cli-mounted");
        }
    }

    [Fact]
    public async Task A_port_in_use_is_told_in_one_sentence_before_anything_is_started()
    {
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        taken.Start();
        using var home = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        home.Start();
        var address = taken.LocalEndpoint.ToString()!;
        foreach (var (key, other, byVariable) in new[]
        {
            ("listen", "admin", false), ("admin", "listen", false), ("admin", "listen", true),
        })
        {
            var variables = byVariable ? new Dictionary<string, string> { ["ZOONET_" + key.ToUpperInvariant()] = address } : [];
            var result = await Zoonet.RunWithAsync(variables, ["proxy", "--region", "us", "--home-cluster", "us",
                "--home-servers", home.LocalEndpoint.ToString()!, $"--{other}", "127.0.0.1:0",
                .. byVariable ? [] : new[] { $"--{key}", address }]);

            // Where the address was written is named: somebody may have set a variable long ago.
            var source = byVariable ? "ZOONET_ADMIN" : "the command line";
            Assert.Equal(new CommandResult(1, "", $"zoonet: can't listen on {address}: another program listens there; "
                + $"give '{key}', from {source}, an address of this host that is free\n"), result);
        }
        Assert.False(home.Pending(), "a session was opened");
    }

    [Fact]
    public async Task A_command_asks_where_its_own_variable_says_and_tells_so_and_a_proxys_variable_is_nothing_to_it()
    {
        // Nothing listens on either.
        var variables = new Dictionary<string, string> { ["ZOONET_ADMIN"] = "127.0.0.1:2", ["ZOONET_ADMIN_URL"] = "127.0.0.1:1" };
        const string Advice = "start one with 'zoonet proxy', or name another with --admin\n";

        var named = await Zoonet.RunWithAsync(variables, "mounts");
        Assert.Equal(1, named.ExitCode);
        Assert.StartsWith("zoonet: no proxy answers at http://127.0.0.1:1/ (from ZOONET_ADMIN_URL): ", named.Error,
            StringComparison.Ordinal);
        Assert.EndsWith(Advice, named.Error, StringComparison.Ordinal);

        var typed = await Zoonet.RunWithAsync(variables, "mounts", "--admin", "127.0.0.1:3");
        Assert.StartsWith("zoonet: no proxy answers at http://127.0.0.1:3/: ", typed.Error, StringComparison.Ordinal);

        variables["ZOONET_ADMIN_URL"] = "ftp://x";
        Assert.Equal(new CommandResult(2, "", "zoonet: 'ftp://x' (from ZOONET_ADMIN_URL) is no admin endpoint; "
            + "write http://host:port, or unix:/run/zoonet/admin.sock\n"), await Zoonet.RunWithAsync(variables, "mounts"));
    }

    [SkippableFact]
    public async Task Two_proxies_of_a_region_show_the_same_table_within_a_second()
    {
        Jars.Require();
        await using var first = await CliProxy.StartReadyAsync(regions.Us, regions.Eu);
        await using var second = await CliProxy.StartReadyAsync(regions.Us, regions.Eu);
        await using var eu = await regions.Eu.ConnectAsync();
        await eu.CreateAsync("/cli-two");
        using var http = new HttpClient();

        var slowest = new List<TimeSpan>();
        for (var round = 0; round < 5; round++)
        {
            Assert.Equal(0, (await first.RunAsync("mount", "eu:/cli-two", "/cli-two")).ExitCode);
            var mounted = await UntilSameAsync();
            Assert.Equal(0, (await second.RunAsync("unmount", "/cli-two")).ExitCode);
            slowest.Add(new[] { mounted, await UntilSameAsync() }.Max());
        }
        // In most rounds: what holds one of them up on a busy machine is not the proxies.
        Assert.True(slowest.Count(t => t < TimeSpan.FromSeconds(1)) >= 3, string.Join(", ", slowest));

        async Task<TimeSpan> UntilSameAsync()
        {
            var began = MachineTime.Now;
            await Eventually.Async(SameTable, "the same table at both proxies");
            return MachineTime.Now - began;
        }

        async Task<bool> SameTable()
        {
            var tables = await Task.WhenAll(new[] { first, second }.Select(p => http.GetStringAsync($"{p.Admin}/api/v1/mounts")));
            var versions = tables.Select(t => JsonDocument.Parse(t).RootElement.GetProperty("version").GetInt64()).ToList();
            return versions[0] == versions[1];
        }
    }

    [SkippableFact]
    public async Task While_home_is_down_the_proxy_is_not_ready_and_it_is_again_when_home_is_back()
    {
        Jars.Require();
        await using var home = await RealEnsemble.StartAsync("lone");
        await using var proxy = await CliProxy.StartReadyAsync(home, regions.Eu);
        var server = home.Servers[0];

        await server.KillAsync();
        await Eventually.Async(async () => (await proxy.ReadyAsync()).Status == 503, "not ready");
        Assert.Contains("down since", (await proxy.ReadyAsync()).Body);
        var status = await proxy.RunAsync("status");
        Assert.Contains("NOT READY", status.Output);
        Assert.Matches(@"lone\s+home\s+down", status.Output);

        await server.RestartAsync();
        await Eventually.Async(async () => (await proxy.ReadyAsync()).Status == 200, "ready again");
    }

    [SkippableFact]
    public async Task A_proxy_serves_home_while_a_remote_cluster_is_down_and_says_so()
    {
        Jars.Require();
        await using var remote = await RealEnsemble.StartAsync("ap", new() { RemoteObservers = 1 });
        foreach (var server in remote.Servers)
        {
            await server.KillAsync();
        }
        await using var proxy = await CliProxy.StartAsync(regions.Us, [remote]);
        await Eventually.Async(async () => (await proxy.ReadyAsync()).Status == 200, "ready without the remote cluster");
        await using var client = await proxy.ConnectAsync();
        Assert.True((await client.ExistsAsync("/zookeeper")).Exists);

        await Eventually.Async(async () => (await proxy.RunAsync("status")).Output is var s && s.Contains("down") && s.Contains("can't be reached"), "status names it");
        var refused = await proxy.RunAsync("mount", "ap:/x", "/cli-down");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("the cluster 'ap' can't be reached", refused.Error);
    }

    [SkippableFact]
    public async Task SIGTERM_drains_outstanding_requests_are_answered_and_the_exit_code_is_0()
    {
        Jars.Require();
        // Requests that are on their way over this WAN while the signal comes.
        await using var remote = await RealEnsemble.StartAsync("slow", new() { RemoteObservers = 1, Wan = new() { Rtt = TimeSpan.FromMilliseconds(400) } });
        await using (var direct = await remote.ConnectAsync())
        {
            await direct.CreateAsync("/drain");
        }
        await using var proxy = await CliProxy.StartReadyAsync(regions.Us, remote);
        Assert.Equal(0, (await proxy.RunAsync("mount", "slow:/drain", "/cli-drain")).ExitCode);
        try
        {
            await using var client = await proxy.ConnectAsync();
            await client.CreateAsync("/cli-drain/warm");
            var (path, outstanding) = await UntilOutstandingAsync(client);

            var began = MachineTime.Now;
            proxy.Process.Signal("TERM");

            Assert.Equal(path, (await outstanding.WaitAsync(TimeSpan.FromSeconds(30))).Path);
            await proxy.Process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(90));
            Assert.Equal(0, proxy.Process.ExitCode);
            Assert.True(MachineTime.Now - began < TimeSpan.FromSeconds(30), "a drain with nothing left to do does not wait for its limit");
        }
        finally
        {
            await using var another = await CliProxy.StartReadyAsync(regions.Us, remote);
            await another.RunAsync("unmount", "/cli-drain");
        }

        static async Task<(string Path, Task<CreateResult> Answer)> UntilOutstandingAsync(ZooKeeperClient client)
        {
            for (var i = 0; ; i++)
            {
                // Time enough to reach the proxy and none to come back; on a machine that stands still meanwhile the next one has it.
                var path = $"/cli-drain/outstanding{i}";
                var answer = client.CreateAsync(path);
                await Task.Delay(100);
                if (!answer.IsCompleted)
                {
                    return (path, answer);
                }
            }
        }
    }

    [Fact]
    public async Task All_errors_of_a_configuration_are_named_at_once_and_end_with_2()
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, """{ "region": "US!", "listen": "x", "home": { "cluster": "us", "servers": ["h:0"] }, "colour": "red" }""");

            var result = await Zoonet.RunAsync(null, "proxy", "--config", file, "--set", "maxFrame=1", "--consistency", "strong");

            Assert.Equal(2, result.ExitCode);
            foreach (var part in new[] { "region = 'US!'", "listen = 'x'", "home.servers[0] = 'h:0'", "colour: is no configuration key", "maxFrame = '1'", "consistency = 'strong'", "(from the command line)", $"(from {file})", "the configuration has 6 errors" })
            {
                Assert.Contains(part, result.Error);
            }
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task The_examples_that_come_with_the_proxy_are_good_configurations()
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "config");
        var files = Directory.GetFiles(folder, "*.json");
        Assert.True(files.Length >= 5, folder);
        foreach (var file in files)
        {
            var result = await Zoonet.RunAsync(null, "proxy", "--check-config", "--config", file);
            Assert.True(result.ExitCode == 0, $"{file}: {result.Error}");
        }
    }

    [Theory]
    [InlineData("mount", "Examples:")]
    [InlineData("proxy", "SIGTERM drains")]
    [InlineData("mounts", "States: active")]
    [InlineData("resolve", "zoonet resolve /mnt/eu")]
    [InlineData("status", "zoonet status --json")]
    [InlineData("unmount", "zoonet unmount /mnt/eu")]
    public async Task Every_command_has_help_with_examples(string command, string part)
    {
        var result = await Zoonet.RunAsync(null, command, "--help");

        Assert.Equal(0, result.ExitCode);
        Assert.Contains(part, result.Output);
    }
}
