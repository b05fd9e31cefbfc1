using Microsoft.Extensions.Logging;
using ZooNet.Federation.Sessions;

namespace ZooNet.Proxy.Hosting;

/// <summary>Log messages of the data path: ids 1000 to 1099.</summary>
internal static partial class LogMessages
{
    [LoggerMessage(1000, LogLevel.Debug, "client {client} session 0x{session:x}: connection closed, {reason}: {detail}")]
    public static partial void ClientClosedQuietly(this ILogger logger, string client, long session, CloseReason reason, string detail);

    [LoggerMessage(1001, LogLevel.Warning, "client {client} session 0x{session:x}: connection closed, {reason}: {detail}{note}")]
    public static partial void ClientClosedLoudly(
        this ILogger logger, string client, long session, CloseReason reason, string detail, string note);

    [LoggerMessage(1002, LogLevel.Error,
        "client {client} session 0x{session:x}: internal error while a link was made; the link counts as lost")]
    public static partial void LinkFailed(this ILogger logger, Exception error, string client, long session);

    [LoggerMessage(1003, LogLevel.Error, "client {client} session 0x{session:x}: internal error; the connection is closed, nobody else notices")]
    public static partial void SessionFailed(this ILogger logger, Exception error, string client, long session);

    [LoggerMessage(1004, LogLevel.Information, "draining {clients} client connections, for at most {timeout}")]
    public static partial void Draining(this ILogger logger, int clients, TimeSpan timeout);

    [LoggerMessage(1005, LogLevel.Information, "listening for clients on {addresses}")]
    public static partial void Listening(this ILogger logger, string addresses);

    [LoggerMessage(1006, LogLevel.Information, "admin endpoint on {address}")]
    public static partial void AdminListening(this ILogger logger, string address);

    [LoggerMessage(1007, LogLevel.Warning, "cluster {cluster} is read through {server} now")]
    public static partial void ServerSwitched(this ILogger logger, string cluster, string server);

    [LoggerMessage(1008, LogLevel.Warning, "a connection from {address} was refused: {why}; since the last such line {leftOut} more were")]
    public static partial void ConnectionRefused(this ILogger logger, string address, string why, long leftOut);

    [LoggerMessage(1009, LogLevel.Warning,
        "limits.connections is {connections}, and the limit of {files} open files allows {allowed} with a link to each cluster: raise it "
        + "(ulimit -n, LimitNOFILE); {taken} are taken")]
    public static partial void MoreConnectionsThanFiles(this ILogger logger, int connections, int allowed, long files, int taken);

    [LoggerMessage(1010, LogLevel.Error,
        "no connection can be accepted: {error}; tried again each {pause}, {leftOut} times since the last such line")]
    public static partial void AcceptFailed(this ILogger logger, string error, TimeSpan pause, long leftOut);

    [LoggerMessage(1011, LogLevel.Error, "the admin endpoint failed")]
    public static partial void AdminFailed(this ILogger logger, Exception error);

    [LoggerMessage(1012, LogLevel.Information, "a client's TLS handshake failed: {why}; since the last such line {leftOut} more did")]
    public static partial void HandshakeFailed(this ILogger logger, string why, long leftOut);

    [LoggerMessage(1013, LogLevel.Information, "new connections get the certificate that is in {file} now")]
    public static partial void CertificateLoaded(this ILogger logger, string file);

    [LoggerMessage(1014, LogLevel.Warning, "the certificate in {file} has changed and can't be used, the one before stays: {error}")]
    public static partial void CertificateNotLoaded(this ILogger logger, string file, string error);

    [LoggerMessage(1015, LogLevel.Warning, "the certificate in {file} (for {use}) ends at {end:u}")]
    public static partial void CertificateExpires(this ILogger logger, string file, string use, DateTime end);

    [LoggerMessage(1016, LogLevel.Error, "the certificate in {file} (for {use}) ended at {end:u}: the other side refuses it")]
    public static partial void CertificateExpired(this ILogger logger, string file, string use, DateTime end);

    [LoggerMessage(1019, LogLevel.Warning, "cluster {cluster}: {problem}")]
    public static partial void CertificatesOfClusterNotLoaded(this ILogger logger, string cluster, string problem);

    [LoggerMessage(1021, LogLevel.Error, "the certificates could not be looked at")]
    public static partial void CertificatesNotLookedAt(this ILogger logger, Exception error);

    [LoggerMessage(1017, LogLevel.Warning,
        "client {client}: a reply of {length} bytes is an error for it, {allowed} are allowed (maxReply); {leftOut} more since the last such line")]
    public static partial void ReplyTooLong(this ILogger logger, string client, int length, int allowed, long leftOut);

    [LoggerMessage(1018, LogLevel.Warning,
        "a connection from {address}, which 'proxyProtocol' names, is closed: {why}; since the last such line {leftOut} more were")]
    public static partial void NoProxyHeader(this ILogger logger, string address, string why, long leftOut);

    [LoggerMessage(1030, LogLevel.Information, "the servers of cluster {cluster} are now {servers} (learned from: {source})")]
    public static partial void ServersChanged(this ILogger logger, string cluster, string servers, string source);

    [LoggerMessage(1031, LogLevel.Information, "the configuration was read again, and changed: {keys}")]
    public static partial void ConfigurationChanged(this ILogger logger, string keys);

    [LoggerMessage(1032, LogLevel.Error, "the configuration was read again, and nothing of it is taken over: {why}")]
    public static partial void ConfigurationRefused(this ILogger logger, string why);

    [LoggerMessage(1033, LogLevel.Information, "the configuration was read again, and nothing in it is different")]
    public static partial void ConfigurationSame(this ILogger logger);

    /// <summary>Whether an operator wants to know of connections that were closed for a reason.</summary>
    public static bool IsLoud(CloseReason reason) => reason is not (CloseReason.SessionClosed or CloseReason.DownstreamClosed
        or CloseReason.Draining or CloseReason.SessionRefused or CloseReason.SessionMoved);
}
