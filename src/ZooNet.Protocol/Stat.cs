namespace ZooNet.Protocol;

/// <summary>
/// A znode's Stat as clients see it: 68 bytes (source: <c>zookeeper.jute</c>, <c>class Stat</c>).
/// zxids are of the cluster that holds the znode; times are milliseconds since 1970.
/// </summary>
/// <param name="Czxid">zxid of the change that created the znode.</param>
/// <param name="Mzxid">zxid of the last change of its data.</param>
/// <param name="Ctime">When it was created.</param>
/// <param name="Mtime">When its data last changed.</param>
/// <param name="Version">Number of changes of its data.</param>
/// <param name="Cversion">Number of changes of its children.</param>
/// <param name="Aversion">Number of changes of its ACL.</param>
/// <param name="EphemeralOwner">Session that owns it; 0 where it is not ephemeral.</param>
/// <param name="DataLength">Bytes of its data.</param>
/// <param name="NumChildren">Number of its children.</param>
/// <param name="Pzxid">zxid of the last change of its list of children.</param>
public readonly record struct Stat(long Czxid, long Mzxid, long Ctime, long Mtime, int Version, int Cversion, int Aversion,
    long EphemeralOwner, int DataLength, int NumChildren, long Pzxid)
{
    /// <summary>Bytes of a Stat on the wire.</summary>
    public const int WireLength = 68;
    /// <summary>Offset of czxid in the wire form.</summary>
    public const int CzxidOffset = 0;
    /// <summary>Offset of mzxid in the wire form.</summary>
    public const int MzxidOffset = 8;
    /// <summary>Offset of aversion in the wire form.</summary>
    public const int AversionOffset = 40;
    /// <summary>Offset of ephemeralOwner in the wire form.</summary>
    public const int EphemeralOwnerOffset = 44;
    /// <summary>Offset of pzxid in the wire form.</summary>
    public const int PzxidOffset = 60;

    /// <summary>The newest change that this Stat shows: the largest of its three zxids.</summary>
    public long NewestZxid => Math.Max(Czxid, Math.Max(Mzxid, Pzxid));

    /// <summary>Reads a Stat.</summary>
    public static Stat Read(ref JuteReader reader) => new(reader.ReadLong(), reader.ReadLong(), reader.ReadLong(), reader.ReadLong(),
        reader.ReadInt(), reader.ReadInt(), reader.ReadInt(), reader.ReadLong(), reader.ReadInt(), reader.ReadInt(), reader.ReadLong());

    /// <summary>Writes this Stat.</summary>
    public void Write(JuteWriter writer)
    {
        writer.WriteLong(Czxid);
        writer.WriteLong(Mzxid);
        writer.WriteLong(Ctime);
        writer.WriteLong(Mtime);
        writer.WriteInt(Version);
        writer.WriteInt(Cversion);
        writer.WriteInt(Aversion);
        writer.WriteLong(EphemeralOwner);
        writer.WriteInt(DataLength);
        writer.WriteInt(NumChildren);
        writer.WriteLong(Pzxid);
    }
}
