namespace ZooNet.Protocol;

/// <summary>
/// {ustring path; buffer data; vector&lt;ACL&gt; acl; int flags} — create, create2, createContainer; with {long ttl} createTTL.
/// </summary>
/// <param name="Path">The path asked for; the server may append a counter.</param>
/// <param name="Data">May be null, which is kept apart from empty.</param>
/// <param name="AccessControl">The ACL; null where the vector was null.</param>
/// <param name="Flags">See <see cref="CreateFlags"/>.</param>
/// <param name="TtlMs">Time to live in milliseconds, for createTTL.</param>
public sealed record CreateRequest(string? Path, byte[]? Data, Acl[]? AccessControl, int Flags, long TtlMs = 0)
{
    /// <summary>Reads the body of <paramref name="op"/>.</summary>
    public static CreateRequest Read(ref JuteReader reader, OpCode op) => new(reader.ReadString(), reader.ReadBuffer(),
        Acl.ReadList(ref reader), reader.ReadInt(), op == OpCode.CreateTtl ? reader.ReadLong() : 0);

    /// <summary>Writes the body for <paramref name="op"/>.</summary>
    public void Write(JuteWriter writer, OpCode op)
    {
        writer.WriteString(Path);
        writer.WriteBuffer(Data);
        Acl.WriteList(writer, AccessControl);
        writer.WriteInt(Flags);
        if (op == OpCode.CreateTtl)
        {
            writer.WriteLong(TtlMs);
        }
    }
}

/// <summary>{ustring path; int version} — delete, and check inside a multi.</summary>
/// <param name="Path">The znode.</param>
/// <param name="Version">The version it must have; -1 for any.</param>
public readonly record struct PathVersionRequest(string? Path, int Version)
{
    /// <summary>Reads the body.</summary>
    public static PathVersionRequest Read(ref JuteReader reader) => new(reader.ReadString(), reader.ReadInt());

    /// <summary>Writes the body.</summary>
    public void Write(JuteWriter writer)
    {
        writer.WriteString(Path);
        writer.WriteInt(Version);
    }
}

/// <summary>{ustring path; boolean watch} — exists, getData, getChildren, getChildren2.</summary>
/// <param name="Path">The znode.</param>
/// <param name="Watch">Whether to leave a watch.</param>
public readonly record struct PathWatchRequest(string? Path, bool Watch)
{
    /// <summary>Reads the body.</summary>
    public static PathWatchRequest Read(ref JuteReader reader) => new(reader.ReadString(), reader.ReadBool());

    /// <summary>Writes the body.</summary>
    public void Write(JuteWriter writer)
    {
        writer.WriteString(Path);
        writer.WriteBool(Watch);
    }
}

/// <summary>{ustring path; buffer data; int version} — setData.</summary>
/// <param name="Path">The znode.</param>
/// <param name="Data">May be null.</param>
/// <param name="Version">The version it must have; -1 for any.</param>
public sealed record SetDataRequest(string? Path, byte[]? Data, int Version)
{
    /// <summary>Reads the body.</summary>
    public static SetDataRequest Read(ref JuteReader reader) => new(reader.ReadString(), reader.ReadBuffer(), reader.ReadInt());

    /// <summary>Writes the body.</summary>
    public void Write(JuteWriter writer)
    {
        writer.WriteString(Path);
        writer.WriteBuffer(Data);
        writer.WriteInt(Version);
    }
}

/// <summary>{ustring path; vector&lt;ACL&gt; acl; int version} — setACL.</summary>
/// <param name="Path">The znode.</param>
/// <param name="AccessControl">The new ACL.</param>
/// <param name="Version">The ACL version it must have; -1 for any.</param>
public sealed record SetAclRequest(string? Path, Acl[]? AccessControl, int Version)
{
    /// <summary>Reads the body.</summary>
    public static SetAclRequest Read(ref JuteReader reader) => new(reader.ReadString(), Acl.ReadList(ref reader), reader.ReadInt());

    /// <summary>Writes the body.</summary>
    public void Write(JuteWriter writer)
    {
        writer.WriteString(Path);
        Acl.WriteList(writer, AccessControl);
        writer.WriteInt(Version);
    }
}

/// <summary>
/// {ustring path; int type or mode} — checkWatches, removeWatches (<see cref="WatcherType"/>) and addWatch (<see cref="AddWatchMode"/>).
/// </summary>
/// <param name="Path">The watched path.</param>
/// <param name="Kind">The type or the mode.</param>
public readonly record struct PathKindRequest(string? Path, int Kind)
{
    /// <summary>Reads the body.</summary>
    public static PathKindRequest Read(ref JuteReader reader) => new(reader.ReadString(), reader.ReadInt());

    /// <summary>Writes the body.</summary>
    public void Write(JuteWriter writer)
    {
        writer.WriteString(Path);
        writer.WriteInt(Kind);
    }
}

/// <summary>{int type; ustring scheme; buffer auth} — auth.</summary>
/// <param name="Type">Unused; 0.</param>
/// <param name="Scheme">digest, ip, …</param>
/// <param name="Credentials">As the scheme wants them; for digest "user:password".</param>
public sealed record AuthRequest(int Type, string? Scheme, byte[]? Credentials)
{
    /// <summary>Reads the body.</summary>
    public static AuthRequest Read(ref JuteReader reader) => new(reader.ReadInt(), reader.ReadString(), reader.ReadBuffer());

    /// <summary>Writes the body.</summary>
    public void Write(JuteWriter writer)
    {
        writer.WriteInt(Type);
        writer.WriteString(Scheme);
        writer.WriteBuffer(Credentials);
    }
}

/// <summary>
/// {long relativeZxid; vector data, exist, child} — setWatches; with {vector persistent, persistentRecursive} setWatches2.
/// </summary>
/// <param name="RelativeZxid">The last zxid the client saw, of the cluster that holds the paths.</param>
/// <param name="Data">Paths with a data watch.</param>
/// <param name="Exist">Paths with an exists watch.</param>
/// <param name="Child">Paths with a child watch.</param>
/// <param name="Persistent">Paths with a persistent watch.</param>
/// <param name="PersistentRecursive">Paths with a persistent-recursive watch.</param>
public sealed record SetWatchesRequest(long RelativeZxid, string[] Data, string[] Exist, string[] Child, string[] Persistent, string[] PersistentRecursive)
{
    /// <summary>
    /// True when a list, or a path that a server looks up, was null. ZooKeeper sets the watches before it, in the order of the lists, and
    /// then answers MARSHALLINGERROR; what comes after it is left out here.
    /// </summary>
    public bool EndsInNull { get; init; }

    /// <summary>Reads the body of <paramref name="op"/>.</summary>
    public static SetWatchesRequest Read(ref JuteReader reader, OpCode op)
    {
        var zxid = reader.ReadLong();
        string[][] lists = [[], [], [], [], []];
        var endsInNull = false;
        for (var kind = 0; kind < (op == OpCode.SetWatches2 ? lists.Length : 3); kind++)
        {
            var read = reader.ReadNullableStrings();
            if (!endsInNull)
            {
                // A persistent watch on no path is kept by a server, and never fires.
                var paths = kind == 3 && read is not null ? [.. read.Where(path => path is not null)] : read;
                lists[kind] = [.. (paths ?? []).TakeWhile(path => path is not null).OfType<string>()];
                endsInNull = paths is null || lists[kind].Length < paths.Length;
            }
        }
        return new SetWatchesRequest(zxid, lists[0], lists[1], lists[2], lists[3], lists[4]) { EndsInNull = endsInNull };
    }

    /// <summary>Splits it, in order, so that each part holds at most about so many bytes of paths; at least one part.</summary>
    /// <param name="pathBytes">Bytes of paths, length prefixes included; one longer path makes a part of its own.</param>
    public IReadOnlyList<SetWatchesRequest> Split(int pathBytes)
    {
        string[][] kinds = [Data, Exist, Child, Persistent, PersistentRecursive];
        var parts = new List<SetWatchesRequest>();
        List<string>[] lists = [[], [], [], [], []];
        var bytes = 0;
        for (var kind = 0; kind < kinds.Length; kind++)
        {
            foreach (var path in kinds[kind])
            {
                var length = 4 + System.Text.Encoding.UTF8.GetByteCount(path);
                if (bytes > 0 && bytes + length > pathBytes)
                {
                    Finish();
                }
                lists[kind].Add(path);
                bytes += length;
            }
        }
        if (bytes > 0 || parts.Count == 0)
        {
            Finish();
        }
        return parts;

        void Finish()
        {
            parts.Add(new SetWatchesRequest(RelativeZxid, [.. lists[0]], [.. lists[1]], [.. lists[2]], [.. lists[3]], [.. lists[4]]));
            lists = [[], [], [], [], []];
            bytes = 0;
        }
    }

    /// <summary>Writes the body for <paramref name="op"/>.</summary>
    public void Write(JuteWriter writer, OpCode op)
    {
        writer.WriteLong(RelativeZxid);
        writer.WriteStrings(Data);
        writer.WriteStrings(Exist);
        writer.WriteStrings(Child);
        if (op == OpCode.SetWatches2)
        {
            writer.WriteStrings(Persistent);
            writer.WriteStrings(PersistentRecursive);
        }
    }
}

/// <summary>{ustring joining, leaving, newMembers; long configId} — reconfig.</summary>
/// <param name="Joining">Servers to add.</param>
/// <param name="Leaving">Servers to remove.</param>
/// <param name="NewMembers">The whole new membership instead.</param>
/// <param name="ConfigId">The configuration it must follow on; -1 for any.</param>
public readonly record struct ReconfigRequest(string? Joining, string? Leaving, string? NewMembers, long ConfigId)
{
    /// <summary>Reads the body.</summary>
    public static ReconfigRequest Read(ref JuteReader reader) => new(reader.ReadString(), reader.ReadString(), reader.ReadString(), reader.ReadLong());

    /// <summary>Writes the body.</summary>
    public void Write(JuteWriter writer)
    {
        writer.WriteString(Joining);
        writer.WriteString(Leaving);
        writer.WriteString(NewMembers);
        writer.WriteLong(ConfigId);
    }
}

/// <summary>{int type; int state; ustring path} — the body of a watch event.</summary>
/// <param name="Type">What happened.</param>
/// <param name="State">3 (SyncConnected) on the wire.</param>
/// <param name="Path">The znode.</param>
public readonly record struct WatcherEvent(WatchEventType Type, int State, string? Path)
{
    /// <summary>The only state a server sends.</summary>
    public const int SyncConnected = 3;

    /// <summary>Reads the body.</summary>
    public static WatcherEvent Read(ref JuteReader reader) => new((WatchEventType)reader.ReadInt(), reader.ReadInt(), reader.ReadString());

    /// <summary>Writes the event as a whole frame.</summary>
    public void WriteFrame(JuteWriter writer, long zxid = -1)
    {
        var mark = writer.BeginFrame();
        new ReplyHeader(Xids.Notification, zxid, ErrorCode.Ok).Write(writer);
        writer.WriteInt((int)Type);
        writer.WriteInt(State);
        writer.WriteString(Path);
        writer.EndFrame(mark);
    }
}

/// <summary>{int type; boolean done; int err} — before each operation and each result of a multi.</summary>
/// <param name="Type">The operation, or <see cref="OpCode.Error"/>.</param>
/// <param name="Done">True for the closing one.</param>
/// <param name="Error">-1 in requests; in results the outcome.</param>
public readonly record struct MultiHeader(OpCode Type, bool Done, int Error)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireLength = 9;

    /// <summary>The closing header.</summary>
    public static MultiHeader End { get; } = new(OpCode.Error, true, -1);

    /// <summary>Reads a header.</summary>
    public static MultiHeader Read(ref JuteReader reader) => new((OpCode)reader.ReadInt(), reader.ReadBool(), reader.ReadInt());

    /// <summary>Writes this header.</summary>
    public void Write(JuteWriter writer)
    {
        writer.WriteInt((int)Type);
        writer.WriteBool(Done);
        writer.WriteInt(Error);
    }

    /// <summary>Writes one result of a failed operation, header and code.</summary>
    public static void WriteErrorResult(JuteWriter writer, ErrorCode error)
    {
        new MultiHeader(OpCode.Error, false, (int)error).Write(writer);
        writer.WriteInt((int)error);
    }
}
