using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>
/// The credentials that a client has added and that other clusters than home get too, also those whose links come up later. Bounded.
/// Single owner: its session.
/// </summary>
internal sealed class KeptCredentials
{
    private readonly List<AuthRequest> _all = [];
    private int _bytes;

    /// <summary>Keeps credentials, once each.</summary>
    /// <param name="credentials">The credentials.</param>
    /// <param name="limits">What one client may have.</param>
    /// <param name="why">What is too much.</param>
    /// <returns>False if the client has too many then.</returns>
    public bool TryAdd(AuthRequest credentials, ClientLimits limits, out string why)
    {
        why = "";
        if (_all.Exists(c => c.Scheme == credentials.Scheme && c.Credentials.AsSpan().SequenceEqual(credentials.Credentials)))
        {
            return true;
        }
        var bytes = credentials.Credentials?.Length ?? 0;
        if (_all.Count == limits.Credentials || _bytes + bytes > limits.CredentialBytes)
        {
            limits.Count(ClientLimit.Credentials);
            why = $"it has {_all.Count} credentials and adds one of {bytes} bytes; allowed are {limits.Credentials} of "
                + $"{limits.CredentialBytes} bytes together (limits.credentials, limits.credentialBytes)";
            return false;
        }
        _bytes += bytes;
        _all.Add(credentials);
        return true;
    }

    /// <summary>The ids that servers know the client by.</summary>
    public IReadOnlyList<string> DigestIds() => [.. _all.Where(c => c.Scheme == "digest").Select(c => DigestId.Of(c.Credentials))];

    /// <summary>Gives them to a cluster whose link has come up.</summary>
    public void Send(SessionLink link, long nowMs)
    {
        foreach (var credentials in _all)
        {
            link.Ask(nowMs, Xids.Auth, OpCode.Auth, PendingKind.Own, credentials.Write, static (_, _) => { });
        }
    }
}
