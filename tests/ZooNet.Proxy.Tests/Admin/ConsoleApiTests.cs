using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using ZooNet.Proxy.Admin;

namespace ZooNet.Proxy.Tests.Admin;

public sealed class ConsoleApiTests : IAsyncLifetime
{
    private TwoRegions _regions = null!;
    private RunningProxy _proxy = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        await (await _regions.ConnectAsync(_regions.Eu.Address)).CreateAsync("/apps");
        _proxy = await _regions.StartProxyAsync();
    }

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    [Fact]
    public async Task Sessions_show_each_client_with_its_links_and_what_it_owns_there()
    {
        await _proxy.MountAsync("eu:/apps", "/mnt/eu");
        var client = await _regions.ConnectAsync(_proxy.Host.ClientEndPoints[0]);
        await client.CreateAsync("/mnt/eu/x", flags: Protocol.CreateFlags.Ephemeral);
        await client.GetDataAsync("/mnt/eu/x", watch: true);

        var list = await _proxy.Http.GetFromJsonAsync<SessionList>("/api/v1/sessions");

        var session = Assert.Single(list!.Sessions);
        Assert.Equal((1, 0, null), (list.Total, list.Waiting, session.WaitsFor));
        Assert.Equal($"0x{client.SessionId:x}", session.Session);
        Assert.Equal(["us", "eu"], session.Links.Select(l => l.Cluster));
        Assert.All(session.Links, link => Assert.Equal("ready", link.Phase));
        Assert.Equal((null, null), (session.Links[0].Watches, session.Links[0].Ephemerals));
        Assert.Equal((1, 1), (session.Links[1].Watches, session.Links[1].Ephemerals));
    }

    [Fact]
    public async Task A_client_that_waits_for_a_cluster_that_is_away_is_shown_first_with_what_it_waits_for()
    {
        await _proxy.MountAsync("eu:/apps", "/mnt/eu");
        await _regions.ConnectAsync(_proxy.Host.ClientEndPoints[0]);
        var client = await _regions.ConnectAsync(_proxy.Host.ClientEndPoints[0]);
        await _regions.Eu.DisposeAsync();
        // Takes connections and answers nobody, as a server does that hangs.
        using var hanging = new TcpListener(_regions.Eu.Address);
        hanging.Start();
        var read = client.GetDataAsync("/mnt/eu");

        SessionList? list = null;
        await TwoRegions.Eventually(async () =>
            read.IsCompleted || (list = await _proxy.Http.GetFromJsonAsync<SessionList>("/api/v1/sessions?limit=1"))!.Waiting == 1);

        Assert.False(read.IsCompleted, "the read was answered before it was seen to wait");
        Assert.Equal(2, list!.Total);
        Assert.Equal("a link to eu before /mnt/eu", Assert.Single(list.Sessions).WaitsFor);
        hanging.Dispose();
        await Assert.ThrowsAnyAsync<Exception>(() => read);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("1001")]
    public async Task A_limit_that_is_out_of_range_is_refused(string limit)
    {
        Assert.Equal(HttpStatusCode.BadRequest, (await _proxy.Http.GetAsync($"/api/v1/sessions?limit={limit}")).StatusCode);
    }

    [Fact]
    public async Task Events_come_as_they_happen_and_from_where_a_reader_left_off()
    {
        var before = await _proxy.Http.GetFromJsonAsync<ProxyEvent[]>("/api/v1/events/recent");
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/events");
        request.Headers.Add("Last-Event-ID", before![^1].Id.ToString());
        using var response = await _proxy.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());

        await _proxy.MountAsync("eu:/apps", "/mnt/eu");

        var seen = new List<string>();
        while (!seen.Exists(line => line.Contains("eu:/apps on /mnt/eu is active")))
        {
            seen.Add((await lines.ReadLineAsync())!);
        }
        Assert.Contains("event: mount", seen);
        Assert.DoesNotContain($"id: {before[^1].Id}", seen);
    }

    [Fact]
    public async Task A_reader_of_events_does_not_hold_up_a_proxy_that_stops()
    {
        using var response = await _proxy.Http.GetAsync("/api/v1/events", HttpCompletionOption.ResponseHeadersRead);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());

        await _proxy.Host.StopAsync();

        var rest = await lines.ReadToEndAsync();
        Assert.Contains("event: drain", rest);
    }

    [Fact]
    public async Task History_tells_every_change_of_a_mount_also_those_made_through_another_proxy()
    {
        var other = await _regions.StartProxyAsync(c => c with { ProxyId = "other" });
        await _proxy.MountAsync("eu:/apps", "/mnt/eu");
        await _proxy.UnmountAsync("/mnt/eu");

        MountHistory? history = null;
        await TwoRegions.Eventually(async () =>
            (history = await other.Http.GetFromJsonAsync<MountHistory>("/api/v1/history"))!.Changes.Any(c =>
                c.Text.StartsWith("/mnt/eu is unmounted")));

        Assert.All(history!.Changes, change => Assert.Equal(("mount", "eu", "/mnt/eu"), (change.Kind, change.Cluster, change.Mount)));
        Assert.Contains(history.Changes, change => change.Text == "eu:/apps on /mnt/eu is active");
    }

    [Fact]
    public async Task A_dry_run_says_who_must_acknowledge_and_changes_nothing()
    {
        DryRunReply? dryRun = null;
        // A proxy that has just started has not read all records yet, and says so.
        await TwoRegions.Eventually(async () => !(dryRun = await DryRunAsync("eu:/apps", "/mnt/eu", "ro")).Barriers.StartsWith("not known", StringComparison.Ordinal));
        var reply = dryRun!;

        Assert.True(reply.Allowed, string.Join("; ", reply.Refusals));
        Assert.Equal("eu:/apps can be mounted on /mnt/eu (ro)", reply.Message);
        Assert.Equal(["us:/mnt/eu"], reply.WouldCreate);
        Assert.StartsWith("none: no cycle", reply.Barriers);
        Assert.Matches("^proxy .* of region us$", Assert.Single(reply.MustAcknowledge));
        Assert.Empty(await _proxy.MountsAsync());
        Assert.False((await (await _regions.ConnectAsync(_regions.Us.Address)).ExistsAsync("/mnt")).Exists);
    }

    [Fact]
    public async Task A_dry_run_gives_all_reasons_to_refuse_and_mounting_gives_the_same()
    {
        var us = await _regions.ConnectAsync(_regions.Us.Address);
        await us.CreateAsync("/full");
        await us.CreateAsync("/full/child");

        var reply = await DryRunAsync("eu:/nothing", "/full");

        Assert.False(reply.Allowed);
        Assert.Equal(2, reply.Refusals.Count);
        Assert.Contains((await _proxy.MountAsync("eu:/nothing", "/full")).Message, reply.Refusals);
        Assert.Contains((await _proxy.MountAsync("eu:/apps", "/full")).Message, reply.Refusals);
        Assert.Contains("eu:/nothing", (await DryRunAsync("eu:/nothing", "/mnt/eu", "create")).WouldCreate);
    }

    [Fact]
    public async Task A_dry_run_names_the_cycle_that_a_mount_would_close_and_an_unmount_would_open()
    {
        await (await _regions.ConnectAsync(_regions.Us.Address)).CreateAsync("/apps");
        var eu = await _regions.StartProxyAsync(TwoRegions.InEu);
        await eu.MountAsync("us:/apps", "/mnt/us");
        DryRunReply? mount = null;
        // Us learns of the region eu from the record that eu keeps in us.
        await TwoRegions.Eventually(async () => (mount = await DryRunAsync("eu:/apps", "/mnt/eu")).NewCycle);

        Assert.Equal(["cluster eu", "cluster us", "view eu", "view us"], mount!.Cycle.Order());
        Assert.StartsWith("reads wait for one from then on", mount.Barriers);
        Assert.Equal(["eu"], mount.AlsoConcerned);
        Assert.Equal(2, mount.MustAcknowledge.Count);

        await _proxy.MountAsync("eu:/apps", "/mnt/eu");
        DryRunReply? unmount = null;
        await TwoRegions.Eventually(async () => (unmount = await DryRunAsync(null, "/mnt/eu")).NewCycle);
        Assert.Empty(unmount!.Cycle);
        Assert.True(unmount.Allowed);
        Assert.False((await DryRunAsync(null, "/elsewhere")).Allowed);
    }

    [Fact]
    public async Task A_dry_run_of_no_path_is_a_bad_request()
    {
        Assert.Equal(HttpStatusCode.BadRequest,
            (await _proxy.Http.PostAsJsonAsync("/api/v1/dry-run", new DryRunBody(null, "nope"))).StatusCode);
    }

    [Fact]
    public void Flapping_clusters_do_not_wash_out_the_history_of_mounts()
    {
        var log = new EventLog(TimeProvider.System);
        log.Add(EventLog.MountKind, "eu:/apps on /mnt/eu is active", "eu", "/mnt/eu");
        for (var i = 0; i < EventLog.Kept; i++)
        {
            log.Add("cluster-down", "eu is down", "eu");
        }

        Assert.Equal(EventLog.Kept, log.After(0).Count);
        Assert.DoesNotContain(log.After(0), e => e.Kind == EventLog.MountKind);
        Assert.Single(log.Mounts);
    }

    private async Task<DryRunReply> DryRunAsync(string? source, string path, string? options = null)
    {
        var response = await _proxy.Http.PostAsJsonAsync("/api/v1/dry-run", new DryRunBody(source, path, options));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (await response.Content.ReadFromJsonAsync<DryRunReply>())!;
    }
}
