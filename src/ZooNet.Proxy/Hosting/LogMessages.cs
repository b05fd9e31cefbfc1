using Microsoft.Extensions.Logging;
using ZooNet.Federation.Sessions;

namespace ZooNet.Proxy.Hosting;

/// <summary>Log messages of the data path: ids 1000 to 1099.</summary>
internal static partial class LogMessages
{
    [LoggerMessage(1000, LogLevel.Debug, "client {client} session 0x{session:x}: connection closed, {reason}: {detail}")]
    public static partial void ClientClosedQuietly(this ILogger logger, string client, long session, CloseReason reason, string detail);

    [LoggerMessage(1001, LogLevel.Warning, "client {client} session 0x{session:x}: connection closed, {reason}: {detail}")]
    public static partial void ClientClosedLoudly(this ILogger logger, string client, long session, CloseReason reason, string detail);

    [LoggerMessage(1003, LogLevel.Error, "client {client} session 0x{session:x}: internal error; the connection is closed, nobody else notices")]
    public static partial void SessionFailed(this ILogger logger, Exception error, string client, long session);

    [LoggerMessage(1004, LogLevel.Information, "draining {clients} client connections, for at most {timeout}")]
    public static partial void Draining(this ILogger logger, int clients, TimeSpan timeout);

    [LoggerMessage(1005, LogLevel.Information, "listening for clients on {addresses}")]
    public static partial void Listening(this ILogger logger, string addresses);

    [LoggerMessage(1006, LogLevel.Information, "admin endpoint on http://{address}")]
    public static partial void AdminListening(this ILogger logger, string address);

    [LoggerMessage(1007, LogLevel.Warning, "cluster {cluster} is read through {server} now")]
    public static partial void ServerSwitched(this ILogger logger, string cluster, string server);

    public static void ClientClosed(this ILogger logger, string client, long session, CloseReason reason, string detail)
    {
        if (reason is CloseReason.SessionClosed or CloseReason.DownstreamClosed or CloseReason.Draining or CloseReason.SessionRefused or CloseReason.SessionMoved)
        {
            logger.ClientClosedQuietly(client, session, reason, detail);
        }
        else
        {
            logger.ClientClosedLoudly(client, session, reason, detail);
        }
    }
}
