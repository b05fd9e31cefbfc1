using System.Globalization;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Upstream;

/// <summary>
/// What is kept at home of one client's session in one remote cluster. It is sealed with the proxies' secret, and opens only as the
/// record of that client and that cluster (docs/adr/0005-the-proxies-own-znodes.md). Immutable.
/// </summary>
/// <param name="Home">The client's session at home.</param>
/// <param name="Remote">Its session in the remote cluster.</param>
/// <param name="ServedBy">The proxy that serves the client, or served it last: <see cref="ProxyInstance.Id"/>.</param>
/// <param name="IsEnding">True once a proxy has begun to end the client's session at home, because no proxy has served it for too
/// long.</param>
internal sealed record SessionRecord(HomeSession Home, RemoteSessionRecord Remote, string ServedBy, bool IsEnding = false)
{
    /// <summary>The records are spread over this many folders, so that none is too long to be listed.</summary>
    public const int Folders = 16;

    private const string Purpose = "session record";

    /// <summary>The folder that a session's records are in.</summary>
    public static string FolderOf(long homeSession) => FolderOf((int)(homeSession & (Folders - 1)));

    /// <summary>One of the folders.</summary>
    /// <param name="number">0 to <see cref="Folders"/> - 1.</param>
    public static string FolderOf(int number) => $"{ZooNetTree.Sessions}/{number:x}";

    /// <summary>The znode of a record.</summary>
    public static string PathOf(long homeSession, string cluster) => $"{FolderOf(homeSession)}/{NameOf(homeSession, cluster)}";

    /// <summary>The client and the cluster that a record's znode is named for.</summary>
    /// <returns>False for a path that is no record's.</returns>
    public static bool TryParse(string path, ProxyConfig config, out long homeSession, out ClusterConfig cluster)
    {
        homeSession = 0;
        cluster = config.Home;
        var name = path.AsSpan(path.LastIndexOf('/') + 1);
        var at = name.IndexOf('@');
        if (at != 16 || !long.TryParse(name[..at], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out homeSession)
            || config.FindCluster(name[(at + 1)..].ToString()) is not { IsHome: false } found)
        {
            return false;
        }
        cluster = found;
        return path == PathOf(homeSession, found.Name);
    }

    /// <summary>What the znode holds.</summary>
    public byte[] Seal(ProxySecret secret, ProxyConfig config)
    {
        var writer = new JuteWriter(256);
        writer.WriteBytes(Home.Password);
        writer.WriteInt(Home.TimeoutMs);
        writer.WriteLong(Remote.SessionId);
        writer.WriteBytes(Remote.Password);
        writer.WriteBool(Remote.Strict);
        writer.WriteString(ServedBy);
        writer.WriteBool(IsEnding);
        return secret.Seal(Purpose, ContextOf(Home.Id, config, config.Clusters[Remote.Cluster].Name), writer.Written);
    }

    /// <summary>Reads a znode.</summary>
    /// <returns>Null where no proxy has written it, or not there.</returns>
    public static SessionRecord? Open(byte[]? content, ProxySecret secret, ProxyConfig config, long homeSession, ClusterConfig cluster)
    {
        if (secret.Open(Purpose, ContextOf(homeSession, config, cluster.Name), content) is not { } plaintext)
        {
            return null;
        }
        var reader = new JuteReader(plaintext);
        var homePassword = reader.ReadBuffer();
        var timeoutMs = reader.ReadInt();
        var id = reader.ReadLong();
        var password = reader.ReadBuffer();
        var strict = reader.ReadBool();
        var servedBy = reader.ReadString();
        var isEnding = reader.ReadBool();
        return reader.Failed || homePassword is null || password is null || servedBy is null
            ? null
            : new SessionRecord(new HomeSession(homeSession, homePassword, timeoutMs), new RemoteSessionRecord(cluster.Ordinal, id, password, strict), servedBy, isEnding);
    }

    private static string NameOf(long homeSession, string cluster) => $"{homeSession:x16}@{cluster}";

    private static string ContextOf(long homeSession, ProxyConfig config, string cluster) => $"{config.Home.Name}/{NameOf(homeSession, cluster)}";
}
