using ZooNet.Proxy.Transport;
using ZooNet.Server.Quorum;

namespace ZooNet.Proxy.Configuration;

/// <summary>What the proxy's own observer of a cluster needs besides addresses.</summary>
/// <param name="Data">A folder for its state, so that a restart asks only for what came since; null for none.</param>
/// <param name="Tls">How quorum ports are spoken to where they ask for TLS (<c>sslQuorum</c>); null for plain TCP.</param>
/// <param name="Login">As whom to log in where they ask for SASL (<c>quorum.auth.enableSasl</c>); null where they do not.</param>
public sealed record ObserverConfig(string? Data, UpstreamTls? Tls, QuorumCredentials? Login)
{
    /// <summary>
    /// The ensemble's super user, as its servers have it in <c>zookeeper.DigestAuthenticationProvider.superDigest</c>: whoever adds these
    /// credentials is told and may do everything. Null for nobody.
    /// </summary>
    public string? SuperDigest { get; init; }
}
