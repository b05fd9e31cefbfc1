using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Hosting;

namespace ZooNet.Proxy.Tests.Configuration;

/// <summary>A proxy that runs takes over what is different in its file.</summary>
public sealed class ReloadTests : IAsyncLifetime, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("zoonet-reload-").FullName;
    private readonly LogLines _log = new();
    private TwoRegions _regions = null!;
    private ProxyHost _proxy = null!;
    private HttpClient _http = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        await File.WriteAllTextAsync(Path.Combine(_folder, "admins"), "the-first-of-the-tokens\n");
        _proxy = new ProxyHost(Read("127.0.0.1:9", "warning").Config!, logging => logging.AddProvider(_log));
        await _proxy.StartAsync();
        _http = new HttpClient { BaseAddress = new Uri($"http://{_proxy.AdminEndPoint}") };
    }

    public async Task DisposeAsync()
    {
        await _proxy.DisposeAsync();
        await _regions.DisposeAsync();
    }

    public void Dispose()
    {
        _http.Dispose();
        _log.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_remote_whose_servers_were_wrong_is_reached_after_they_are_mended_in_the_file()
    {
        var change = _proxy.Reload(Read($"127.0.0.1:{_regions.Eu.Address.Port}", "warning"));

        Assert.Equal(["remotes.eu.servers"], change.Changed);
        await TwoRegions.Eventually(async () => (await _http.GetFromJsonAsync<StatusReply>("/api/v1/status"))!.Clusters[1].Up);
        var clusters = await _http.GetFromJsonAsync<List<ClusterServersInfo>>("/api/v1/clusters");
        var server = Assert.Single(clusters![1].Servers);
        Assert.Equal((_regions.Eu.Address.ToString(), "configuration"), (server.Address, clusters[1].Source));
        Assert.NotNull(server.RttMs);
        var values = await _http.GetFromJsonAsync<List<ConfigValue>>("/api/v1/config");
        Assert.Equal(server.Address, values!.Single(v => v.Key == "remotes.eu.servers").Text);
    }

    [Fact]
    public async Task A_token_that_is_exchanged_in_its_file_counts_at_once_and_the_old_one_no_more()
    {
        Assert.Equal(HttpStatusCode.OK, await AskAsync("the-first-of-the-tokens"));
        await File.WriteAllTextAsync(Path.Combine(_folder, "admins"), "the-second-of-the-tokens\n");
        Assert.Equal(["adminTokens.admin"], _proxy.Reload(Read("127.0.0.1:9", "warning")).Changed);

        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync("the-first-of-the-tokens"));
        Assert.Equal(HttpStatusCode.OK, await AskAsync("the-second-of-the-tokens"));
    }

    [Fact]
    public void A_lower_log_level_shows_lines_that_were_not_shown_before_and_a_refusal_is_an_error_in_the_log()
    {
        _proxy.Reload(Read("127.0.0.1:9", "information"));
        Assert.Contains(_log.Lines, l => l == "the configuration was read again, and changed: logLevel");

        _proxy.Reload(Read("127.0.0.1:9", "critical", region: "ap"));
        const string Refusal = "the configuration was read again, and nothing of it is taken over: region can't be changed";
        Assert.Contains(_log.Lines, l => l.StartsWith(Refusal, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_limit_that_is_changed_holds_for_clients_that_are_there()
    {
        var client = await _regions.ConnectAsync(_proxy.ClientEndPoints[0]);
        await client.AddWatchAsync("/a", AddWatchMode.PersistentRecursive);
        Assert.Equal(["limits.watches"], _proxy.Reload(Read("127.0.0.1:9", "warning", watches: 1)).Changed);

        await Assert.ThrowsAsync<KeeperException>(() => client.AddWatchAsync("/b", AddWatchMode.PersistentRecursive));
    }

    private async Task<HttpStatusCode> AskAsync(string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/status");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await _http.SendAsync(request);
        return response.StatusCode;
    }

    private ConfigResult Read(string eu, string level, string region = "us", int watches = 10)
    {
        var file = Path.Combine(_folder, "zoonet.json");
        File.WriteAllText(file, JsonSerializer.Serialize(new
        {
            region,
            listen = "127.0.0.1:0",
            admin = "127.0.0.1:0",
            adminTokens = new { admin = Path.Combine(_folder, "admins") },
            home = new { cluster = "us", servers = $"127.0.0.1:{_regions.Us.Address.Port}" },
            remotes = new { eu = new { servers = eu } },
            secret = "zoonet:of-the-tests",
            logLevel = level,
            limits = new { watches },
        }));
        return ProxyConfigLoader.Load(file, null, new Dictionary<string, string>());
    }

    private sealed class LogLines : ILoggerProvider, ILogger
    {
        private readonly Lock _lock = new();
        private readonly List<string> _lines = [];

        public IReadOnlyList<string> Lines
        {
            get
            {
                lock (_lock)
                {
                    return [.. _lines];
                }
            }
        }

        public ILogger CreateLogger(string categoryName) => this;

        public void Dispose()
        {
        }

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?,
            string> formatter)
        {
            lock (_lock)
            {
                _lines.Add(formatter(state, exception));
            }
        }
    }
}
