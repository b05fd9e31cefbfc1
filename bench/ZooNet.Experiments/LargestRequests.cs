using System.Buffers.Binary;
using System.Net.Sockets;
using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Experiments;

/// <summary>
/// The largest request of each operation that a frame limit allows, those whose reply is the largest, and many clients that send one at
/// the same time.
/// </summary>
/// <param name="maxFrame">The longest frame that is allowed.</param>
/// <param name="maxReply">The longest reply that is allowed.</param>
/// <param name="root">The znode below which all of it happens, as clients name it.</param>
/// <param name="elsewhere">Such a znode in another cluster, for reads that span clusters.</param>
internal sealed class LargestRequests(int maxFrame, int maxReply, string root, string elsewhere)
{
    private static readonly TimeSpan SessionTimeout = TimeSpan.FromSeconds(40);

    /// <summary>What a Stat takes, and a result's header.</summary>
    private const int ResultLength = 68 + 9 + 4;

    /// <summary>
    /// What docs/configuration.md promises of the proxy's resident memory: 350 MiB, for each client two replies, four frames, two MiB and
    /// its watches in mounts, and twice what is put together for all.
    /// </summary>
    /// <param name="clients">How many there are.</param>
    /// <param name="maxFrame">The key of that name, as all that follow.</param>
    /// <param name="maxReply">Of one reply.</param>
    /// <param name="replyParts">Of all together.</param>
    /// <param name="watches">Of one client.</param>
    /// <param name="watchBytes">Of one client.</param>
    public static long Bound(int clients, long maxFrame, long maxReply, long replyParts, long watches, long watchBytes) =>
        (350L << 20) + (clients * ((2 * maxReply) + (4 * maxFrame) + (2L << 20) + watchBytes + (200 * watches))) + (2 * replyParts);

    /// <summary>Makes what the requests read. The znode of the root must be there.</summary>
    public async Task PrepareAsync(ZooKeeperClient client)
    {
        await client.CreateAsync($"{root}/data", new byte[LargestData]);
        await client.CreateAsync($"{root}/small", [1]);
        await client.CreateAsync($"{root}/acl");
        await client.CreateAsync($"{root}/names");
        // A folder whose listing is as long as a reply may be.
        var name = Math.Min(maxFrame / 2, 100_000);
        for (var i = 0; (i + 1) * (long)(name + 4) < maxReply - 200; i++)
        {
            await client.CreateAsync($"{root}/names/{i:0000}{new string('n', name - 4)}");
        }
    }

    /// <summary>The requests: a name, and a frame. Every client may send the same.</summary>
    public IEnumerable<(string Name, byte[] Frame)> All()
    {
        foreach (var op in new[] { OpCode.Create, OpCode.Create2 })
        {
            yield return Filled(op, "data", (w, fill) =>
            {
                w.WriteString($"{root}/e");
                w.WriteBuffer(new byte[fill]);
                WriteAcl(w, "anyone");
                // Ephemeral and sequential: each its own, and gone with the client.
                w.WriteInt(3);
            });
        }
        yield return Filled(OpCode.SetData, "data", (w, fill) => new SetDataRequest($"{root}/data", new byte[fill], -1).Write(w));
        yield return Filled(OpCode.SetAcl, "an ACL", (w, fill) =>
        {
            w.WriteString($"{root}/acl");
            WriteAcl(w, new string('a', fill));
            w.WriteInt(-1);
        });
        foreach (var op in new[] { OpCode.Exists, OpCode.GetData, OpCode.GetChildren, OpCode.GetChildren2 })
        {
            yield return Filled(op, "a path, watched", (w, fill) => new PathWatchRequest(Long(fill), true).Write(w));
        }
        foreach (var op in new[] { OpCode.GetAcl, OpCode.Sync, OpCode.GetEphemerals, OpCode.GetAllChildrenNumber })
        {
            yield return Filled(op, "a path", (w, fill) => w.WriteString(Long(fill)));
        }
        foreach (var op in new[] { OpCode.Delete, OpCode.RemoveWatches, OpCode.CheckWatches, OpCode.AddWatch })
        {
            yield return Filled(op, "a path", (w, fill) =>
            {
                w.WriteString(Long(fill));
                w.WriteInt(1);
            });
        }
        yield return Filled(OpCode.Multi, "data", (w, fill) =>
        {
            new MultiHeader(OpCode.SetData, false, -1).Write(w);
            new SetDataRequest($"{root}/data", new byte[fill], -1).Write(w);
            MultiHeader.End.Write(w);
        });
        yield return Repeated(OpCode.Multi, "checks", maxReply, w =>
        {
            new MultiHeader(OpCode.Check, false, -1).Write(w);
            w.WriteString(root);
            w.WriteInt(-1);
        });
        yield return Reads("small parts", [$"{root}/small"], 1);
        yield return Reads("large parts", [$"{root}/data"], LargestData);
        yield return Reads("parts of two clusters", [$"{root}/data", $"{elsewhere}/small"], LargestData / 2);
        yield return Of(OpCode.GetData, "the largest data", w => new PathWatchRequest($"{root}/data", false).Write(w));
        foreach (var op in new[] { OpCode.GetChildren, OpCode.GetChildren2 })
        {
            yield return Of(op, "the longest listing", w => new PathWatchRequest($"{root}/names", false).Write(w));
        }
        yield return Of(OpCode.GetAllChildrenNumber, "of all", w => w.WriteString(root));
        yield return Of(OpCode.GetEphemerals, "of all", w => w.WriteString(root));
        foreach (var op in new[] { OpCode.SetWatches, OpCode.SetWatches2 })
        {
            string[] paths = [.. Enumerable.Range(0, (maxFrame - 200) / (root.Length + 11)).Select(i => $"{root}/{i:000000}")];
            yield return Of(op, "paths", w => new SetWatchesRequest(0, [], paths, [], [], []).Write(w, op), Xids.SetWatches);
        }
        var credential = new AuthRequest(0, "digest", new byte[Math.Min(maxFrame / 2, 60_000)]);
        yield return Of(OpCode.Auth, "a credential", credential.Write, Xids.Auth);
        yield return Filled(OpCode.Sasl, "a token", (w, fill) => w.WriteBuffer(new byte[fill]));
    }

    /// <summary>
    /// Clients that each open a session, send a request some times over without reading a byte until nothing more is taken, and read
    /// then. They ping while they read, as libraries do.
    /// </summary>
    /// <param name="server">Where.</param>
    /// <param name="clients">How many.</param>
    /// <param name="frame">The request.</param>
    /// <param name="copies">How often each sends it.</param>
    /// <returns>How many replies came, and how many clients were closed on.</returns>
    public static async Task<(int Replies, int Closed)> SendAsync(ServerAddress server, int clients, byte[] frame, int copies)
    {
        var sockets = await Task.WhenAll(Enumerable.Range(0, clients).Select(_ => OpenAsync(server)));
        try
        {
            var sends = sockets.Select(socket => SendAsync(socket, frame, copies)).ToArray();
            var all = Task.WhenAll(sends);
            // Long enough for everything that will be taken; who is made to wait waits until the replies are read.
            await Task.WhenAny(all, Task.Delay(TimeSpan.FromSeconds(2)));
            using var done = new CancellationTokenSource();
            var pings = sockets.Select((socket, i) => PingAsync(socket, sends[i], done.Token)).ToArray();
            var replies = await Task.WhenAll(sockets.Select(socket => ReadAsync(socket, copies))).WaitAsync(TimeSpan.FromMinutes(5));
            await done.CancelAsync();
            await Task.WhenAll(pings);
            return (replies.Sum(), replies.Count(count => count < copies));
        }
        finally
        {
            foreach (var socket in sockets)
            {
                socket.Dispose();
            }
        }
    }

    private static async Task<Socket> OpenAsync(ServerAddress server)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server.Host, server.Port);
        var writer = new JuteWriter(64);
        new ConnectRequest(0, 0, (int)SessionTimeout.TotalMilliseconds, 0, new byte[16], false).WriteFrame(writer);
        await socket.SendAsync(writer.WrittenMemory);
        return await SkipFrameAsync(socket, new byte[4096]) is not null ? socket
            : throw new IOException($"{server} closed the connection instead of giving a session");
    }

    private static async Task SendAsync(Socket socket, byte[] frame, int copies)
    {
        try
        {
            for (var i = 0; i < copies; i++)
            {
                await socket.SendAsync(frame);
            }
        }
        catch (SocketException)
        {
            // Closed on us: the reader counts it.
        }
    }

    /// <summary>Says that the client lives, four times in a session's timeout, once its requests are sent.</summary>
    private static async Task PingAsync(Socket socket, Task sent, CancellationToken cancellationToken)
    {
        var ping = new JuteWriter();
        var mark = ping.BeginFrame();
        new RequestHeader(Xids.Ping, OpCode.Ping).Write(ping);
        ping.EndFrame(mark);
        var bytes = ping.Written.ToArray();
        try
        {
            await sent.WaitAsync(cancellationToken);
            while (true)
            {
                await socket.SendAsync(bytes, cancellationToken);
                await Task.Delay(SessionTimeout / 4, cancellationToken);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            // It is over, or closed on us.
        }
    }

    private static async Task<int> ReadAsync(Socket socket, int copies)
    {
        var buffer = new byte[64 * 1024];
        var replies = 0;
        while (replies < copies && await SkipFrameAsync(socket, buffer) is { } xid)
        {
            replies += xid == Xids.Ping ? 0 : 1;
        }
        return replies;
    }

    /// <summary>Reads a frame and throws it away.</summary>
    /// <returns>Its first four bytes, which of a reply are the xid; null where the connection has ended.</returns>
    private static async Task<int?> SkipFrameAsync(Socket socket, byte[] buffer)
    {
        var left = -1L;
        var got = 0;
        int? xid = null;
        try
        {
            while (left != 0)
            {
                // First the length, then the xid, then the rest.
                var isHead = left < 0 || xid is null;
                var want = isHead ? 4 - got : (int)Math.Min(left, buffer.Length);
                var read = await socket.ReceiveAsync(buffer.AsMemory(isHead ? got : 0, want));
                if (read == 0)
                {
                    return null;
                }
                got += isHead ? read : 0;
                if (left >= 0)
                {
                    left -= read;
                }
                if (isHead && got == 4)
                {
                    var head = BinaryPrimitives.ReadInt32BigEndian(buffer);
                    got = 0;
                    if (left < 0)
                    {
                        left = head;
                    }
                    else
                    {
                        xid = head;
                    }
                }
            }
            return xid;
        }
        catch (SocketException)
        {
            return null;
        }
    }

    private int LargestData => maxFrame - 200 - root.Length;

    private string Long(int length) => $"{root}/{new string('p', length)}";

    private static void WriteAcl(JuteWriter writer, string id)
    {
        writer.WriteInt(1);
        writer.WriteInt(31);
        writer.WriteString(id == "anyone" ? "world" : "digest");
        writer.WriteString(id == "anyone" ? id : $"{id}:{id}");
    }

    /// <summary>As many reads as the frame takes, and as the reply may answer.</summary>
    private (string Name, byte[] Frame) Reads(string what, string[] paths, int length) => Repeated(OpCode.MultiRead, what,
        (maxReply - 100) / (length + ResultLength) / paths.Length, w =>
        {
            foreach (var path in paths)
            {
                new MultiHeader(OpCode.GetData, false, -1).Write(w);
                new PathWatchRequest(path, false).Write(w);
            }
        });

    private (string Name, byte[] Frame) Repeated(OpCode op, string what, int most, Action<JuteWriter> part)
    {
        var one = new JuteWriter();
        part(one);
        var times = Math.Min(most, (maxFrame - 100) / one.Length);
        return Of(op, $"{times:#,0} × {what}", w =>
        {
            for (var i = 0; i < times; i++)
            {
                w.WriteRaw(one.Written);
            }
            MultiHeader.End.Write(w);
        });
    }

    /// <summary>The request with so much filling that its frame is as long as may be.</summary>
    private (string Name, byte[] Frame) Filled(OpCode op, string what, Action<JuteWriter, int> body)
    {
        var one = Of(op, what, w => body(w, 1)).Frame.Length;
        var each = Of(op, what, w => body(w, 2)).Frame.Length - one;
        return Of(op, what, w => body(w, (maxFrame - 20 - one) / each));
    }

    private static (string Name, byte[] Frame) Of(OpCode op, string what, Action<JuteWriter> body, int xid = 1)
    {
        var writer = new JuteWriter();
        var mark = writer.BeginFrame();
        new RequestHeader(xid, op).Write(writer);
        body(writer);
        writer.EndFrame(mark);
        return ($"{op}: {what}", writer.Written.ToArray());
    }
}
