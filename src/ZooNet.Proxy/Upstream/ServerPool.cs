using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Transport;
using ZooNet.Server;

namespace ZooNet.Proxy.Upstream;

/// <summary>
/// Chooses the server of a cluster for a link and connects to it. Home servers take turns, behind the proxy's own observer; a remote cluster is read through one
/// server, the first that answers in the configured order, observers first: the others stand by. Names are resolved at each
/// connect (see <see cref="HostNames"/>), and every address behind a name is a server of its own. Thread-safe.
/// </summary>
public sealed class ServerPool
{
    /// <summary>How long a server is remembered that is none of the cluster's any more: it may come back.</summary>
    public static readonly TimeSpan Remembered = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan OwnServerPause = TimeSpan.FromMilliseconds(20);

    private readonly ConcurrentDictionary<IPEndPoint, UpstreamServer> _servers = new();
    private readonly ConcurrentDictionary<IPEndPoint, Listing> _listed = new();
    private readonly Func<IPEndPoint, UpstreamServer> _make;
    private readonly Lock _lock = new();
    private readonly ServerDirectory _directory;
    private readonly Region _region;
    private readonly ClusterConfig _cluster;
    private readonly ClusterServers _addresses;
    private readonly TimeSpan _connectTimeout;
    private readonly TimeProvider _time;
    private readonly HostNames _names;
    private readonly Func<IOwnServer?> _embedded;
    private int _turn;
    private long _downUntil;
    private long _stayUntil;
    private volatile string? _lastError;
    private readonly ConcurrentDictionary<UpstreamServer, long> _distrusted = new();
    private UpstreamServer? _current;

    /// <summary>
    /// Raised when a remote cluster is read through another server than before, before the first link to it is used: while the handlers
    /// run, sessions of this proxy may read the cluster through both.
    /// </summary>
    public event Action<UpstreamServer>? Switched;

    /// <summary>Makes the pool of one cluster.</summary>
    /// <param name="region">What is known of all clusters.</param>
    /// <param name="cluster">The cluster.</param>
    /// <param name="barriers">Carries barriers to its servers.</param>
    /// <param name="directory">Where its servers are entered.</param>
    /// <param name="connectTimeout">How long a server may take to take a connection.</param>
    /// <param name="time">The clock.</param>
    /// <param name="embedded">The proxy's own server of it, once there is one.</param>
    /// <param name="addresses">Its addresses as they are known; null for those that are configured.</param>
    /// <param name="lookup">Asks the resolver; by default the system's.</param>
    public ServerPool(Region region, ClusterConfig cluster, IBarrierTransport barriers, ServerDirectory directory, TimeSpan connectTimeout,
        TimeProvider time, Func<IOwnServer?>? embedded = null, ClusterServers? addresses = null,
        Func<string, Task<IPAddress[]>>? lookup = null)
    {
        _addresses = addresses ?? new ClusterServers(cluster);
        _embedded = embedded ?? (static () => null);
        _region = region;
        _cluster = cluster;
        _connectTimeout = connectTimeout;
        _time = time;
        _names = new HostNames(time, lookup);
        _directory = directory;
        _make = endpoint =>
        {
            var isFar = _listed.GetValueOrDefault(endpoint)?.IsNear != true;
            var server = new UpstreamServer(region, cluster.Ordinal, endpoint.ToString(), barriers) { IsFar = isFar };
            directory.Add(server, endpoint, HostOf(endpoint), OwnAt(endpoint));
            return server;
        };
    }

    /// <summary>The servers met so far, with their freshness.</summary>
    public IEnumerable<UpstreamServer> Servers => _servers.Values;

    /// <summary>The server that the last link went to; null before the first.</summary>
    public UpstreamServer? Current => Volatile.Read(ref _current);

    /// <summary>Why the last attempt failed; null after one that succeeded.</summary>
    public string? LastError => _lastError;

    /// <summary>Why no server of the cluster may be used; null where they may.</summary>
    public string? Refusal { get; set => Volatile.Write(ref field, value); }

    /// <summary>Forgets how fresh the servers are: they are not what they were.</summary>
    public void Forget()
    {
        foreach (var server in _servers.Values)
        {
            server.Forget();
        }
    }

    /// <summary>A server took no connection, or did not serve one: for two seconds others are tried first.</summary>
    public void Distrust(UpstreamServer server) => _distrusted[server] = _time.GetTimestamp() + 2 * _time.TimestampFrequency;

    /// <summary>The addresses of the cluster's servers, in order of preference. Names are resolved anew.</summary>
    public async Task<IReadOnlyList<string>> AddressesAsync(CancellationToken cancellationToken) =>
        [.. (await ResolveAsync(cancellationToken)).Select(e => e.ToString())];

    /// <summary>
    /// The servers met that are none of the cluster's any more. One whose name can't be resolved now may still be one, and so may any
    /// other be behind that name; the proxy's own observer is no server of the cluster's list and never among them.
    /// </summary>
    /// <returns>Null while a name can't be resolved.</returns>
    public async Task<IReadOnlySet<UpstreamServer>?> GoneAsync(CancellationToken cancellationToken)
    {
        var found = await LookUpAsync(cancellationToken);
        if (found.Any(f => f.Addresses.Count == 0))
        {
            return null;
        }
        var there = found.SelectMany(f => f.Addresses.Select(address => new IPEndPoint(address, f.Server.Port))).ToHashSet();
        return _servers.Where(s => !there.Contains(s.Key) && _listed.GetValueOrDefault(s.Key)?.IsOwn != true)
            .Select(s => s.Value).ToHashSet();
    }

    /// <summary>Forgets the servers that have been none of the cluster's for <see cref="Remembered"/>.</summary>
    /// <param name="isUsed">Whether a client is linked to one: it stays then.</param>
    /// <param name="cancellationToken">Ends the wait for the resolver.</param>
    /// <returns>The servers that are forgotten.</returns>
    public async Task<IReadOnlyList<UpstreamServer>> ForgetGoneAsync(Func<UpstreamServer, bool> isUsed, CancellationToken cancellationToken)
    {
        await ResolveAsync(cancellationToken);
        _names.KeepOnly(_addresses.InOrder.Select(a => a.Host));
        var forgotten = new List<UpstreamServer>();
        foreach (var (endpoint, listing) in _listed)
        {
            if (_time.GetElapsedTime(listing.LastSeen) < Remembered)
            {
                continue;
            }
            lock (_lock)
            {
                if (_servers.TryGetValue(endpoint, out var server))
                {
                    if (server == Current || isUsed(server))
                    {
                        continue;
                    }
                    _servers.TryRemove(endpoint, out _);
                    _distrusted.TryRemove(server, out _);
                    _directory.Remove(server);
                    forgotten.Add(server);
                }
                _listed.TryRemove(endpoint, out _);
            }
        }
        return forgotten;
    }

    /// <summary>How many addresses and names are remembered.</summary>
    internal (int Addresses, int Names) Kept => (_listed.Count, _names.Count);

    /// <summary>Whether a server takes a connection.</summary>
    public async Task<bool> AnswersAsync(string address, CancellationToken cancellationToken)
    {
        if (_embedded() is { } embedded && address == embedded.Name)
        {
            return embedded.IsReady;
        }
        if (!IPEndPoint.TryParse(address, out var endpoint))
        {
            return false;
        }
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(_connectTimeout);
        try
        {
            await using var stream = await OpenAsync(endpoint, timeout.Token);
            return true;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or AuthenticationException or IOException)
        {
            return false;
        }
    }

    /// <summary>Connects to a server for a question that is no session's.</summary>
    /// <exception cref="SocketException">It can't be reached.</exception>
    /// <exception cref="AuthenticationException">It can't be trusted, or does not trust the proxy.</exception>
    /// <exception cref="IOException">It closed the connection.</exception>
    internal async Task<Stream> OpenAsync(IPEndPoint endpoint, CancellationToken cancellationToken)
    {
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(endpoint, cancellationToken);
            var stream = new NetworkStream(socket, ownsSocket: true);
            return _cluster.Tls is { } tls ? await SecureAsync(stream, tls, endpoint, cancellationToken) : stream;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Connects a link to a server of the cluster.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="client">Who the client is; told to a server in this process.</param>
    /// <exception cref="UpstreamUnavailableException">No server could be reached; says which was tried and why it failed.</exception>
    internal async Task<(Wire Wire, UpstreamServer Server)> ConnectAsync(CancellationToken cancellationToken,
        ForwardedClient client = default)
    {
        if (Refusal is { } refusal)
        {
            throw new UpstreamUnavailableException(refusal);
        }
        if (!_cluster.IsHome && _time.GetTimestamp() < Volatile.Read(ref _downUntil))
        {
            // Every server failed a moment ago: a client must not wait for the same again.
            throw new UpstreamUnavailableException(_lastError ?? "no server answered");
        }
        while (_cluster.IsHome && _embedded() is EmbeddedObserver own && own.IsAboutToServe(Patience))
        {
            // An election takes the other servers from their clients, too: whoever went there would stay there.
            await Task.Delay(OwnServerPause, _time, cancellationToken);
        }
        var endpoints = await ResolveAsync(cancellationToken);
        if (_cluster.IsHome && endpoints.Count > 1)
        {
            var first = (int)((uint)Interlocked.Increment(ref _turn) % endpoints.Count);
            endpoints = [.. endpoints.Skip(first), .. endpoints.Take(first)];
        }
        Order(endpoints);
        var errors = new List<string>();
        for (var i = 0; i < endpoints.Count; i++)
        {
            var endpoint = endpoints[i];
            if (OwnAt(endpoint) is { } here)
            {
                return (new PipeWire(here.Connect(client)), Reached(endpoint));
            }
            var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                timeout.CancelAfter(_connectTimeout);
                await socket.ConnectAsync(endpoint, timeout.Token);
                return (await WireOfAsync(socket, endpoint, timeout.Token), Reached(endpoint));
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or AuthenticationException or IOException)
            {
                socket.Dispose();
                cancellationToken.ThrowIfCancellationRequested();
                if (_servers.TryGetValue(endpoint, out var failed))
                {
                    // The next link does not wait for it first.
                    Distrust(failed);
                }
                errors.Add($"{endpoint}: {WhyNot(e)}");
            }
        }
        if (_embedded() is { IsReady: false } lost)
        {
            errors.Add(lost.IsServing
                ? $"{lost.What} takes what is mounted"
                : $"{lost.What} does not serve ({lost.Problem ?? lost.State})");
        }
        _lastError = errors.Count == 0 ? "no address behind the configured names" : string.Join("; ", errors);
        Volatile.Write(ref _downUntil, _time.GetTimestamp() + _time.TimestampFrequency / 2);
        throw new UpstreamUnavailableException(_lastError);
    }

    private string WhyNot(Exception error) => error switch
    {
        SocketException socket => socket.SocketErrorCode.ToString(),
        AuthenticationException or IOException =>
            $"TLS with {_cluster.Name} failed: {error.InnerException?.Message ?? error.Message}{(_cluster.Tls?.Problem is { } also ? $"; {also}" : "")}",
        _ => $"no answer within {_connectTimeout.TotalSeconds:0.#} s",
    };

    private async Task<Wire> WireOfAsync(Socket socket, IPEndPoint endpoint, CancellationToken cancellationToken)
    {
        if (_cluster.Tls is not { } tls)
        {
            socket.Blocking = false;
            return new SocketWire(socket);
        }
        return new TlsWire(await SecureAsync(new NetworkStream(socket, ownsSocket: true), tls, endpoint, cancellationToken));
    }

    private async Task<SslStream> SecureAsync(NetworkStream plain, UpstreamTls tls, IPEndPoint endpoint, CancellationToken cancellationToken)
    {
        var stream = new SslStream(plain);
        try
        {
            await stream.AuthenticateAsClientAsync(tls.OptionsFor(HostOf(endpoint)), cancellationToken);
            return stream;
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// How long home's own observer is waited for: as long as an election takes as a rule, and half of what the shortest session lasts.
    /// </summary>
    private TimeSpan Patience => TimeSpan.FromMilliseconds(Math.Min(2000, _region.SessionTimeouts.MinMs is > 0 and var ms ? ms / 2 : 2000));

    /// <summary>The proxy's own server that an address stands for; null for none.</summary>
    private IOwnServer? OwnAt(IPEndPoint endpoint) => _embedded() is { } own && own.EndPoint.Equals(endpoint) ? own : null;

    /// <summary>The host whose name led to an address: a certificate is for it.</summary>
    private string HostOf(IPEndPoint endpoint) => _listed.GetValueOrDefault(endpoint)?.Host ?? endpoint.Address.ToString();

    /// <summary>
    /// At home the proxy's own observer comes first. Of a remote the server that the region's proxies have agreed on does; else the one in
    /// use for a while, even when a better one is back: going back and forth costs barriers.
    /// Servers that did not serve a moment ago come last.
    /// </summary>
    private void Order(List<IPEndPoint> endpoints)
    {
        var now = _time.GetTimestamp();
        if (_cluster.IsHome)
        {
            Move(endpoints, e => OwnAt(e) is not null, toFront: true);
        }
        if (_region.Copies.Agreed(_cluster.Ordinal) is { Length: > 0 } agreed)
        {
            Move(endpoints, e => e.ToString() == agreed, toFront: true);
        }
        else if (!_cluster.IsHome && Current is { } current && now < Volatile.Read(ref _stayUntil))
        {
            Move(endpoints, e => e.ToString() == current.Address, toFront: true);
        }
        if (!_distrusted.IsEmpty)
        {
            Move(endpoints, e => _servers.TryGetValue(e, out var server) && _distrusted.TryGetValue(server, out var until) && until > now, toFront: false);
        }
    }

    private static void Move(List<IPEndPoint> endpoints, Predicate<IPEndPoint> which, bool toFront)
    {
        var moved = endpoints.FindAll(which);
        endpoints.RemoveAll(which);
        endpoints.InsertRange(toFront ? 0 : endpoints.Count, moved);
    }

    private UpstreamServer Reached(IPEndPoint endpoint)
    {
        _lastError = null;
        UpstreamServer server;
        // Else two that meet it at once would make it twice, and one would stay in the directory for ever.
        lock (_lock)
        {
            server = _servers.GetOrAdd(endpoint, _make);
        }
        Use(server);
        return server;
    }

    private void Use(UpstreamServer server)
    {
        if (_region.Copies.Agreed(_cluster.Ordinal) is { } agreed && agreed != server.Address)
        {
            // The link will be refused: the region's other proxies have to know first.
            return;
        }
        var before = Interlocked.Exchange(ref _current, server);
        if (before is not null && before != server && !_cluster.IsHome)
        {
            Volatile.Write(ref _stayUntil, _time.GetTimestamp() + 30 * _time.TimestampFrequency);
            Switched?.Invoke(server);
        }
    }

    private async Task<List<IPEndPoint>> ResolveAsync(CancellationToken cancellationToken)
    {
        var observers = _addresses.Observers;
        var found = await LookUpAsync(cancellationToken);
        var endpoints = new List<IPEndPoint>();
        if (_embedded() is { IsReady: true } embedded)
        {
            endpoints.Add(embedded.EndPoint);
            List(embedded.EndPoint, null, isNear: true);
        }
        foreach (var (server, addresses) in found)
        {
            foreach (var address in addresses)
            {
                var endpoint = new IPEndPoint(address, server.Port);
                endpoints.Add(endpoint);
                List(endpoint, server.Host, _cluster.IsHome || observers.Contains(server));
            }
        }
        return endpoints;
    }

    /// <summary>The addresses behind each name of the cluster's list.</summary>
    private async Task<(HostPort Server, IReadOnlyList<IPAddress> Addresses)[]> LookUpAsync(CancellationToken cancellationToken) =>
        // All at once: one name that the resolver is slow about delays no other.
        await Task.WhenAll(_addresses.InOrder.Select(async server => (server, await _names.ResolveAsync(server.Host, cancellationToken))));

    private void List(IPEndPoint endpoint, string? host, bool isNear)
    {
        var listing = _listed.GetOrAdd(endpoint, static _ => new Listing());
        listing.Host = host;
        listing.IsOwn = host is null;
        listing.IsNear |= isNear;
        listing.LastSeen = _time.GetTimestamp();
    }

    /// <summary>What is known of an address by the list in which it was last.</summary>
    private sealed class Listing
    {
        /// <summary>The host whose name led to it; null for the proxy's own observer.</summary>
        public string? Host { get; set => Volatile.Write(ref field, value); }

        /// <summary>Whether it stands for the proxy's own observer.</summary>
        public bool IsOwn { get; set => Volatile.Write(ref field, value); }

        /// <summary>Whether it stands in this region.</summary>
        public bool IsNear { get; set => Volatile.Write(ref field, value); }

        /// <summary>When it was last behind a name of the list.</summary>
        public long LastSeen { get; set => Volatile.Write(ref field, value); }
    }
}

/// <summary>No server of a cluster could be reached.</summary>
public sealed class UpstreamUnavailableException(string message) : Exception(message);
