using System.Net;
using System.Net.Security;
using ZooNet.Protocol;

namespace ZooNet.Client;

/// <summary>Credentials for <c>addauth</c>.</summary>
/// <param name="Scheme">digest, ip, …</param>
/// <param name="Secret">As the scheme wants them; for digest "user:password" in UTF-8.</param>
public sealed record AuthCredentials(string Scheme, byte[] Secret);

/// <summary>How a <see cref="ZooKeeperClient"/> connects and behaves.</summary>
public sealed record ZooKeeperClientOptions
{
    /// <summary>
    /// The servers, tried in this order; at least one. With one element the client is pinned to that server. A name is resolved again
    /// at every attempt, and several addresses behind one name are several servers. The list is
    /// enumerated at each attempt: one whose contents change is followed.
    /// </summary>
    public required IReadOnlyList<ServerAddress> Servers { get; init; }

    /// <summary>The session timeout asked for; the server clamps it to 2 to 20 of its ticks. 10 seconds.</summary>
    public TimeSpan SessionTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Longest time that one connection attempt may take, handshake included. Two seconds.</summary>
    public TimeSpan AttemptTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// How long a request waits for a connection before it fails with ConnectionLoss; null stands for <see cref="SessionTimeout"/>.
    /// </summary>
    public TimeSpan? ConnectionWait { get; init; }

    /// <summary>
    /// What to ask of a server by TLS, given its host as <see cref="Servers"/> has it; called for each connection. Null for plain TCP.
    /// </summary>
    public Func<string, SslClientAuthenticationOptions>? Tls { get; init; }

    /// <summary>
    /// A way to a server to which no socket leads, such as one in this process; called for each connection. Null, and an answer of null,
    /// for a socket. What it answers is used as it is, without TLS, and disposed of in the end.
    /// </summary>
    public Func<IPEndPoint, Stream?>? Dial { get; init; }

    /// <summary>Credentials added to every connection before anything else is sent.</summary>
    public IReadOnlyList<AuthCredentials> Auth { get; init; } = [];

    /// <summary>Whether a server that has lost its quorum and serves reads only will do.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Most requests in flight; further ones wait in a queue of the same size, and then the callers wait. 1,000.</summary>
    public int Window { get; init; } = 1000;

    /// <summary>Largest reply accepted, in bytes; a longer one drops the connection. 16 MiB.</summary>
    public int MaxReplyLength { get; init; } = 16 * 1024 * 1024;

    /// <summary>An existing session to attach instead of making a new one; 0 for a new one.</summary>
    public long SessionId { get; init; }

    /// <summary>The password of <see cref="SessionId"/>; null derives it from the id.</summary>
    public byte[]? SessionPassword { get; init; }

    /// <summary>
    /// The newest zxid that this client must not fall behind of: a server that has not seen it is not used. 0 for any server.
    /// </summary>
    public long LastZxidSeen { get; init; }

    /// <summary>Source of time for keep-alive, timeouts and back-off.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Called with one line for each connection made, lost or refused. Must not throw or block.</summary>
    public Action<string>? Diagnostics { get; init; }

    /// <summary>The ACL used where a create names none: open to everyone.</summary>
    public IReadOnlyList<Acl> DefaultAcl { get; init; } = Acl.Open;
}
