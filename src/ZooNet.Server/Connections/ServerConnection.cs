using System.Buffers;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Connections;
using ZooNet.Protocol;
using ZooNet.Protocol.FourLetterWords;
using ZooNet.Tree;
using ZooNet.Tree.Requests;

namespace ZooNet.Server.Connections;

/// <summary>
/// One client's connection. Its read loop executes whole batches of requests under the replica's gate; replies and events are
/// appended to <see cref="_output"/>, also under the gate, and sent outside it by one sender at a time. So the order on the
/// wire is the order in which things happened.
/// </summary>
internal sealed class ServerConnection : IWatcher
{
    /// <summary>The key of the <see cref="ForwardedClient"/> that a connection within this process is for.</summary>
    public static readonly object ClientKey = new();

    /// <summary>Replies beyond this many bytes stop the reading of further requests until the client takes them.</summary>
    private const int OutputHighWater = 1 << 20;

    /// <summary>A client that lets this many bytes of events pile up is closed: memory stays bounded.</summary>
    private const int OutputLimit = 64 << 20;

    private readonly ConnectionContext _context;
    private readonly Replica _replica;
    private JuteWriter _output = new(1024);
    private JuteWriter _spare = new(1024);
    private bool _sending;
    private TaskCompletionSource? _room;
    private TaskCompletionSource? _quiet;
    private int _frame;

    public ServerConnection(ConnectionContext context, Replica replica)
    {
        _context = context;
        _replica = replica;
        RemoteEndPoint = context.RemoteEndPoint as IPEndPoint ?? new IPEndPoint(IPAddress.Loopback, 0);
        var client = context.Items.TryGetValue(ClientKey, out var item) ? (ForwardedClient)item! : default;
        var address = client.Address ?? replica.ClientsComeFrom ?? RemoteEndPoint.Address;
        address = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        var ip = new Identity("ip", address.ToString());
        Identities = client.Subject is { } subject ? [ip, new Identity("x509", subject)] : [ip];
        CreatedAt = replica.Options.Time.GetTimestamp();
    }

    public IPEndPoint RemoteEndPoint { get; }

    /// <summary>Whether it is a proxy's client that is behind it, in this process.</summary>
    public bool IsLink => _context.RemoteEndPoint is null;

    /// <summary>A timestamp of the replica's clock.</summary>
    public long CreatedAt { get; }

    public ConnectionState State { get; set; }
    public long SessionId { get; set; }
    public int TimeoutMs { get; set; }

    /// <summary>Whether the client sent the readOnly byte; those that did not get none back.</summary>
    public bool KnowsReadOnly { get; set; }

    /// <summary>Who the client is. Replaced as a whole when it adds credentials, so a request may keep the list it came with.</summary>
    public IReadOnlyList<Identity> Identities { get; set; }

    /// <summary>When the last bytes came, as a timestamp of the replica's clock.</summary>
    public long LastHeard { get; private set; }

    /// <summary>What it counts for the four-letter words.</summary>
    public Traffic Traffic { get; } = new();

    /// <summary>Requests that wait for the leader, and those behind them; used by observers.</summary>
    public Queue<Cluster.WaitingRequest> Waiting { get; } = new();

    /// <summary>Completed when the connection may read on; null where it may.</summary>
    public TaskCompletionSource? Paused { get; private set; }

    /// <summary>The replica that serves it.</summary>
    public Replica Replica => _replica;

    private Lock Gate => _replica.Gate;

    /// <summary>Serves the connection until it ends.</summary>
    public async Task RunAsync()
    {
        try
        {
            await ReadLoopAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is ConnectionResetException or ConnectionAbortedException or IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The client went away, or we closed it.
        }
        finally
        {
            await EndAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Ends the connection once what was written is sent. Under the gate.</summary>
    public void Close()
    {
        if (State != ConnectionState.Closed)
        {
            State = ConnectionState.Closed;
            _replica.Detach(this);
            // The read loop must not run on this thread, which holds the gate.
            ThreadPool.UnsafeQueueUserWorkItem(static input => input.CancelPendingRead(), _context.Transport.Input, preferLocal: false);
            Paused?.TrySetResult();
            _room?.TrySetResult();
        }
    }

    /// <summary>Stops the reading of requests until <see cref="Resume"/>. Under the gate.</summary>
    public void Pause() => Paused ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Reads on. Under the gate.</summary>
    public void Resume()
    {
        Paused?.TrySetResult();
        Paused = null;
    }

    /// <summary>Starts a reply with no error; the body follows, then <see cref="EndReply"/>. Under the gate.</summary>
    public JuteWriter BeginReply(int xid, long zxid)
    {
        _frame = _output.BeginFrame();
        Traffic.LastZxid = zxid;
        new ReplyHeader(xid, zxid, ErrorCode.Ok).Write(_output);
        return _output;
    }

    /// <summary>Ends the reply that <see cref="BeginReply"/> started.</summary>
    public void EndReply()
    {
        _output.EndFrame(_frame);
        Traffic.Sent++;
    }

    /// <summary>Writes a whole reply without a body. Under the gate.</summary>
    public void Reply(int xid, long zxid, ErrorCode error)
    {
        var mark = _output.BeginFrame();
        new ReplyHeader(xid, zxid, error).Write(_output);
        _output.EndFrame(mark);
        Traffic.Sent++;
    }

    /// <summary>Writes the answer to the connect request. Under the gate.</summary>
    public void Reply(ConnectResponse response)
    {
        response.WriteFrame(_output);
        Traffic.Sent++;
    }

    /// <inheritdoc/>
    public void Notify(WatchEventType type, string path, IReadOnlyList<Acl>? accessControl)
    {
        if (State != ConnectionState.Ready || (accessControl is not null && !AccessControl.Allows(accessControl, Permissions.Read, Identities)))
        {
            return;
        }
        new WatcherEvent(type, WatcherEvent.SyncConnected, path).WriteFrame(_output);
        Traffic.Sent++;
        _replica.HasOutput(this);
        if (_output.Length > OutputLimit)
        {
            Close();
            ThreadPool.UnsafeQueueUserWorkItem(static context => context.Abort(new ConnectionAbortedException("The client does not take its events.")), _context, preferLocal: false);
        }
    }

    /// <summary>Sends what was written, unless somebody is sending already (who then sends this too). Not under the gate.</summary>
    public async ValueTask FlushAsync()
    {
        JuteWriter? batch;
        long position;
        lock (Gate)
        {
            batch = TakeBatch(out position);
        }
        while (batch is not null)
        {
            var gone = true;
            try
            {
                if (_replica.Log is { } log)
                {
                    // Nobody learns of a change that could still be lost.
                    await log.WhenDurableAsync(position).ConfigureAwait(false);
                }
                var output = _context.Transport.Output;
                output.Write(batch.Written);
                var result = await output.FlushAsync().ConfigureAwait(false);
                gone = result.IsCompleted || result.IsCanceled;
            }
            finally
            {
                lock (Gate)
                {
                    batch.Clear();
                    _spare = batch;
                    _sending = false;
                    if (gone)
                    {
                        _output.Clear();
                        Close();
                    }
                    batch = TakeBatch(out position);
                    if (batch is null)
                    {
                        _quiet?.TrySetResult();
                        _quiet = null;
                    }
                }
            }
        }
    }

    /// <summary>Sends without waiting for it: for events, on behalf of another connection.</summary>
    public void FlushInBackground()
    {
        var flush = FlushAsync();
        if (!flush.IsCompletedSuccessfully)
        {
            _ = ObserveAsync(flush.AsTask());
        }

        async Task ObserveAsync(Task task)
        {
            try
            {
                await task.ConfigureAwait(false);
            }
            catch (Exception)
            {
                lock (Gate)
                {
                    Close();
                }
            }
        }
    }

    /// <summary>Reads at once no further than replies are taken. Under the gate.</summary>
    private Task? WaitForRoomAsync() => _sending && _output.Length > OutputHighWater && State != ConnectionState.Closed
        ? (_room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task
        : null;

    private JuteWriter? TakeBatch(out long position)
    {
        position = 0;
        if (_sending || _output.Length == 0)
        {
            return null;
        }
        _sending = true;
        position = _replica.Log?.Position ?? 0;
        (var batch, _output) = (_output, _spare);
        _room?.TrySetResult();
        _room = null;
        return batch;
    }

    private async Task ReadLoopAsync()
    {
        var input = _context.Transport.Input;
        while (true)
        {
            var read = await input.ReadAsync().ConfigureAwait(false);
            if (read.IsCanceled)
            {
                return;
            }
            var consumed = _replica.ExecuteBatch(this, read.Buffer, out var pause);
            var next = read.Buffer.GetPosition(consumed);
            // After a pause the rest must be looked at again although nothing new has come.
            input.AdvanceTo(next, pause is null ? read.Buffer.End : next);
            await FlushAsync().ConfigureAwait(false);
            _replica.FlushOthers();
            if (State == ConnectionState.Closed || (read.IsCompleted && pause is null))
            {
                return;
            }
            if (pause is not null)
            {
                await pause.ConfigureAwait(false);
            }
        }
    }

    /// <summary>Executes the whole requests at the start of <paramref name="span"/>. Under the gate.</summary>
    /// <returns>How many bytes they took.</returns>
    internal int Execute(ReadOnlySpan<byte> span, out Task? pause)
    {
        LastHeard = _replica.Options.Time.GetTimestamp();
        pause = null;
        var consumed = 0;
        while (State != ConnectionState.Closed)
        {
            pause = Paused?.Task ?? WaitForRoomAsync();
            if (pause is not null)
            {
                break;
            }
            if (State == ConnectionState.New && FourLetterWord.TryRead(span[consumed..]) is { } word)
            {
                _output.WriteRaw(Encoding.UTF8.GetBytes(_replica.Answer(word)));
                Close();
                return span.Length;
            }
            var status = Framing.TryReadFrame(span[consumed..], _replica.Options.MaxFrameLength, out var length);
            if (status == OperationStatus.NeedMoreData)
            {
                break;
            }
            if (status == OperationStatus.InvalidData || !TryExecute(span.Slice(consumed + Framing.PrefixLength, length - Framing.PrefixLength)))
            {
                Close();
                return span.Length;
            }
            consumed += length;
        }
        return consumed;
    }

    private bool TryExecute(ReadOnlySpan<byte> payload)
    {
        Traffic.Received++;
        if (State == ConnectionState.New)
        {
            if (ConnectRequest.TryRead(payload) is not { } request)
            {
                return false;
            }
            KnowsReadOnly = request.ReadOnly is not null;
            _replica.Connect(this, request);
            return true;
        }
        if (payload.Length < RequestHeader.WireLength)
        {
            return false;
        }
        var reader = new JuteReader(payload);
        var header = RequestHeader.Read(ref reader);
        Traffic.Last = header;
        return _replica.Handle(this, header, reader.Rest);
    }

    private async Task SendRestAsync()
    {
        await FlushAsync().ConfigureAwait(false);
        Task? other;
        lock (Gate)
        {
            other = _sending ? (_quiet ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task : null;
        }
        if (other is not null)
        {
            await other.ConfigureAwait(false);
        }
    }

    private async ValueTask EndAsync()
    {
        lock (Gate)
        {
            Close();
            _replica.Forget(this);
        }
        try
        {
            // The last reply (of a closeSession, of a refusal) must leave before the connection does.
            await SendRestAsync().WaitAsync(TimeSpan.FromSeconds(2)).ConfigureAwait(false);
        }
        catch (Exception)
        {
            _context.Abort();
        }
        await _context.Transport.Input.CompleteAsync().ConfigureAwait(false);
        await _context.Transport.Output.CompleteAsync().ConfigureAwait(false);
        await _context.DisposeAsync().ConfigureAwait(false);
        _replica.FlushOthers();
    }
}

/// <summary>Where a connection stands.</summary>
internal enum ConnectionState : byte
{
    /// <summary>No connect request yet.</summary>
    New = 0,
    /// <summary>Waiting for the leader to create or confirm the session.</summary>
    Connecting = 1,
    /// <summary>In session.</summary>
    Ready = 2,
    /// <summary>Over: nothing is read any more; what was written is still sent.</summary>
    Closed = 3,
}
