using ZooNet.Protocol;

namespace ZooNet.Client;

/// <summary>A request failed: the server said so, or the connection was lost before it answered.</summary>
public sealed class KeeperException : Exception
{
    /// <summary>Makes an exception.</summary>
    /// <param name="code">What went wrong.</param>
    /// <param name="op">The request.</param>
    /// <param name="path">The znode concerned; null where there is none.</param>
    /// <param name="zxid">The zxid of the reply's header; 0 where no reply came.</param>
    /// <param name="results">For a failed multi, the result of every operation.</param>
    /// <param name="inner">The cause, where the connection broke.</param>
    public KeeperException(ErrorCode code, OpCode op, string? path, long zxid = 0, IReadOnlyList<OpResult>? results = null, Exception? inner = null)
        : base(Describe(code, op, path, inner), inner)
    {
        Code = code;
        Op = op;
        Path = path;
        Zxid = zxid;
        Results = results;
    }

    /// <summary>What went wrong.</summary>
    public ErrorCode Code { get; }

    /// <summary>The request that failed.</summary>
    public OpCode Op { get; }

    /// <summary>The znode concerned; null where there is none.</summary>
    public string? Path { get; }

    /// <summary>The zxid of the reply's header; 0 where no reply came.</summary>
    public long Zxid { get; }

    /// <summary>For a failed multi, the result of every operation; otherwise null.</summary>
    public IReadOnlyList<OpResult>? Results { get; }

    private static string Describe(ErrorCode code, OpCode op, string? path, Exception? inner)
    {
        var what = code switch
        {
            ErrorCode.NoNode => "there is no such znode",
            ErrorCode.NodeExists => "the znode exists already",
            ErrorCode.BadVersion => "the version does not match",
            ErrorCode.NotEmpty => "the znode has children",
            ErrorCode.NoAuth => "not authorised",
            ErrorCode.NoChildrenForEphemerals => "an ephemeral znode can't have children",
            ErrorCode.InvalidAcl => "the ACL is not legal",
            ErrorCode.AuthFailed => "the credentials were refused",
            ErrorCode.ConnectionLoss => "the connection was lost; whether the request took effect is unknown",
            ErrorCode.SessionExpired => "the session has expired",
            ErrorCode.Unimplemented => "the server does not know the operation, or it is not enabled there",
            ErrorCode.BadArguments => "an argument is not legal",
            ErrorCode.MarshallingError => "the server could not decode the request",
            ErrorCode.NoWatcher => "there is no such watch",
            ErrorCode.QuotaExceeded => "a quota is exceeded",
            ErrorCode.NotReadOnly => "the server is read-only",
            _ => "refused",
        };
        return $"{op}{(path is null ? "" : " " + path)}: {code} ({(int)code}), {what}{(inner is null ? "" : ": " + inner.Message)}";
    }
}
