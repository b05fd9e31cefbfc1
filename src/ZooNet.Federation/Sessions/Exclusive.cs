using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>
/// A request that is carried out alone, often in several clusters: its steps run one after the other as if the client had sent
/// them, their replies are collected, and one reply is made of them. Single owner: its session.
/// </summary>
internal sealed class Exclusive(int xid, OpCode op, ReadOnlySpan<byte> frame, List<byte[]> parts)
{
    public int Xid { get; } = xid;
    public OpCode Op { get; } = op;

    /// <summary>The client's own frame.</summary>
    public byte[] Frame { get; } = frame.ToArray();

    /// <summary>Requests in the client's terms that together answer it.</summary>
    public List<byte[]> Parts { get; } = parts;

    /// <summary>Place in the order of the client's replies.</summary>
    public long Seq { get; set; }

    /// <summary>What is still to be run.</summary>
    public Queue<byte[]> Steps { get; } = new();

    /// <summary>The clusters that are still to be asked, after the steps, each as fresh as a read.</summary>
    public Queue<SessionLink> Links { get; } = new();

    /// <summary>Parts sent and not answered.</summary>
    public int Waiting { get; set; }

    /// <summary>Replies of the steps, in order.</summary>
    public List<byte[]> Replies { get; } = [];

    /// <summary>What the paths that are asked for begin with.</summary>
    public string Prefix { get; set; } = "";

    /// <summary>Paths collected from other clusters.</summary>
    public List<string> Paths { get; } = [];

    /// <summary>Why the whole fails although every step may have been answered.</summary>
    public ErrorCode Error { get; set; }
}
