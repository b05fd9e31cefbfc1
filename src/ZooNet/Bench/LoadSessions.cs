using System.Buffers.Binary;
using System.Net.Sockets;
using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Bench;

/// <summary>A session on which nothing is outstanding.</summary>
/// <param name="Socket">Its connection.</param>
/// <param name="Xid">The last one used on it.</param>
/// <param name="LastSent">When anything was sent on it last, in ticks of the clock.</param>
internal readonly record struct IdleSession(Socket Socket, int Xid, long LastSent);

/// <summary>
/// What consecutive runs have in common, for a process that makes many short ones: sessions, which stay open between runs, and the
/// encoded requests. Without it every run would begin with its clients' connects, which across a WAN take longer than the run. Used by
/// one run at a time.
/// </summary>
internal sealed class LoadSessions(TimeProvider time) : IDisposable
{
    private static readonly TimeSpan PingLimit = TimeSpan.FromSeconds(10);

    private readonly Dictionary<ServerAddress, Queue<IdleSession>> _idle = [];
    private readonly Dictionary<string, Workload> _workloads = [];

    /// <summary>Sessions that are open and idle.</summary>
    public int Count => _idle.Values.Sum(queue => queue.Count);

    /// <summary>The workload for a run: its requests are encoded, and its znodes made, only where no earlier run had the same.</summary>
    public async Task<Workload> PrepareAsync(BenchOptions options, CancellationToken cancellationToken)
    {
        var key = string.Join(' ', [.. options.Servers, options.Local, .. options.Remotes, options.Root, options.Size, options.Znodes]);
        if (_workloads.TryGetValue(key, out var workload))
        {
            return workload.With(options);
        }
        workload = new Workload(options);
        await BenchPreparation.PrepareAsync(workload, cancellationToken);
        return _workloads[key] = workload;
    }

    /// <summary>Takes an idle session of a server; null where there is none.</summary>
    public IdleSession? Take(ServerAddress server) => _idle.TryGetValue(server, out var queue) && queue.TryDequeue(out var session) ? session : null;

    /// <summary>Keeps a session for later runs.</summary>
    public void Keep(ServerAddress server, IdleSession session)
    {
        if (!_idle.TryGetValue(server, out var queue))
        {
            _idle[server] = queue = new Queue<IdleSession>();
        }
        queue.Enqueue(session);
    }

    /// <summary>
    /// Pings the sessions that have been silent for so long, and drops those that have ended. Blocks for a round trip each.
    /// </summary>
    public void KeepAlive(TimeSpan silence)
    {
        foreach (var queue in _idle.Values)
        {
            for (var left = queue.Count; left > 0; left--)
            {
                var session = queue.Dequeue();
                if (time.GetElapsedTime(session.LastSent) < silence)
                {
                    queue.Enqueue(session);
                }
                else if (Ping(session.Socket))
                {
                    queue.Enqueue(session with { LastSent = time.GetTimestamp() });
                }
            }
        }
    }

    /// <summary>Drops all sessions; the servers let them expire.</summary>
    public void Dispose()
    {
        foreach (var session in _idle.Values.SelectMany(queue => queue))
        {
            session.Socket.Dispose();
        }
        _idle.Clear();
    }

    private static bool Ping(Socket socket)
    {
        Span<byte> frame = stackalloc byte[Framing.PrefixLength + ReplyHeader.WireLength];
        var request = frame[..(Framing.PrefixLength + RequestHeader.WireLength)];
        BinaryPrimitives.WriteInt32BigEndian(request, RequestHeader.WireLength);
        BinaryPrimitives.WriteInt32BigEndian(request[4..], Xids.Ping);
        BinaryPrimitives.WriteInt32BigEndian(request[8..], (int)OpCode.Ping);
        try
        {
            socket.Blocking = true;
            socket.ReceiveTimeout = (int)PingLimit.TotalMilliseconds;
            socket.Send(request);
            for (var count = 0; count < frame.Length;)
            {
                var read = socket.Receive(frame[count..]);
                count += read > 0 ? read : throw new SocketException((int)SocketError.ConnectionReset);
            }
            socket.Blocking = false;
            // Nothing is outstanding and nothing watched: whatever is not the reply to the ping is a reason to start anew.
            return ReplyHeader.Read(frame[Framing.PrefixLength..]).Xid == Xids.Ping;
        }
        catch (SocketException)
        {
            socket.Dispose();
            return false;
        }
    }
}
