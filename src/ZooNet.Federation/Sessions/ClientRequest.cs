using System.Buffers.Binary;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>
/// A request of the client, or one part of a request that is carried out alone. A view of its frame: valid as long as the frame is.
/// </summary>
internal readonly ref struct ClientRequest
{
    /// <summary>Reads the header of a request.</summary>
    /// <param name="frame">The whole frame; it holds a header.</param>
    /// <param name="isPart">True for a part: its reply is collected and not sent.</param>
    public ClientRequest(ReadOnlySpan<byte> frame, bool isPart = false)
    {
        Frame = frame;
        IsPart = isPart;
        Xid = BinaryPrimitives.ReadInt32BigEndian(frame[Framing.PrefixLength..]);
        Op = (OpCode)BinaryPrimitives.ReadInt32BigEndian(frame[(Framing.PrefixLength + 4)..]);
    }

    /// <summary>The whole frame.</summary>
    public ReadOnlySpan<byte> Frame { get; }

    /// <summary>Whether it is one part of a request that is carried out alone.</summary>
    public bool IsPart { get; }

    /// <summary>The client's xid.</summary>
    public int Xid { get; }

    /// <summary>What it asks for.</summary>
    public OpCode Op { get; }

    /// <summary>What comes after the header.</summary>
    public ReadOnlySpan<byte> Body => Frame[(Framing.PrefixLength + RequestHeader.WireLength)..];

    /// <summary>The mode or watcher type behind the path of a request for watches; 0 where it can't be read.</summary>
    public int WatchKind => BehindPath.ReadInt();

    /// <summary>Whether a read asks for a watch: the flag behind its path.</summary>
    public bool LeavesWatch => BehindPath.ReadBool();

    /// <summary>Whether it would add a persistent watch on a null path.</summary>
    public bool WatchesNothing => Op == OpCode.AddWatch && Body.Length >= 4 && BinaryPrimitives.ReadInt32BigEndian(Body) == -1;

    /// <summary>What follows the path. It is read from the front: servers ignore whatever stands behind a request.</summary>
    private JuteReader BehindPath
    {
        get
        {
            var reader = new JuteReader(Body);
            reader.ReadBytes(out _);
            return reader;
        }
    }
}
