using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using ZooNet.Client;

namespace ZooNet.WebConsole;

/// <summary>
/// Who browses the namespace, and the ZooKeeper sessions that are open for them. Credentials stay in memory only, for
/// <see cref="Kept"/> after their last use; the browser holds a random name for them. Thread-safe.
/// </summary>
internal sealed class Visitors(TimeProvider time) : IAsyncDisposable
{
    /// <summary>How long credentials are kept that nobody uses.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromMinutes(30);

    /// <summary>How long a session stays open that nobody uses.</summary>
    private static readonly TimeSpan SessionKept = TimeSpan.FromSeconds(60);

    private const int MaxVisitors = 1000;
    private const int MaxSessions = 100;

    private readonly ConcurrentDictionary<string, Visitor> _visitors = new();
    private readonly ConcurrentDictionary<(string? Key, string Servers), Open> _sessions = new();
    private readonly SemaphoreSlim _connecting = new(1, 1);

    /// <summary>Keeps credentials and gives the name that the browser holds.</summary>
    public string Add(string user, string password)
    {
        Sweep();
        if (_visitors.Count >= MaxVisitors)
        {
            throw new ProxyRefusedException($"{MaxVisitors} users are known already; try again in some minutes");
        }
        var key = Convert.ToHexString(RandomNumberGenerator.GetBytes(16));
        _visitors[key] = new Visitor(user, password) { UsedAt = time.GetTimestamp() };
        return key;
    }

    /// <summary>The user of a browser; null where it has none, or not any more.</summary>
    public string? UserOf(string? key) => Find(key)?.User;

    /// <summary>Forgets a browser's credentials and ends its sessions.</summary>
    public async Task ForgetAsync(string? key)
    {
        if (key is not null && _visitors.TryRemove(key, out _))
        {
            foreach (var (id, open) in _sessions.Where(s => s.Key.Key == key))
            {
                _sessions.TryRemove(id, out _);
                await open.Client.DisposeAsync();
            }
        }
    }

    /// <summary>A ZooKeeper session of the visitor at one of these servers.</summary>
    public async Task<ZooKeeperClient> ConnectAsync(string? key, IReadOnlyList<ServerAddress> servers, CancellationToken cancellationToken)
    {
        var visitor = Find(key);
        var id = (visitor is null ? null : key, string.Join(',', servers));
        await _connecting.WaitAsync(cancellationToken);
        try
        {
            await SweepSessionsAsync();
            if (_sessions.TryGetValue(id, out var open))
            {
                open.UsedAt = time.GetTimestamp();
                return open.Client;
            }
            if (_sessions.Count >= MaxSessions)
            {
                throw new ProxyRefusedException($"{MaxSessions} sessions are open already; try again in a minute");
            }
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(TimeSpan.FromSeconds(5));
            var client = await ZooKeeperClient.ConnectAsync(
                new ZooKeeperClientOptions
                {
                    Servers = servers,
                    Auth = visitor is null ? [] : [new AuthCredentials("digest",
                        Encoding.UTF8.GetBytes($"{visitor.User}:{visitor.Password}"))],
                },
                limit.Token);
            _sessions[id] = new Open(client) { UsedAt = time.GetTimestamp() };
            return client;
        }
        finally
        {
            _connecting.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_sessions.Values.Select(s => s.Client.DisposeAsync().AsTask()));
        _connecting.Dispose();
    }

    private Visitor? Find(string? key)
    {
        Sweep();
        if (key is null || !_visitors.TryGetValue(key, out var visitor))
        {
            return null;
        }
        visitor.UsedAt = time.GetTimestamp();
        return visitor;
    }

    private void Sweep()
    {
        foreach (var (key, visitor) in _visitors.Where(v => time.GetElapsedTime(v.Value.UsedAt) > Kept))
        {
            _visitors.TryRemove(key, out _);
        }
    }

    private async Task SweepSessionsAsync()
    {
        foreach (var (id, open) in _sessions.Where(s => time.GetElapsedTime(s.Value.UsedAt) > SessionKept))
        {
            _sessions.TryRemove(id, out _);
            await open.Client.DisposeAsync();
        }
    }

    private sealed record Visitor(string User, string Password)
    {
        public long UsedAt { get; set; }
    }

    private sealed record Open(ZooKeeperClient Client)
    {
        public long UsedAt { get; set; }
    }
}
