namespace ZooNet.Protocol;

/// <summary>One entry of an ACL (source: <c>zookeeper.jute</c>, <c>class ACL</c> and <c>Id</c>).</summary>
/// <param name="Perms">A sum of <see cref="Permissions"/>.</param>
/// <param name="Scheme">world, auth, digest, ip, x509 or sasl; null is legal on the wire and refused by servers.</param>
/// <param name="Id">The identity within the scheme.</param>
public readonly record struct Acl(int Perms, string? Scheme, string? Id)
{
    /// <summary>Everything to everyone: ZooKeeper's <c>OPEN_ACL_UNSAFE</c>.</summary>
    public static IReadOnlyList<Acl> Open { get; } = [new(Permissions.All, "world", "anyone")];

    /// <summary>Reads an ACL list; null for a null vector.</summary>
    public static Acl[]? ReadList(ref JuteReader reader)
    {
        var probe = reader;
        if (probe.ReadInt() == -1)
        {
            reader.ReadInt();
            return null;
        }
        var count = reader.ReadCount(12);
        var list = new Acl[count];
        for (var i = 0; i < count; i++)
        {
            list[i] = new Acl(reader.ReadInt(), reader.ReadString(), reader.ReadString());
        }
        return list;
    }

    /// <summary>Writes an ACL list; null becomes a null vector.</summary>
    public static void WriteList(JuteWriter writer, IReadOnlyList<Acl>? list)
    {
        if (list is null)
        {
            writer.WriteInt(-1);
            return;
        }
        writer.WriteInt(list.Count);
        foreach (var acl in list)
        {
            writer.WriteInt(acl.Perms);
            writer.WriteString(acl.Scheme);
            writer.WriteString(acl.Id);
        }
    }
}

/// <summary>The permission bits of an ACL entry (source: <c>ZooDefs.Perms</c>).</summary>
public static class Permissions
{
    /// <summary>Read data and list children.</summary>
    public const int Read = 1;
    /// <summary>Set data.</summary>
    public const int Write = 2;
    /// <summary>Create children.</summary>
    public const int Create = 4;
    /// <summary>Delete children.</summary>
    public const int Delete = 8;
    /// <summary>Set the ACL.</summary>
    public const int Admin = 16;
    /// <summary>All five.</summary>
    public const int All = 31;
}
