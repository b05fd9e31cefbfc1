using System.Collections.Frozen;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Tests.Admin;

public sealed class AdminTests : IAsyncLifetime
{
    private TwoRegions _regions = null!;
    private RunningProxy _proxy = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        await (await _regions.ConnectAsync(_regions.Eu.Address)).CreateAsync("/apps");
        _proxy = await _regions.StartProxyAsync(c => c with { Consistency = ConsistencyMode.Ordered, FourLetterWords = ProxyConfigLoader.KnownWords.Where(w => w != "stmk").ToFrozenSet() });
    }

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    [Fact]
    public void No_file_is_watched_for_changes()
    {
        var configuration = (IConfigurationRoot)_proxy.Host.Services.GetRequiredService<IConfiguration>();
        var files = configuration.Providers.OfType<FileConfigurationProvider>().ToList();

        Assert.NotEmpty(files);
        Assert.DoesNotContain(files, file => file.Source.ReloadOnChange);
    }

    [Fact]
    public async Task Ready_is_503_while_home_is_down_and_says_so_and_live_stays_200()
    {
        Assert.Equal(HttpStatusCode.OK, (await _proxy.Http.GetAsync("/ready")).StatusCode);

        await _regions.Us.DisposeAsync();
        await TwoRegions.Eventually(async () => (await _proxy.Http.GetAsync("/ready")).StatusCode == HttpStatusCode.ServiceUnavailable);

        var reply = await (await _proxy.Http.GetAsync("/ready")).Content.ReadFromJsonAsync<HealthReply>();
        Assert.Equal("not ready", reply!.Status);
        Assert.StartsWith("down since", reply.Details["cluster us"]);
        Assert.Equal("ok", reply.Details["cluster eu"]);
        Assert.Equal(HttpStatusCode.OK, (await _proxy.Http.GetAsync("/live")).StatusCode);
    }

    [Fact]
    public async Task A_remote_cluster_that_is_down_is_in_the_status_and_the_proxy_stays_ready()
    {
        await _proxy.MountAsync("eu:/apps", "/mnt/eu");
        await _regions.Eu.DisposeAsync();
        await TwoRegions.Eventually(async () => !(await _proxy.StatusAsync()).Clusters[1].Up);

        var status = await _proxy.StatusAsync();

        Assert.True(status.Ready);
        Assert.Contains("can't be reached", status.Clusters[1].LastError);
        Assert.False(Assert.Single(status.Mounts).Up);
        Assert.Equal(HttpStatusCode.OK, (await _proxy.Http.GetAsync("/ready")).StatusCode);
        await TwoRegions.Eventually(async () => (await _proxy.StatusAsync()).Clusters[1].Circuit == "open");
    }

    [Fact]
    public async Task Status_counts_sessions_and_requests_per_mount()
    {
        await _proxy.MountAsync("eu:/apps", "/mnt/eu");
        var client = await _regions.ConnectAsync(_proxy.Host.ClientEndPoints[0]);
        await client.CreateAsync("/mnt/eu/x");
        await client.GetDataAsync("/mnt/eu/x");
        await client.GetDataAsync("/mnt/eu/x");

        var status = await _proxy.StatusAsync();

        Assert.Equal((1, 1L), (status.Sessions, status.Connections));
        Assert.Equal((1, 1), (status.Clusters[0].Sessions, status.Clusters[1].Sessions));
        var traffic = Assert.Single(status.Mounts).Traffic!;
        Assert.Equal((1L, 2L), (traffic.Writes!.Value, traffic.Reads!.Value));
        Assert.Null(status.HomeTraffic.Reads);
        Assert.Equal(traffic.Reads, traffic.BarriersNeeded + traffic.AvoidedNothingNew + traffic.AvoidedNotCoupled + traffic.AvoidedNoInterestChange);
    }

    [Fact]
    public async Task Resolve_names_the_cluster_the_remote_path_and_whether_a_read_would_need_a_barrier()
    {
        await _proxy.MountAsync("eu:/apps", "/mnt/eu");

        var there = await _proxy.Http.GetFromJsonAsync<ResolveReply>("/api/v1/resolve?path=/mnt/eu/a/b");
        var beside = await _proxy.Http.GetFromJsonAsync<ResolveReply>("/api/v1/resolve?path=/mnt/eu2");

        Assert.Equal(("eu", "/apps/a/b", "/mnt/eu"), (there!.Cluster, there.RemotePath, there.Mount));
        Assert.Equal(("us", "/mnt/eu2", null), (beside!.Cluster, beside.RemotePath, beside.Mount));
        Assert.NotEmpty(there.Why);
        Assert.Equal(HttpStatusCode.BadRequest, (await _proxy.Http.GetAsync("/api/v1/resolve?path=nope")).StatusCode);
    }

    [Fact]
    public async Task A_read_needs_a_barrier_after_home_was_written_and_none_once_the_server_was_refreshed()
    {
        await _proxy.MountAsync("eu:/apps", "/mnt/eu");
        var client = await _regions.ConnectAsync(_proxy.Host.ClientEndPoints[0]);
        await client.GetDataAsync("/mnt/eu");
        await client.CreateAsync("/written");
        var before = await _proxy.Http.GetFromJsonAsync<ResolveReply>("/api/v1/resolve?path=/mnt/eu");

        await client.GetDataAsync("/mnt/eu");
        var after = await _proxy.Http.GetFromJsonAsync<ResolveReply>("/api/v1/resolve?path=/mnt/eu");

        Assert.True(before!.NeedsBarrier, before.Why);
        Assert.False(after!.NeedsBarrier, after.Why);
    }

    [Fact]
    public async Task One_mount_is_found_by_its_path_also_with_letters_that_a_URL_escapes()
    {
        const string path = "/mnt/50% of Zürich?#";
        var created = await _proxy.Http.PostAsJsonAsync("/api/v1/mounts", new MountBody("eu:/apps", path, null));

        Assert.Equal(HttpStatusCode.Created, created.StatusCode);
        var mount = await _proxy.Http.GetFromJsonAsync<MountInfo>(created.Headers.Location);
        Assert.Equal(path, mount!.Path);
        Assert.Equal(HttpStatusCode.OK, (await _proxy.Http.DeleteAsync(created.Headers.Location)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await _proxy.Http.GetAsync(created.Headers.Location)).StatusCode);
    }

    [Fact]
    public async Task A_body_that_is_no_JSON_is_a_problem_that_says_so()
    {
        var response = await _proxy.Http.PostAsync("/api/v1/mounts", new StringContent("{bad", Encoding.UTF8, "application/json"));

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
        Assert.Contains("the body is no JSON of a mount", (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("detail").GetString());
    }

    [Fact]
    public async Task Metrics_have_ZooKeepers_gauges_and_ours_with_the_mount_as_label()
    {
        await _proxy.MountAsync("eu:/apps", "/mnt/eu");
        var client = await _regions.ConnectAsync(_proxy.Host.ClientEndPoints[0]);
        await client.GetDataAsync("/mnt/eu");

        var text = await _proxy.Http.GetStringAsync("/metrics");

        foreach (var line in new[]
        {
            "num_alive_connections 1",
            "zoonet_ready 1",
            """zoonet_cluster_up{cluster="eu",role="remote"} 1""",
            """zoonet_mount_up{mount="/mnt/eu",cluster="eu"} 1""",
            """zoonet_mount_requests_total{mount="/mnt/eu",cluster="eu",op="read"} 1""",
            """zoonet_barriers_elided_total{mount="/mnt/eu",cluster="eu",rule="not_coupled"} """,
        })
        {
            Assert.Contains(line, text);
        }
        Assert.DoesNotContain("znode_count", text);
        // What promtool checks, too.
        foreach (var type in text.Split('\n').Where(l => l.StartsWith("# TYPE ", StringComparison.Ordinal)).Select(l => l.Split(' ')))
        {
            Assert.Equal(type[3] == "counter", type[2].EndsWith("_total", StringComparison.Ordinal));
            // Summaries and what has no type have ZooKeeper's names, which follow other rules.
            Assert.True(type[3] is "untyped" or "summary" || !Regex.IsMatch(type[2], "_(count|sum|bucket|ms|milliseconds)$"), type[2]);
        }
        Assert.DoesNotContain("zoonet_mount_requests_total{mount=\"/\"", text);
        await _proxy.UnmountAsync("/mnt/eu");
        Assert.DoesNotContain("/mnt/eu", await _proxy.Http.GetStringAsync("/metrics"));
    }

    [Fact]
    public async Task Packets_bytes_and_latency_are_counted_and_stay_when_the_connection_is_gone()
    {
        var client = await _regions.ConnectAsync(_proxy.Host.ClientEndPoints[0]);
        for (var i = 0; i < 10; i++)
        {
            await client.ExistsAsync("/");
        }
        var traffic = _proxy.Host.Path.Traffic;
        var open = traffic.Sums;
        Assert.InRange(open.PacketsReceived, 11, 30);
        Assert.InRange(open.PacketsSent, 11, 30);
        Assert.True(open.BytesReceived > 10 * 20 && open.BytesSent > 10 * 20, open.ToString());
        Assert.Equal(0, open.Outstanding);
        Assert.InRange(traffic.Latency.Count, 10, 30);

        await client.CloseAsync();
        await TwoRegions.Eventually(() => Task.FromResult(traffic.Connections == 0));

        Assert.True(traffic.Sums.PacketsReceived > open.PacketsReceived);
        Assert.Contains("Received: 0\n", await AskAsync("srst") + await AskAsync("srvr"));
    }

    [Theory]
    [InlineData("monitor", "monitor", "num_alive_connections")]
    [InlineData("mntr", "monitor", "uptime")]
    [InlineData("ruok", "ruok", "command")]
    [InlineData("srvr", "server_stats", "server_stats")]
    [InlineData("cons", "connections", "connections")]
    [InlineData("is_read_only", "is_read_only", "read_only")]
    [InlineData("conf", "configuration", "clientPort")]
    public async Task The_AdminServers_commands_answer_in_its_form(string name, string command, string key)
    {
        var json = await _proxy.Http.GetFromJsonAsync<JsonElement>($"/commands/{name}");

        Assert.Equal(command, json.GetProperty("command").GetString());
        Assert.Equal(JsonValueKind.Null, json.GetProperty("error").ValueKind);
        Assert.True(json.TryGetProperty(key, out _));
        if (command is "monitor" or "server_stats")
        {
            // As the words: home's own version first, for clients read the numbers, and ours beside it.
            Assert.Matches(@"^3\.8\.0-zoonet-.*, through ZooNet ", json.GetProperty("version").GetString());
        }
    }

    [Fact]
    public async Task A_command_without_meaning_here_answers_an_error_and_no_500()
    {
        var json = await _proxy.Http.GetFromJsonAsync<JsonElement>("/commands/hash");

        Assert.Contains("has no meaning at a proxy", json.GetProperty("error").GetString());
    }

    [Theory]
    [InlineData("ruok", "imok")]
    [InlineData("isro", "rw")]
    [InlineData("srvr", "Zookeeper version: 3.8.0-zoonet-")]
    [InlineData("srvr", ", through ZooNet ")]
    [InlineData("mntr", "zk_version\t3.8.0-zoonet-")]
    [InlineData("envi", "\nzookeeper.version=3.8.0-zoonet-")]
    [InlineData("stat", "Zookeeper version: 3.8.0-zoonet-")]
    [InlineData("conf", "clientPort=")]
    [InlineData("stat", "Clients:\n")]
    [InlineData("stat", "\nNode count: ")]
    [InlineData("mnts", "eu:/apps on /mnt/eu (rw) active\n")]
    [InlineData("stmk", "stmk is not executed because it is not in the whitelist.\n")]
    public async Task Four_letter_words_are_answered_as_ZooKeeper_does(string word, string answer)
    {
        await _proxy.MountAsync("eu:/apps", "/mnt/eu");
        Assert.Contains(answer, await AskAsync(word));
    }

    [Fact]
    public async Task Isro_has_no_newline_because_clients_compare_the_whole_answer() => Assert.Equal("rw", await AskAsync("isro"));

    [Fact]
    public async Task While_home_is_down_srvr_says_what_ZooKeeper_says_without_a_quorum()
    {
        await _regions.Us.DisposeAsync();
        await TwoRegions.Eventually(() => Task.FromResult(!_proxy.IsUp(0)));

        Assert.Equal("This ZooKeeper instance is not currently serving requests\n", await AskAsync("srvr"));
        Assert.Equal("imok", await AskAsync("ruok"));
        Assert.Equal("null", await AskAsync("isro"));
    }

    [Fact]
    public async Task A_home_server_that_does_not_say_its_version_is_shown_as_one_that_promises_nothing()
    {
        await _regions.Us.DisposeAsync();

        // kazoo reads the digits and dots at the start, and wants two numbers at least.
        Assert.Matches(@"\nzookeeper\.version=0\.0\.0-unknown, .*, through ZooNet ", await AskAsync("envi"));
    }

    [Fact]
    public async Task A_client_that_comes_before_home_is_up_is_served_when_it_is()
    {
        var address = _regions.Us.Address;
        await _regions.Us.DisposeAsync();
        var proxy = await _regions.StartProxyAsync(waitReady: false);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await proxy.Http.GetAsync("/ready")).StatusCode);
        var connecting = _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);

        await using var us = await ZooNet.Server.EmbeddedServer.StartAsync(new() { Listen = address, Epoch = 3 });

        var client = await connecting.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.True((await client.ExistsAsync("/zookeeper/zoonet/mounts")).Exists);
    }

    private async Task<string> AskAsync(string word)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(_proxy.Host.ClientEndPoints[0]);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(word));
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(10));
    }
}
