using System.Net;

namespace ZooNet.Server;

/// <summary>Who is behind a connection from within this process, as far as it is to be known: it goes with its requests to the leader.</summary>
/// <param name="Address">The client's address, an id of the scheme <c>ip</c>; null for that of this process.</param>
/// <param name="Subject">
/// The subject of the certificate that it has shown and that has been checked, an id of the scheme <c>x509</c>; null for none.
/// </param>
public readonly record struct ForwardedClient(IPAddress? Address, string? Subject);
