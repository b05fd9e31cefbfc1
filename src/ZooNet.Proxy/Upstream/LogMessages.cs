using Microsoft.Extensions.Logging;

namespace ZooNet.Proxy.Upstream;

/// <summary>Log messages of the upstream side: ids 1100 to 1199.</summary>
internal static partial class LogMessages
{
    [LoggerMessage(1100, LogLevel.Warning, "the barrier on {server} failed, and with it the reads that needed it: {why}")]
    public static partial void BarrierFailed(this ILogger logger, string server, string why);

    [LoggerMessage(1101, LogLevel.Error, "{path} was not written by a proxy with this secret, so its client is not let in; 'zoonet repair' removes it")]
    public static partial void BadSessionRecord(this ILogger logger, string path);

    [LoggerMessage(1102, LogLevel.Warning, "records of sessions that are over can't be removed for now: {why}")]
    public static partial void RecordsNotRemoved(this ILogger logger, string why);

    [LoggerMessage(1103, LogLevel.Error, "the proxy's own observer of {cluster} can't be started; trying again: {why}")]
    public static partial void ObserverNotStarted(this ILogger logger, string cluster, string why);
}
