using System.Diagnostics;
using System.Text;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;

namespace ZooNet.Integration;

/// <summary>A client's sessions in several clusters live and die as one.</summary>
[Collection(RegionsCollection.Name)]
public sealed class SessionTests(RegionsFixture regions)
{
    private const int TimeoutMs = 4000;

    // The timeout plus two ticks (500 ms in these ensembles), and what a busy machine takes to look: still less than two timeouts.
    private static readonly TimeSpan Gone = TimeSpan.FromMilliseconds(TimeoutMs + 1000 + 2500);

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static async Task AssertGoneInTime(params (ZooKeeperClient Client, string Path)[] nodes) => await Task.WhenAll(nodes.Select(
        node => Eventually.Async(async () => (await node.Client.ExistsAsync(node.Path)).Stat is null, $"{node.Path} gone {Gone} after its client", Gone)));

    [SkippableFact]
    public async Task Ephemerals_die_with_a_killed_client_in_every_cluster()
    {
        await using var region = await MountedRegion.StartAsync(regions, "s-killed");
        var client = await region.ConnectAsync(TimeoutMs);
        await client.CreateAsync("/s-killed-home", flags: CreateFlags.Ephemeral);
        await client.CreateAsync(region.Under("x"), flags: CreateFlags.Ephemeral);
        await client.DetachAsync();
        await AssertGoneInTime((region.Us, "/s-killed-home"), (region.Eu, region.Under("x")));
    }

    [SkippableFact]
    public async Task Ephemerals_die_with_a_client_that_goes_silent_without_closing()
    {
        await using var region = await MountedRegion.StartAsync(regions, "s-silent");
        using var client = await RawClient.ConnectAsync(region.Proxy.Address(), TimeoutMs);
        foreach (var path in (string[])["/s-silent-home", region.Under("x")])
        {
            var (header, _) = await client.CallAsync(OpCode.Create, w => new CreateRequest(path, [], [.. Acl.Open], CreateFlags.Ephemeral).Write(w, OpCode.Create));
            Assert.Equal(ErrorCode.Ok, header.Error);
        }
        await AssertGoneInTime((region.Us, "/s-silent-home"), (region.Eu, region.Under("x")));
        await client.WaitClosedAsync();
    }

    [SkippableFact]
    public async Task A_client_that_is_busy_in_one_place_only_and_never_pings_keeps_its_sessions_everywhere()
    {
        await using var region = await MountedRegion.StartAsync(regions, "s-busy");
        await region.Us.CreateAsync("/s-busy-h");
        await region.Eu.CreateAsync(region.Under("x"));
        var mounted = region.Under("x");
        void Read(JuteWriter writer, string path) => new PathWatchRequest(path, false).Write(writer);
        (string Name, string Ephemeral, Func<RawClient, Task> Use)[] cases =
        [
            ("reads", "/s-busy-1", c => c.CallAsync(OpCode.GetData, w => Read(w, mounted))),
            ("writes", "/s-busy-2", c => c.CallAsync(OpCode.SetData, w => new SetDataRequest(mounted, [], -1).Write(w))),
            ("syncs", "/s-busy-3", c => c.CallAsync(OpCode.Sync, w => w.WriteString(region.Path))),
            ("fails", "/s-busy-4", c => c.CallAsync(OpCode.GetData, w => Read(w, region.Under("none")))),
            ("does multis", "/s-busy-7", c => c.CallAsync(OpCode.Multi, w =>
            {
                new MultiHeader(OpCode.Check, false, -1).Write(w);
                new PathVersionRequest(mounted, -1).Write(w);
                MultiHeader.End.Write(w);
            })),
            ("reads home", region.Under("e5"), c => c.CallAsync(OpCode.GetData, w => Read(w, "/s-busy-h"))),
            // Only every third of the timeout, each time just before the proxy would have to tell the other cluster.
            ("seldom reads home", region.Under("e6"), async c =>
            {
                await c.CallAsync(OpCode.GetData, w => Read(w, "/s-busy-h"));
                await Task.Delay(TimeoutMs / 4);
            }),
        ];
        await Task.WhenAll(cases.Select(async use =>
        {
            using var client = await RawClient.ConnectAsync(region.Proxy.Address(), TimeoutMs);
            await client.CallAsync(OpCode.Create, w => new CreateRequest(use.Ephemeral, [], [.. Acl.Open], CreateFlags.Ephemeral).Write(w, OpCode.Create));
            await client.CallAsync(OpCode.GetData, w => Read(w, mounted));
            for (var since = Stopwatch.StartNew(); since.Elapsed < 2 * Gone; await Task.Delay(300))
            {
                await use.Use(client);
            }
            var ensemble = use.Ephemeral.StartsWith(region.Path + "/", StringComparison.Ordinal) ? region.Eu : region.Us;
            Assert.True((await ensemble.ExistsAsync(use.Ephemeral)).Stat is not null, $"a client that only {use.Name} has lost {use.Ephemeral}");
        }));
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Ephemerals_live_on_when_the_proxy_dies_and_die_when_the_client_dies_with_it(bool clientToo)
    {
        Jars.Require();
        var name = clientToo ? "s-both" : "s-proxy";
        await using var region = await MountedRegion.StartAsync(regions, name);
        await using var doomed = await ProxyProcess.StartAsync(regions.Us, [regions.Eu]);
        var client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
        {
            Servers = [doomed.Address, region.Proxy.Address()],
            SessionTimeout = TimeSpan.FromMilliseconds(TimeoutMs),
        });
        await client.CreateAsync($"/{name}-home", flags: CreateFlags.Ephemeral);
        await client.CreateAsync(region.Under("x"), flags: CreateFlags.Ephemeral);
        var session = client.SessionId;
        var owner = (await region.Eu.ExistsAsync(region.Under("x"))).Stat!.Value.EphemeralOwner;
        await doomed.KillAsync();
        if (clientToo)
        {
            await client.DetachAsync();
            await AssertGoneInTime((region.Us, $"/{name}-home"), (region.Eu, region.Under("x")));
            return;
        }
        await client.WaitConnectedAsync();
        // Longer than both sessions would last unattended.
        for (var since = Stopwatch.StartNew(); since.Elapsed < Gone; await Task.Delay(200))
        {
            Assert.Equal(owner, (await region.Eu.ExistsAsync(region.Under("x"))).Stat?.EphemeralOwner);
            Assert.NotNull((await region.Us.ExistsAsync($"/{name}-home")).Stat);
        }
        Assert.Equal(session, client.SessionId);
        Assert.Equal(session, (await client.ExistsAsync(region.Under("x"))).Stat!.Value.EphemeralOwner);
        Assert.Contains(region.Under("x"), (await client.GetEphemeralsAsync("/")).Value);
        await client.CloseAsync();
        Assert.Null((await region.Eu.ExistsAsync(region.Under("x"))).Stat);
    }

    [SkippableFact]
    public async Task A_client_whose_session_in_a_mounted_cluster_has_expired_has_expired()
    {
        await using var region = await MountedRegion.StartAsync(regions, "s-expired", proxies: 2);
        var client = await region.ConnectAsync(10_000);
        await client.CreateAsync("/s-expired-home", flags: CreateFlags.Ephemeral);
        await client.CreateAsync(region.Under("x"), flags: CreateFlags.Ephemeral);
        var (id, password) = (client.SessionId, client.SessionPassword);
        var remote = (await region.Eu.ExistsAsync(region.Under("x"))).Stat!.Value.EphemeralOwner;
        await client.DetachAsync();
        using (var killer = await RawClient.ConnectAsync(regions.Eu.Addresses[0], 6000, remote, SessionPassword.Of(remote)))
        {
            Assert.Equal(remote, killer.SessionId);
            await killer.CallAsync(OpCode.CloseSession);
        }
        using var back = await RawClient.ConnectAsync(region.Proxies[1].Address(), 10_000, id, password);
        Assert.Equal(0, back.SessionId);
        Assert.Equal(0, back.TimeoutMs);
        await back.WaitClosedAsync();
        await Eventually.Async(async () => (await region.Us.ExistsAsync("/s-expired-home")).Stat is null, "its ephemerals at home gone too");
    }

    [SkippableFact]
    public async Task The_owner_of_an_ephemeral_in_a_mount_reads_as_its_clients_session_on_every_proxy()
    {
        await using var region = await MountedRegion.StartAsync(regions, "s-owner", proxies: 2);
        await using var owner = await region.ConnectAsync(proxy: 0);
        await using var other = await region.ConnectAsync(proxy: 1);
        await owner.CreateAsync(region.Under("x"), flags: CreateFlags.Ephemeral);
        Assert.Equal(owner.SessionId, (await owner.GetDataAsync(region.Under("x"))).Stat.EphemeralOwner);
        Assert.NotEqual(owner.SessionId, (await region.Eu.ExistsAsync(region.Under("x"))).Stat!.Value.EphemeralOwner);
        await Eventually.Async(async () => (await other.ExistsAsync(region.Under("x"))).Stat!.Value.EphemeralOwner == owner.SessionId,
            "the owner, as the other proxy's clients read it", TimeSpan.FromSeconds(5));
    }

    [SkippableFact]
    public async Task Closing_ends_the_sessions_in_all_clusters_before_it_is_answered()
    {
        await using var region = await MountedRegion.StartAsync(regions, "s-close");
        for (var i = 0; i < 5; i++)
        {
            var client = await region.ConnectAsync();
            await client.CreateAsync(region.Under("x"), flags: CreateFlags.Ephemeral);
            await client.CloseAsync();
            Assert.Null((await region.Eu.ExistsAsync(region.Under("x"))).Stat);
        }
    }

    [SkippableTheory]
    [InlineData("auth=forward")]
    [InlineData("auth=none")]
    public async Task Credentials_count_in_a_mount_that_forwards_them_and_not_in_one_that_does_not(string options)
    {
        var name = options == "auth=none" ? "s-noauth" : "s-auth";
        await using var region = await MountedRegion.StartAsync(regions, name, options);
        await using var client = await region.ConnectAsync();
        IReadOnlyList<Acl> mine = [new Acl(Permissions.All, "auth", "")];
        await client.AddAuthAsync("digest", Bytes("ann:early"));
        if (options == "auth=none")
        {
            var refused = await Assert.ThrowsAsync<KeeperException>(() => client.CreateAsync(region.Under("early"), acl: mine));
            Assert.Equal(ErrorCode.InvalidAcl, refused.Code);
            return;
        }
        await client.CreateAsync(region.Under("early"), Bytes("1"), acl: mine);
        await client.AddAuthAsync("digest", Bytes("bob:late"));
        await client.CreateAsync(region.Under("late"), Bytes("2"), acl: [new Acl(Permissions.All, "digest", Proxy.Control.ProxySecret.DigestOf("bob:late"))]);
        Assert.Equal("2", Encoding.UTF8.GetString((await client.GetDataAsync(region.Under("late"))).Data!));
        await using var stranger = await region.ConnectAsync();
        Assert.Equal(ErrorCode.NoAuth, (await Assert.ThrowsAsync<KeeperException>(() => stranger.GetDataAsync(region.Under("early")))).Code);
        await client.ReconnectAsync();
        Assert.Equal("1", Encoding.UTF8.GetString((await client.GetDataAsync(region.Under("early"))).Data!));
    }

    [SkippableFact]
    public async Task A_second_holder_of_id_and_password_may_attach()
    {
        await using var region = await MountedRegion.StartAsync(regions, "s-second", proxies: 2);
        using var first = await RawClient.ConnectAsync(region.Proxies[0].Address());
        await first.CallAsync(OpCode.Create, w => new CreateRequest(region.Under("x"), [], [.. Acl.Open], CreateFlags.Ephemeral).Write(w, OpCode.Create));
        using var second = await RawClient.ConnectAsync(region.Proxies[1].Address(), 6000, first.SessionId, first.Password);
        Assert.Equal(first.SessionId, second.SessionId);
        var (header, _) = await second.CallAsync(OpCode.Delete, w => new PathVersionRequest(region.Under("x"), -1).Write(w));
        Assert.Equal(ErrorCode.Ok, header.Error);
        await second.CallAsync(OpCode.CloseSession);
        using var third = await RawClient.ConnectAsync(region.Proxies[0].Address(), 6000, first.SessionId, first.Password);
        Assert.Equal(0, third.SessionId);
    }

    [SkippableFact]
    public async Task A_client_without_the_read_only_byte_is_answered_without_it()
    {
        await using var region = await MountedRegion.StartAsync(regions, "s-old");
        using var old = await RawClient.ConnectAsync(region.Proxy.Address(), readOnly: null);
        Assert.Equal(36, old.ConnectResponseLength);
        Assert.Equal(ErrorCode.Ok, (await old.CallAsync(OpCode.GetChildren, w => new PathWatchRequest(region.Path, false).Write(w))).Header.Error);
        using var modern = await RawClient.ConnectAsync(region.Proxy.Address(), readOnly: true);
        Assert.Equal(37, modern.ConnectResponseLength);
        Assert.Equal(ErrorCode.Ok, (await modern.CallAsync(OpCode.GetChildren, w => new PathWatchRequest(region.Path, false).Write(w))).Header.Error);
    }

    [SkippableFact]
    public async Task A_sasl_token_goes_to_home_and_its_answer_comes_in_turn()
    {
        await using var region = await MountedRegion.StartAsync(regions, "s-sasl");
        using var direct = await RawClient.ConnectAsync(regions.Us.Addresses[0]);
        using var client = await RawClient.ConnectAsync(region.Proxy.Address());
        void Token(JuteWriter writer) => writer.WriteBuffer([1, 2, 3]);
        var expected = await direct.CallAsync(OpCode.Sasl, Token);
        var read = await client.SendAsync(OpCode.GetChildren, w => new PathWatchRequest(region.Path, false).Write(w));
        var token = await client.SendAsync(OpCode.Sasl, Token);
        Assert.Equal(read, (await client.NextAsync()).Header.Xid);
        var answer = await client.NextAsync();
        Assert.Equal((token, expected.Header.Error), (answer.Header.Xid, answer.Header.Error));
        Assert.Equal(expected.Body, answer.Body);
    }

    [SkippableFact]
    public async Task Session_timeouts_are_what_every_cluster_grants()
    {
        Jars.Require();
        await using var slow = await RealEnsemble.StartAsync("slow", new() { TickTimeMs = 1500, Config = ["maxSessionTimeout=7000"] });
        await using var proxy = await Proxies.StartAsync(regions.Us, slow);
        await Eventually.Async(() => proxy.Path.Region.SessionTimeouts == (3000, 7000), $"3000 to 7000 ms, not {proxy.Path.Region.SessionTimeouts}");
        using var hasty = await RawClient.ConnectAsync(proxy.Address(), 0);
        using var patient = await RawClient.ConnectAsync(proxy.Address(), 60_000);
        Assert.Equal((3000, 7000), (hasty.TimeoutMs, patient.TimeoutMs));
    }
}
