using ZooNet.Protocol;
using ZooNet.Tree.Requests;

namespace ZooNet.Roaming.Records;

/// <summary>What a command of an object's log does.</summary>
internal enum CommandKind : byte
{
    /// <summary>Changes nothing: it proves that the log was as it was.</summary>
    Nothing = 0,

    /// <summary>A client's write.</summary>
    Write = 1,

    /// <summary>A home session has ended: what it owns in the object goes.</summary>
    EndSession = 2,

    /// <summary>A proxy is gone: nothing of it that comes later has an effect.</summary>
    EndProxy = 3,

    /// <summary>An empty container, or a TTL znode left alone for its time, goes if it still may.</summary>
    Reap = 4,
}

/// <summary>A client's session: its session in its region's home ensemble.</summary>
/// <param name="Zone">The region's zone.</param>
/// <param name="Id">The session id there.</param>
internal readonly record struct SessionName(string Zone, long Id);

/// <summary>
/// One command of an object's log. It carries all that its effect depends on but the state of the object: every copy applies it to the same
/// state with the same result. Immutable.
/// </summary>
/// <param name="Kind">What it does.</param>
/// <param name="Session">Whose it is, or whose end it tells; not used by <see cref="CommandKind.EndProxy"/> and <see
/// cref="CommandKind.Reap"/>.</param>
/// <param name="Op">For a write: the operation.</param>
/// <param name="Body">For a write: the request's body, with paths of the object, whose own znode is <c>/</c>. For a reap: the path.</param>
/// <param name="Identities">For a write: who the client is, checked by its proxy.</param>
/// <param name="Proxy">For the end of a proxy: its id.</param>
internal sealed record Command(CommandKind Kind, SessionName Session, OpCode Op, byte[] Body, IReadOnlyList<Identity> Identities,
    long Proxy = 0)
{
    /// <summary>The most identities that a client may have.</summary>
    public const int MaxIdentities = 64;

    private const string Own = "/zookeeper";

    /// <summary>A command that changes nothing.</summary>
    public static Command Nothing { get; } = new(CommandKind.Nothing, default, OpCode.Notification, [], []);

    /// <summary>A client's write.</summary>
    public static Command Write(SessionName session, OpCode op, byte[] body, IReadOnlyList<Identity> identities) =>
        new(CommandKind.Write, session, op, body, identities);

    /// <summary>The end of a home session.</summary>
    public static Command EndSession(SessionName session) => new(CommandKind.EndSession, session, OpCode.CloseSession, [], []);

    /// <summary>The end of a proxy.</summary>
    public static Command EndProxy(long proxy) => new(CommandKind.EndProxy, default, OpCode.Notification, [], [], proxy);

    /// <summary>The removal of an empty container or TTL znode.</summary>
    public static Command Reap(string path) => new(CommandKind.Reap, default, OpCode.Delete, System.Text.Encoding.UTF8.GetBytes(path), []);

    /// <summary>About how many bytes it takes in an entry; never less than it takes.</summary>
    public int Length => 64 + (Session.Zone?.Length * 3 ?? 0) + Body.Length + Identities.Sum(i =>
        8 + ((i.Scheme.Length + i.Id.Length) * 3));

    /// <summary>
    /// A client's use of the object, which says who should own it. What the proxies write for themselves does not, nor do ends of sessions.
    /// </summary>
    public bool IsUse
    {
        get
        {
            if (Kind != CommandKind.Write)
            {
                return false;
            }
            var reader = new JuteReader(Body);
            if (Op == OpCode.Multi)
            {
                // The first operation's header: its type, done, error.
                reader.ReadInt();
                reader.ReadBool();
                reader.ReadInt();
            }
            return reader.ReadString() is { } path && !reader.Failed && path != Own && !path.StartsWith(Own + "/", StringComparison.Ordinal);
        }
    }

    internal void Write(JuteWriter writer)
    {
        writer.WriteInt((int)Kind);
        writer.WriteString(Session.Zone ?? "");
        writer.WriteLong(Session.Id);
        writer.WriteInt((int)Op);
        writer.WriteBytes(Body);
        writer.WriteInt(Identities.Count);
        foreach (var identity in Identities)
        {
            writer.WriteString(identity.Scheme);
            writer.WriteString(identity.Id);
        }
        writer.WriteLong(Proxy);
    }

    internal static Command Read(ref JuteReader reader, string path)
    {
        var kind = reader.ReadInt();
        var session = new SessionName(reader.ReadString() ?? "", reader.ReadLong());
        var op = (OpCode)reader.ReadInt();
        var body = reader.ReadBuffer() ?? [];
        var identities = new Identity[reader.ReadCount(8)];
        for (var i = 0; i < identities.Length; i++)
        {
            identities[i] = new Identity(reader.ReadString() ?? "", reader.ReadString() ?? "");
        }
        var proxy = reader.ReadLong();
        return !reader.Failed && kind is >= 0 and <= (int)CommandKind.Reap && identities.Length <= MaxIdentities
            ? new Command((CommandKind)kind, session, op, body, identities, proxy)
            : throw RecordJson.Damaged(path, "a command in it can't be read");
    }
}
