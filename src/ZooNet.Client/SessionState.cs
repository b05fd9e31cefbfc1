namespace ZooNet.Client;

/// <summary>Where a client's session stands.</summary>
public enum SessionState
{
    /// <summary>No connection yet, or the first attempts to make one are going on.</summary>
    Connecting,
    /// <summary>Connected, and the session is attached.</summary>
    Connected,
    /// <summary>The connection is lost; the client is trying the servers in turn to re-attach the session.</summary>
    Disconnected,
    /// <summary>
    /// The cluster refused the session: it has expired, and its ephemeral znodes are gone. Final until <see
    /// cref="ZooKeeperClient.ReconnectAsync"/>.
    /// </summary>
    Expired,
    /// <summary>A server refused the credentials. Final.</summary>
    AuthFailed,
    /// <summary>Closed by its owner. Final.</summary>
    Closed,
}
