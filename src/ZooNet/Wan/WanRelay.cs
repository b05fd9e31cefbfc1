using System.Net;
using System.Net.Sockets;

namespace ZooNet.Wan;

/// <summary>
/// A TCP relay that behaves like a WAN link: everything sent to <see cref="LocalEndPoint"/> reaches the target half a round trip later,
/// and back. Runs in the process that starts it. Thread-safe.
/// </summary>
public sealed class WanRelay : IAsyncDisposable
{
    private readonly Socket _listener;
    private readonly EndPoint _target;
    private readonly WanOptions _options;
    private readonly WanDirection _out;
    private readonly WanDirection _back;
    private readonly WanGate _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<Socket, (Socket? Target, Task Task)> _connections = [];
    private readonly Task _accepting;
    private WanCut _cut;
    private long _accepted;

    private WanRelay(Socket listener, EndPoint target, WanOptions options)
    {
        _listener = listener;
        _target = target;
        _options = options;
        _out = new WanDirection(options);
        _back = new WanDirection(options);
        _accepting = Task.Run(AcceptAsync);
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint LocalEndPoint => (IPEndPoint)_listener.LocalEndPoint!;

    /// <summary>What it is doing.</summary>
    public WanStatus Status
    {
        get
        {
            lock (_lock)
            {
                return new WanStatus(LocalEndPoint.ToString(), Describe(_target), _options.Rtt.TotalMilliseconds, _options.Jitter.TotalMilliseconds,
                    _options.Bandwidth, _cut, _connections.Count, _accepted, _out.Delivered, _back.Delivered, _out.UnderWay + _back.UnderWay);
            }
        }
    }

    /// <summary>Starts a relay.</summary>
    /// <param name="listen">Where to listen; port 0 picks a free one.</param>
    /// <param name="target">Where it leads; a name is resolved again for every connection.</param>
    /// <param name="options">What the link is like.</param>
    /// <exception cref="SocketException">The address can't be listened on.</exception>
    public static WanRelay Start(IPEndPoint listen, EndPoint target, WanOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(listen);
        var listener = new Socket(listen.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            listener.Bind(listen);
            listener.Listen(512);
            return new WanRelay(listener, target, options ?? new WanOptions());
        }
        catch
        {
            listener.Dispose();
            throw;
        }
    }

    /// <summary>Cuts the link until <see cref="Heal"/>.</summary>
    /// <param name="silent">True leaves connections open and delivers nothing; false resets them.</param>
    public void Cut(bool silent = false)
    {
        KeyValuePair<Socket, (Socket? Target, Task Task)>[] connections;
        lock (_lock)
        {
            _cut = silent ? WanCut.Silent : WanCut.Reset;
            connections = silent ? [] : [.. _connections];
        }
        if (silent)
        {
            _gate.Close();
        }
        foreach (var (client, (target, _)) in connections)
        {
            Reset(client);
            Reset(target);
        }
    }

    /// <summary>Ends a cut.</summary>
    public void Heal()
    {
        lock (_lock)
        {
            _cut = WanCut.None;
        }
        _gate.Open();
    }

    /// <summary>Stops listening and resets every connection.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
        {
            return;
        }
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Cut();
        Task[] running;
        lock (_lock)
        {
            running = [.. _connections.Values.Select(connection => connection.Task)];
        }
        await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptAsync(_stop.Token);
            }
            catch (SocketException) when (!_stop.IsCancellationRequested)
            {
                // The peer was gone before it was accepted, or descriptors ran out: the next one may do.
                await Task.Delay(TimeSpan.FromMilliseconds(10), _options.TimeProvider, _stop.Token);
                continue;
            }
            var begin = new TaskCompletionSource();
            lock (_lock)
            {
                _accepted++;
                if (_cut == WanCut.Reset)
                {
                    Reset(client);
                    continue;
                }
                _connections[client] = (null, RelayAsync(client, begin.Task));
            }
            begin.SetResult();
        }
    }

    private async Task RelayAsync(Socket client, Task begin)
    {
        await begin.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        Socket? target = null;
        try
        {
            var time = _options.TimeProvider;
            var established = time.GetTimestamp() + (long)(_options.Rtt.TotalSeconds * time.TimestampFrequency);
            target = new Socket(SocketType.Stream, ProtocolType.Tcp);
            lock (_lock)
            {
                _connections[client] = (target, _connections[client].Task);
            }
            await target.ConnectAsync(_target, _stop.Token);
            client.NoDelay = target.NoDelay = true;
            var there = new DelayLine(client, target, _out, _gate, _options, established + (long)(_options.Rtt.TotalSeconds / 2 * time.TimestampFrequency));
            var back = new DelayLine(target, client, _back, _gate, _options, established);
            Task[] lines = [there.RunAsync(_stop.Token), back.RunAsync(_stop.Token)];
            // A direction that ended in order leaves the other open: half-closed connections are legal. One that failed takes both down.
            await (await Task.WhenAny(lines));
            await Task.WhenAll(lines);
            client.Dispose();
            target.Dispose();
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException or System.Threading.Channels.ChannelClosedException)
        {
            Reset(client);
            Reset(target);
        }
        finally
        {
            lock (_lock)
            {
                _connections.Remove(client);
            }
        }
    }

    private static void Reset(Socket? socket)
    {
        if (socket is null)
        {
            return;
        }
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Closed already: nothing to reset.
        }
        socket.Dispose();
    }

    private static string Describe(EndPoint endpoint) => endpoint is DnsEndPoint name ? $"{name.Host}:{name.Port}" : endpoint.ToString()!;
}
