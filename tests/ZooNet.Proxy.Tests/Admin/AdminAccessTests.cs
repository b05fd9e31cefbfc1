using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Tests.Admin;

/// <summary>Who may ask the admin endpoint what: by address, by token, and never a page of another site.</summary>
public sealed class AdminAccessTests : IAsyncLifetime
{
    private const string AdminToken = "an-admin-token-of-the-tests";
    private const string ViewToken = "a-view-token-of-the-tests";
    private readonly List<string> _log = [];
    private TwoRegions _regions = null!;
    private RunningProxy _proxy = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        _proxy = await _regions.StartProxyAsync(
            c => c with
            {
                Admin = new HostPort("0.0.0.0", 0),
                AdminTokens = [AdminToken],
                ViewTokens = ["another-view-token-here", ViewToken],
            },
            s => s.AddLogging(l => l.AddProvider(new Lines(_log)).AddFilter("ZooNet.Audit", LogLevel.Information)), waitReady: false);
        using var local = Client(IPAddress.Loopback);
        await TwoRegions.Eventually(async () => (await local.GetAsync("/ready")).IsSuccessStatusCode && _proxy.IsUp(1));
    }

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    [Theory]
    [InlineData("evil.example:9181", null, HttpStatusCode.Forbidden)]
    [InlineData("evil.example", "http://evil.example", HttpStatusCode.Forbidden)]
    [InlineData(null, "http://evil.example", HttpStatusCode.Forbidden)]
    [InlineData(null, "null", HttpStatusCode.Forbidden)]
    [InlineData("localhost:9181", null, HttpStatusCode.Created)]
    [InlineData("127.0.0.1:9181", "http://127.0.0.1:9181", HttpStatusCode.Created)]
    [InlineData("[::1]:9181", null, HttpStatusCode.Created)]
    public async Task A_page_in_a_browser_of_this_host_can_change_nothing_also_by_a_name_that_was_bound_anew(
        string? host, string? origin, HttpStatusCode expected)
    {
        using var client = Client(IPAddress.Loopback);
        client.DefaultRequestHeaders.Host = host;
        if (origin is not null)
        {
            client.DefaultRequestHeaders.Add("Origin", origin);
        }

        Assert.Equal(expected, (await MountAsync(client)).StatusCode);
        Assert.Equal(expected == HttpStatusCode.Created, _proxy.Host.Services.GetRequiredService<StatusReporter>().Mounts().Mounts.Any());
    }

    [Fact]
    public async Task Whoever_may_write_to_the_files_of_the_socket_needs_no_token_and_a_left_one_is_in_nobodys_way()
    {
        var folder = Directory.CreateTempSubdirectory("zoonet-socket-").FullName;
        var file = Path.Combine(folder, "admin.sock");
        using (var killed = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            killed.Bind(new UnixDomainSocketEndPoint(file + ".old"));
            // Its end takes away what it was bound to, and not this.
            File.Move(file + ".old", file);
        }
        var proxy = await _regions.StartProxyAsync(c => c with { AdminSocket = file },
            s => s.AddLogging(l => l.AddProvider(new Lines(_log)).AddFilter("ZooNet.Audit", LogLevel.Information)), waitReady: false);
        using var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(file), cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        using var client = new HttpClient(handler) { BaseAddress = new Uri("http://localhost") };
        await TwoRegions.Eventually(async () => (await client.GetAsync("/ready")).IsSuccessStatusCode && proxy.IsUp(1));

        Assert.Equal(HttpStatusCode.Created, (await MountAsync(client)).StatusCode);
        lock (_log)
        {
            Assert.Contains(_log, l => l.Contains("\"from\":\"unix\",\"role\":\"admin\",\"action\":\"mount\"", StringComparison.Ordinal));
        }
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite,
            new FileInfo(file).UnixFileMode);
        var second = await Assert.ThrowsAsync<IOException>(
            () => _regions.StartProxyAsync(c => c with { AdminSocket = file }, waitReady: false));
        Assert.Contains("another program listens there", second.Message, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData(true, null, HttpStatusCode.Created)]
    [InlineData(true, "evil.example:9181", HttpStatusCode.Forbidden)]
    [InlineData(true, "evil:9181", HttpStatusCode.Forbidden)]
    [InlineData(false, null, HttpStatusCode.Created)]
    [InlineData(false, "zoonet:9181", HttpStatusCode.Created)]
    [InlineData(false, "evil.example:9181", HttpStatusCode.Forbidden)]
    public async Task Insecure_needs_no_token_from_anywhere_and_a_page_of_another_site_stays_out(
        bool isLocal, string? host, HttpStatusCode expected)
    {
        var insecure = await _regions.StartProxyAsync(
            c => c with { Admin = new HostPort("0.0.0.0", 0), Insecure = true }, waitReady: false);
        using var client = Client(isLocal ? IPAddress.Loopback : OtherAddress(), insecure);
        await TwoRegions.Eventually(async () => (await client.GetAsync("/ready")).IsSuccessStatusCode && insecure.IsUp(1));
        client.DefaultRequestHeaders.Host = host;

        Assert.Equal(expected, (await MountAsync(client)).StatusCode);
        Assert.Equal(expected == HttpStatusCode.Created, insecure.Host.Services.GetRequiredService<StatusReporter>().Mounts().Mounts.Any());
    }

    [Theory]
    [InlineData(null, HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized)]
    [InlineData("Bearer wrong", HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized)]
    [InlineData("Basic " + AdminToken, HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized)]
    [InlineData("Bearer " + ViewToken, HttpStatusCode.OK, HttpStatusCode.Forbidden)]
    [InlineData("Bearer " + AdminToken, HttpStatusCode.OK, HttpStatusCode.Created)]
    public async Task From_another_host_a_token_is_needed_and_its_role_decides(
        string? authorization, HttpStatusCode looking, HttpStatusCode changing)
    {
        using var client = Client(OtherAddress());
        if (authorization is not null)
        {
            client.DefaultRequestHeaders.Authorization = AuthenticationHeaderValue.Parse(authorization);
        }

        Assert.Equal(looking, (await client.GetAsync("/api/v1/status")).StatusCode);
        Assert.Equal(looking, (await client.GetAsync("/metrics")).StatusCode);
        Assert.Equal(changing, (await MountAsync(client)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/ready")).StatusCode);
        var ready = await client.GetStringAsync("/ready");
        Assert.Equal(looking == HttpStatusCode.OK, ready.Contains("cluster eu", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/live")).StatusCode);
    }

    [Fact]
    public async Task Changes_and_refused_attempts_are_in_the_log_a_line_of_JSON_each_and_tokens_never_are()
    {
        using var local = Client(IPAddress.Loopback);
        await MountAsync(local);
        using var other = Client(OtherAddress());
        other.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "a-token-that-is-wrong");
        await other.DeleteAsync("/api/v1/mounts/mnt/eu");
        await local.DeleteAsync("/api/v1/mounts/mnt/eu");

        List<string> lines;
        lock (_log)
        {
            lines = [.. _log];
        }
        Assert.Collection(lines.Where(l => l.StartsWith('{')),
            mount => Assert.Matches("\"from\":\"127.0.0.1\",\"role\":\"admin\",\"action\":\"mount\",\"target\":\"/mnt/eu\",\"before\":null,"
                + "\"after\":\"eu:/apps .*\"result\":\"eu:/apps is mounted on /mnt/eu\"", mount),
            refused => Assert.Matches("\"role\":null,\"action\":\"refused\",\"target\":\"DELETE /api/v1/mounts/mnt/eu\"", refused),
            unmount => Assert.Matches("\"action\":\"unmount\",\"target\":\"/mnt/eu\",\"before\":\"eu:/apps .*\",\"after\":null", unmount));
        Assert.DoesNotContain(lines, l => l.Contains("token-that-is", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_body_that_is_no_JSON_or_too_long_is_its_senders_error_and_no_stack_in_the_log()
    {
        using var local = Client(IPAddress.Loopback);

        var bad = await local.PostAsync("/api/v1/mounts", new StringContent("{\"source\": [", Encoding.UTF8, "application/json"));
        var long70 = new StringContent(new string(' ', 70_000) + "{}", Encoding.UTF8, "application/json");
        var large = await local.PostAsync("/api/v1/mounts", long70);

        Assert.Equal(HttpStatusCode.BadRequest, bad.StatusCode);
        var text = await bad.Content.ReadAsStringAsync();
        Assert.Contains("the body is no JSON of a mount", text, StringComparison.Ordinal);
        Assert.DoesNotContain("ZooNet.", text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, large.StatusCode);
        lock (_log)
        {
            Assert.DoesNotContain(_log, l => l.Contains("xception", StringComparison.Ordinal));
        }
    }

    private static Task<HttpResponseMessage> MountAsync(HttpClient client) =>
        client.PostAsJsonAsync("/api/v1/mounts", new MountBody("eu:/apps", "/mnt/eu", "create"));

    private HttpClient Client(IPAddress address, RunningProxy? proxy = null) =>
        new() { BaseAddress = new Uri($"http://{address}:{(proxy ?? _proxy).Host.AdminEndPoint.Port}") };

    /// <summary>An address of this host that is not the loopback's: what comes to it comes from it, too.</summary>
    private static IPAddress OtherAddress()
    {
        using var socket = new Socket(SocketType.Dgram, ProtocolType.Udp);
        // Nothing is sent: this asks the routing table only.
        socket.Connect(IPAddress.Parse("192.0.2.1"), 9);
        return ((IPEndPoint)socket.LocalEndPoint!).Address.MapToIPv4();
    }

    private sealed class Lines(List<string> lines) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (lines)
            {
                lines.Add($"{formatter(state, exception)}{exception}");
            }
        }

        public void Dispose()
        {
        }
    }
}
