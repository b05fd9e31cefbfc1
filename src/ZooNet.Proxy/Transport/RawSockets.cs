using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using ZooNet.Proxy.Hosting;
using ZooNet.Proxy.Telemetry;

namespace ZooNet.Proxy.Transport;

/// <summary>An address whose connections are handed over as bare sockets.</summary>
internal sealed class RawEndPoint(IPAddress address, int port) : IPEndPoint(address, port);

/// <summary>
/// Kestrel's transport for client listeners without TLS. Kestrel accepts, limits, tracks and stops connections as it does with its own;
/// what is left out are the two pipes between socket and handler, which cost a copy, a buffer of 4 KB for each idle client, and a
/// system call for each burst.
/// </summary>
internal sealed class RawSocketTransport(ILogger<RawSocketTransport> logger)
    : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    /// <inheritdoc/>
    public bool CanBind(EndPoint endpoint) => endpoint is RawEndPoint;

    /// <inheritdoc/>
    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(endpoint);
            socket.Listen(4096);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw e.SocketErrorCode == SocketError.AddressAlreadyInUse ? new AddressInUseException(e.Message, e) : e;
        }
        return new(new RawListener(socket, logger));
    }

    private sealed class RawListener(Socket listening, ILogger logger) : IConnectionListener
    {
        /// <summary>How long nothing is accepted after the process had no descriptor for it.</summary>
        private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

        /// <summary>
        /// Connections that were accepted and not taken up yet: accepting runs ahead of whoever refuses those beyond a limit, and each of
        /// them is an open file.
        /// </summary>
        private const int MaxAhead = 16;

        private readonly SemaphoreSlim _ahead = new(MaxAhead, MaxAhead);
        private readonly LogLimit _failures = new(1, TimeProvider.System, burst: 1);

        private readonly CancellationTokenSource _unbound = new();

        public EndPoint EndPoint { get; } = listening.LocalEndPoint!;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            while (true)
            {
                var given = false;
                try
                {
                    await _ahead.WaitAsync(_unbound.Token);
                    given = true;
                    var socket = await listening.AcceptAsync(_unbound.Token);
                    socket.NoDelay = true;
                    socket.Blocking = false;
                    given = false;
                    return new RawConnection(socket, TakenUp);
                }
                catch (Exception e) when (e is ObjectDisposedException or OperationCanceledException)
                {
                    return null;
                }
                catch (SocketException e) when (IsShortage(e.SocketErrorCode) && !_unbound.IsCancellationRequested)
                {
                    // The client waits in the queue: without a pause this would spin until somebody closes something.
                    if (_failures.Allows(0, out var leftOut))
                    {
                        logger.AcceptFailed(e.Message, Pause, leftOut);
                    }
                    await Task.Delay(Pause, CancellationToken.None);
                }
                catch (SocketException) when (!_unbound.IsCancellationRequested)
                {
                    // That client is gone before it was accepted; the next one is not.
                }
                catch (SocketException)
                {
                    return null;
                }
                finally
                {
                    if (given)
                    {
                        _ahead.Release();
                    }
                }
            }
        }

        /// <summary>The semaphore is not disposed: a connection may outlive its listener.</summary>
        private void TakenUp() => _ahead.Release();

        private static bool IsShortage(SocketError error) =>
            error is SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable or SocketError.SystemNotReady;

        public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            await _unbound.CancelAsync();
            listening.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            listening.Dispose();
            _unbound.Dispose();
            return default;
        }
    }
}

/// <summary>A client's connection as Kestrel tracks it, with its socket.</summary>
internal sealed class RawConnection(Socket socket, Action onTaken) : ConnectionContext
{
    private static long _last;
    private string? _id;
    private FeatureCollection? _features;
    private Dictionary<object, object?>? _items;
    private IDuplexPipe? _pipe;
    private bool _taken;
    private Action? _onTaken = onTaken;

    /// <summary>Hands the socket over: whoever takes it closes it.</summary>
    public Socket TakeSocket()
    {
        _taken = true;
        SignalTaken();
        return socket;
    }

    public override string ConnectionId
    {
        get => _id ??= $"C{Interlocked.Increment(ref _last):x}";
        set => _id = value;
    }

    public override IFeatureCollection Features => _features ??= new FeatureCollection(1);

    public override IDictionary<object, object?> Items
    {
        get => _items ??= [];
        set => _items = new(value);
    }

    /// <summary>For a handler that wants a pipe all the same.</summary>
    public override IDuplexPipe Transport
    {
        get => _pipe ??= new StreamPipe(new NetworkStream(socket));
        set => _pipe = value;
    }

    public override EndPoint? RemoteEndPoint { get; set; } = socket.RemoteEndPoint;

    public override void Abort(ConnectionAbortedException abortReason)
    {
        socket.Dispose();
        SignalTaken();
    }

    public override ValueTask DisposeAsync()
    {
        if (!_taken)
        {
            socket.Dispose();
        }
        SignalTaken();
        return base.DisposeAsync();
    }

    private void SignalTaken() => Interlocked.Exchange(ref _onTaken, null)?.Invoke();

    private sealed class StreamPipe(Stream stream) : IDuplexPipe
    {
        public PipeReader Input { get; } = PipeReader.Create(stream);

        public PipeWriter Output { get; } = PipeWriter.Create(stream);
    }
}
