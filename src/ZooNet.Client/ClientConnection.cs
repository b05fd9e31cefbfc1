using System.Buffers;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Threading.Channels;
using ZooNet.Protocol;

namespace ZooNet.Client;

/// <summary>
/// One TCP connection with an attached session: a read loop, a send loop that takes requests while the window allows, a flush loop that
/// writes whatever has been gathered in one call, and the keep-alive. It lives until the first of the four ends; a new connection is a
/// new object. The frame buffers and the queues are shared by the loops under one lock, which is never held across a wait.
/// </summary>
internal sealed class ClientConnection : IDisposable
{
    private readonly Stream _stream;
    private readonly ClientSession _session;
    private readonly TimeProvider _time;
    private readonly int _maxReplyLength;
    private readonly TimeSpan _timeout;
    private readonly SemaphoreSlim _window;
    private readonly Lock _gate = new();
    private readonly Queue<PendingRequest> _inFlight = new();
    private readonly Queue<PendingRequest?> _auth = new();
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private readonly CancellationTokenSource _end = new();
    private JuteWriter _gathering = new(4096);
    private JuteWriter _sending = new(4096);
    private byte[] _received;
    private int _start;
    private int _count;
    private int _xid;
    private long _lastSent;
    private long _lastReceived;
    private string? _reason;

    private ClientConnection(Stream stream, ClientSession session, ConnectResponse response, byte[] received, int start, int count)
    {
        _stream = stream;
        _session = session;
        _time = session.Options.TimeProvider;
        _maxReplyLength = session.Options.MaxReplyLength;
        _window = new SemaphoreSlim(session.Options.Window);
        _timeout = TimeSpan.FromMilliseconds(Math.Max(1, response.TimeoutMs));
        _received = received;
        (_start, _count) = (start, count);
        _lastSent = _lastReceived = _time.GetTimestamp();
        Response = response;
    }

    /// <summary>The server's answer to the handshake.</summary>
    public ConnectResponse Response { get; }

    /// <summary>A server refused credentials on this connection.</summary>
    public bool AuthRefused { get; private set; }

    /// <summary>Connects and shakes hands.</summary>
    /// <exception cref="SocketException">The server is not reachable.</exception>
    /// <exception cref="IOException">
    /// It closed the connection instead of answering: it is not serving, or it is behind <c>LastZxidSeen</c>; or TLS failed.
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled, or too slow.</exception>
    public static async Task<ClientConnection> OpenAsync(
        IPEndPoint server, string host, ConnectRequest request, ClientSession session, CancellationToken cancellationToken)
    {
        var stream = session.Options.Dial?.Invoke(server)
            ?? await ConnectAsync(server, host, session.Options, cancellationToken).ConfigureAwait(false);
        try
        {
            var writer = new JuteWriter(64);
            request.WriteFrame(writer);
            await stream.WriteAsync(writer.WrittenMemory, cancellationToken).ConfigureAwait(false);
            var buffer = new byte[8192];
            var count = 0;
            while (true)
            {
                switch (Framing.TryReadFrame(buffer.AsSpan(0, count), 1024, out var length))
                {
                    case OperationStatus.InvalidData:
                        throw new IOException($"{server} is not a ZooKeeper server: the handshake was answered with a frame of {length} bytes");
                    case OperationStatus.Done:
                        var response = ConnectResponse.TryRead(buffer.AsSpan(Framing.PrefixLength, length - Framing.PrefixLength))
                            ?? throw new IOException($"{server} answered the handshake with something else");
                        return new ClientConnection(stream, session, response, buffer, length, count - length);
                }
                var read = await stream.ReadAsync(buffer.AsMemory(count), cancellationToken).ConfigureAwait(false);
                if (read == 0)
                {
                    throw new IOException($"{server} closed the connection during the handshake: it is not serving, or it is behind what this client has seen");
                }
                count += read;
            }
        }
        catch
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static async Task<Stream> ConnectAsync(
        IPEndPoint server, string host, ZooKeeperClientOptions options, CancellationToken cancellationToken)
    {
        var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(server, cancellationToken).ConfigureAwait(false);
            var stream = new NetworkStream(socket, ownsSocket: true);
            return options.Tls is { } tls ? await SecureAsync(stream, tls(host), server, cancellationToken).ConfigureAwait(false) : stream;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task<SslStream> SecureAsync(
        Stream stream, SslClientAuthenticationOptions options, IPEndPoint server, CancellationToken cancellationToken)
    {
        var secured = new SslStream(stream);
        try
        {
            await secured.AuthenticateAsClientAsync(options, cancellationToken).ConfigureAwait(false);
            return secured;
        }
        catch (Exception e)
        {
            await secured.DisposeAsync().ConfigureAwait(false);
            throw e is AuthenticationException ? new IOException($"{server}: TLS failed: {e.InnerException?.Message ?? e.Message}", e) : e;
        }
    }

    /// <summary>Queues what must precede every request of the caller: credentials, then the watches to set again.</summary>
    public void SendPreamble(IEnumerable<AuthCredentials> credentials, IReadOnlyList<SetWatchesRequest> watches, OpCode setWatches)
    {
        lock (_gate)
        {
            foreach (var (scheme, secret) in credentials)
            {
                _auth.Enqueue(null);
                var mark = _gathering.BeginFrame();
                new RequestHeader(Xids.Auth, OpCode.Auth).Write(_gathering);
                new AuthRequest(0, scheme, secret).Write(_gathering);
                _gathering.EndFrame(mark);
            }
            foreach (var request in watches)
            {
                var mark = _gathering.BeginFrame();
                new RequestHeader(Xids.SetWatches, setWatches).Write(_gathering);
                request.Write(_gathering, setWatches);
                _gathering.EndFrame(mark);
            }
        }
        _wake.Writer.TryWrite(true);
    }

    /// <summary>Ends the connection from outside.</summary>
    public void Drop(string reason)
    {
        Interlocked.CompareExchange(ref _reason, reason, null);
        // Not Cancel: it would run the loops' ends on the caller's stack.
        _ = _end.CancelAsync();
    }

    /// <summary>
    /// Serves until the connection ends, then fails what was in flight with ConnectionLoss.
    /// </summary>
    /// <returns>Why it ended, in words for a log.</returns>
    public async Task<string> RunAsync(ChannelReader<PendingRequest> requests, CancellationToken cancellationToken)
    {
        using var stop = cancellationToken.Register(() => Drop("the client is closing"));
        Task[] loops = [ReadLoopAsync(), SendLoopAsync(requests), FlushLoopAsync(), KeepAliveAsync()];
        var first = await Task.WhenAny(loops).ConfigureAwait(false);
        Exception? cause = null;
        try
        {
            await first.ConfigureAwait(false);
        }
        catch (Exception e)
        {
            cause = e;
        }
        Drop(cause?.Message ?? "the server closed the connection");
        await _stream.DisposeAsync().ConfigureAwait(false);
        await Task.WhenAll(loops).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var reason = _reason!;
        var code = AuthRefused ? ErrorCode.AuthFailed : ErrorCode.ConnectionLoss;
        foreach (var request in _auth.OfType<PendingRequest>().Concat(_inFlight))
        {
            request.Fail(code, cause is OperationCanceledException ? new IOException(reason) : cause ?? new IOException(reason));
        }
        return reason;
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    private async Task SendLoopAsync(ChannelReader<PendingRequest> requests)
    {
        while (await requests.WaitToReadAsync(_end.Token).ConfigureAwait(false))
        {
            // A burst is gathered whole and flushed once; a full window flushes first, since only replies open it again.
            while (true)
            {
#pragma warning disable VSTHRD103 // It does not wait.
                if (!_window.Wait(0, CancellationToken.None))
#pragma warning restore VSTHRD103
                {
                    _wake.Writer.TryWrite(true);
                    await _window.WaitAsync(_end.Token).ConfigureAwait(false);
                }
                if (!requests.TryRead(out var request))
                {
                    _window.Release();
                    break;
                }
                Gather(request);
            }
            _wake.Writer.TryWrite(true);
        }
    }

    private void Gather(PendingRequest request)
    {
        lock (_gate)
        {
            if (request.Op == OpCode.Auth)
            {
                _auth.Enqueue(request);
                request.WriteFrame(_gathering, Xids.Auth);
            }
            else
            {
                _inFlight.Enqueue(request);
                _xid = _xid == int.MaxValue ? 1 : _xid + 1;
                request.WriteFrame(_gathering, _xid);
            }
        }
    }

    private async Task FlushLoopAsync()
    {
        while (await _wake.Reader.WaitToReadAsync(_end.Token).ConfigureAwait(false))
        {
            _wake.Reader.TryRead(out _);
            lock (_gate)
            {
                (_gathering, _sending) = (_sending, _gathering);
            }
            if (_sending.Length > 0)
            {
                Volatile.Write(ref _lastSent, _time.GetTimestamp());
                await _stream.WriteAsync(_sending.WrittenMemory, _end.Token).ConfigureAwait(false);
                _sending.Clear();
            }
        }
    }

    private async Task KeepAliveAsync()
    {
        var third = _timeout / 3;
        while (true)
        {
            var untilPing = third - _time.GetElapsedTime(Volatile.Read(ref _lastSent));
            var untilSilence = third * 2 - _time.GetElapsedTime(Volatile.Read(ref _lastReceived));
            if (untilSilence <= TimeSpan.Zero)
            {
                throw new IOException($"nothing came from the server for {(third * 2).TotalMilliseconds:F0} ms, two thirds of the session timeout");
            }
            if (untilPing <= TimeSpan.Zero)
            {
                lock (_gate)
                {
                    var mark = _gathering.BeginFrame();
                    new RequestHeader(Xids.Ping, OpCode.Ping).Write(_gathering);
                    _gathering.EndFrame(mark);
                }
                Volatile.Write(ref _lastSent, _time.GetTimestamp());
                _wake.Writer.TryWrite(true);
                continue;
            }
            // Timers count in whole milliseconds and may be early by a part of one.
            var wait = (untilPing < untilSilence ? untilPing : untilSilence) + TimeSpan.FromMilliseconds(1);
            await Task.Delay(wait, _time, _end.Token).ConfigureAwait(false);
        }
    }

    private async Task ReadLoopAsync()
    {
        while (true)
        {
            var needed = HandleFrames();
            if (_start > 0)
            {
                _received.AsSpan(_start, _count).CopyTo(_received);
                _start = 0;
            }
            if (needed > _received.Length)
            {
                Array.Resize(ref _received, Math.Max(needed, _received.Length * 2));
            }
            var read = await _stream.ReadAsync(_received.AsMemory(_count), _end.Token).ConfigureAwait(false);
            if (read == 0)
            {
                return;
            }
            Volatile.Write(ref _lastReceived, _time.GetTimestamp());
            _count += read;
        }
    }

    /// <summary>Handles every whole frame received.</summary>
    /// <returns>Bytes needed for the next one.</returns>
    private int HandleFrames()
    {
        while (true)
        {
            switch (Framing.TryReadFrame(_received.AsSpan(_start, _count), _maxReplyLength, out var length))
            {
                case OperationStatus.NeedMoreData:
                    return length;
                case OperationStatus.InvalidData:
                    throw new IOException($"the server sent a frame of {length} bytes; at most {_maxReplyLength} are accepted");
            }
            var payload = _received.AsSpan(_start + Framing.PrefixLength, length - Framing.PrefixLength);
            if (payload.Length < ReplyHeader.WireLength)
            {
                throw new IOException($"the server sent a reply of {payload.Length} bytes, too short for its header");
            }
            Handle(ReplyHeader.Read(payload), payload[ReplyHeader.WireLength..]);
            _start += length;
            _count -= length;
        }
    }

    private void Handle(ReplyHeader header, ReadOnlySpan<byte> body)
    {
        switch (header.Xid)
        {
            case Xids.Notification:
                var reader = new JuteReader(body);
                var watchEvent = WatcherEvent.Read(ref reader);
                if (!reader.Failed)
                {
                    _session.OnWatchEvent(watchEvent, header.Zxid);
                }
                return;
            case Xids.Ping:
                return;
            case Xids.SetWatches:
                _session.OnSetWatchesReply(header.Error);
                return;
            case Xids.Auth:
                PendingRequest? auth;
                lock (_gate)
                {
                    if (!_auth.TryDequeue(out auth))
                    {
                        throw new IOException("the server answered credentials that were not sent");
                    }
                }
                AuthRefused |= header.Error != ErrorCode.Ok;
                if (auth is not null)
                {
                    auth.Replied?.Invoke(header.Error);
                    auth.Complete(header, body);
                    _window.Release();
                }
                return;
        }
        PendingRequest? request;
        lock (_gate)
        {
            if (_inFlight.TryPeek(out request) && request.Xid == header.Xid)
            {
                _inFlight.Dequeue();
            }
            else if (header.Error == ErrorCode.Unimplemented && _inFlight.FirstOrDefault(r => r.Xid == header.Xid) is { } unknown)
            {
                // Servers before 3.6 say at once, before what came first, that they don't know an operation, and close
                // (UnimplementedRequestProcessor).
                var others = _inFlight.Where(r => r != unknown).ToArray();
                _inFlight.Clear();
                Array.ForEach(others, _inFlight.Enqueue);
                request = unknown;
            }
            else
            {
                throw new IOException($"the server answered out of order: xid {header.Xid} where {request?.Xid.ToString() ?? "nothing"} was due");
            }
        }
        _session.OnReply(header.Zxid);
        request.Replied?.Invoke(header.Error);
        request.Complete(header, body);
        _window.Release();
    }
}
