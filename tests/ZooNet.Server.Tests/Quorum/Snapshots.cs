using ZooNet.Protocol;
using ZooNet.Server.Quorum;

namespace ZooNet.Server.Tests.Quorum;

/// <summary>Snapshots as a leader sends them.</summary>
internal static class Snapshots
{
    /// <summary>
    /// The SNAP packet and one without sessions, of znodes that are open to everybody; the root's path is empty, and parents come first.
    /// </summary>
    /// <param name="zxid">Its position.</param>
    /// <param name="znodes">What it holds.</param>
    public static byte[] Of(long zxid, params IReadOnlyList<(string Path, byte[] Data)> znodes)
    {
        var writer = new JuteWriter();
        new QuorumPacket(QuorumPacketType.Snap, zxid).Write(writer);
        writer.WriteInt(0);
        writer.WriteInt(0);
        foreach (var (path, data) in znodes)
        {
            writer.WriteString(path);
            writer.WriteBuffer(data);
            writer.WriteLong(-1);
            // czxid, mzxid, ctime, mtime
            for (var i = 0; i < 4; i++)
            {
                writer.WriteLong(1);
            }
            // version, cversion, aversion
            for (var i = 0; i < 3; i++)
            {
                writer.WriteInt(0);
            }
            writer.WriteLong(0);
            writer.WriteLong(1);
        }
        writer.WriteString("/");
        writer.WriteString("BenWasHere");
        return writer.Written.ToArray();
    }
}
