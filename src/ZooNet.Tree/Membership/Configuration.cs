using System.Globalization;
using System.Net;
using System.Text;
using ZooNet.Protocol;

namespace ZooNet.Tree.Membership;

/// <summary>
/// Who belongs to the ensemble, and since when: what <c>/zookeeper/config</c> shows. Immutable. The rules, and the order in which they are
/// looked at, are those of ZooKeeper's reconfig for a single voter that may not become stand-alone.
/// </summary>
/// <param name="own">The number of this server, the only one that can vote.</param>
/// <param name="members">All servers by number.</param>
/// <param name="version">The zxid of the change that made it.</param>
internal sealed class Configuration(long own, SortedDictionary<long, Member> members, long version)
{
    /// <summary>The znode that shows it.</summary>
    public const string Path = "/zookeeper/config";

    /// <summary>
    /// ZooKeeper's customary ports. The line must have some, but there is no other voter to talk to: nothing listens there.
    /// </summary>
    private const int PeerPort = 2888;
    private const int ElectionPort = 3888;

    /// <summary>The zxid of the change that made it.</summary>
    public long Version => version;

    /// <summary>The configuration that a server starts with: the one it had, or itself alone.</summary>
    /// <param name="own">The server's number.</param>
    /// <param name="address">Where it listens.</param>
    /// <param name="before">What the znode held.</param>
    /// <param name="zxid">The version of a new one.</param>
    public static Configuration AtStart(long own, IPEndPoint address, byte[]? before, long zxid)
    {
        var host = address.Address.ToString();
        var members = new SortedDictionary<long, Member>();
        if (before is { Length: > 0 } && TryRead(Encoding.UTF8.GetString(before), out var known, out var version) == ErrorCode.Ok && version is { } since)
        {
            (members, zxid) = (known, since);
        }
        members[own] = new Member(own, host, PeerPort, ElectionPort, false, host, address.Port);
        return new Configuration(own, members, zxid);
    }

    /// <summary>Works out the configuration that a request asks for.</summary>
    /// <param name="request">The request.</param>
    /// <param name="zxid">The new version.</param>
    /// <param name="next">The result, where the answer is Ok.</param>
    public ErrorCode Change(in ReconfigRequest request, long zxid, out Configuration? next)
    {
        next = null;
        if (request.ConfigId != -1 && request.ConfigId != version)
        {
            return ErrorCode.BadVersion;
        }
        SortedDictionary<long, Member> changed;
        if (request.NewMembers is { } whole)
        {
            var error = TryRead(whole.Replace(',', '\n'), out changed, out _);
            if (error == ErrorCode.Ok && !changed.Values.Any(m => !m.IsObserver))
            {
                // A real server stumbles over a whole configuration without a voter.
                error = ErrorCode.MarshallingError;
            }
            if (error != ErrorCode.Ok)
            {
                return error;
            }
        }
        else
        {
            changed = new SortedDictionary<long, Member>(members);
            if (Leave(changed, request.Leaving ?? "") is not ErrorCode.Ok and var left)
            {
                return left;
            }
            if (Join(changed, request.Joining ?? "") is not ErrorCode.Ok and var joined)
            {
                return joined;
            }
        }
        var voters = changed.Values.Where(m => !m.IsObserver).Select(m => m.Id).ToList();
        if (voters.Count == 0)
        {
            return ErrorCode.BadArguments;
        }
        if (voters is not [var only] || only != own)
        {
            // No other voter is connected, or ever will be.
            return ErrorCode.NewConfigNoQuorum;
        }
        if (changed[own] != members[own])
        {
            // A real server moves to its new address; this one listens where it was told to.
            return ErrorCode.BadArguments;
        }
        next = new Configuration(own, changed, zxid);
        return ErrorCode.Ok;
    }

    /// <summary>The text of the znode.</summary>
    public byte[] ToBytes() => Encoding.UTF8.GetBytes(ToString());

    /// <inheritdoc/>
    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (var member in members.Values)
        {
            text.Append(CultureInfo.InvariantCulture, $"server.{member.Id}={member}\n");
        }
        return text.Append(CultureInfo.InvariantCulture, $"version={version:x}").ToString();
    }

    private static ErrorCode Leave(SortedDictionary<long, Member> members, string leaving)
    {
        foreach (var text in Java.SplitList(leaving, ','))
        {
            if (!Java.TryParseLong(text, out var id))
            {
                return ErrorCode.MarshallingError;
            }
            members.Remove(id);
        }
        return ErrorCode.Ok;
    }

    private static ErrorCode Join(SortedDictionary<long, Member> members, string joining)
    {
        foreach (var text in Java.SplitList(joining, ','))
        {
            if (Java.SplitList(text, '=') is not [var key, var value])
            {
                return ErrorCode.BadArguments;
            }
            if (!Java.TryParseLong(key[(key.LastIndexOf('.') + 1)..], out var id))
            {
                return ErrorCode.MarshallingError;
            }
            var error = Member.TryParse(id, value, out var member);
            if (error != ErrorCode.Ok)
            {
                return error;
            }
            if (member!.ClientHost is null || members.Values.Any(m => m.Id != id && m.SharesAddressWith(member)))
            {
                return ErrorCode.BadArguments;
            }
            members[id] = member;
        }
        return ErrorCode.Ok;
    }

    private static ErrorCode TryRead(string text, out SortedDictionary<long, Member> members, out long? version)
    {
        members = [];
        version = null;
        foreach (var (key, value) in Java.Properties(text))
        {
            if (key == "version")
            {
                if (!long.TryParse(value, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var number))
                {
                    return ErrorCode.MarshallingError;
                }
                version = number;
                continue;
            }
            if (!key.StartsWith("server.", StringComparison.Ordinal))
            {
                return ErrorCode.BadArguments;
            }
            if (!Java.TryParseLong(key["server.".Length..], out var id))
            {
                return ErrorCode.MarshallingError;
            }
            var error = Member.TryParse(id, value, out var member);
            if (error != ErrorCode.Ok)
            {
                return error;
            }
            members[id] = member!;
        }
        return ErrorCode.Ok;
    }
}
