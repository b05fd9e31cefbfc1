using Microsoft.Extensions.Logging;

namespace ZooNet.Proxy.Upstream;

/// <summary>Log messages of the upstream side: ids 1100 to 1199.</summary>
internal static partial class LogMessages
{
    [LoggerMessage(1100, LogLevel.Warning, "the barrier on {server} failed, and with it the reads that needed it: {why}")]
    public static partial void BarrierFailed(this ILogger logger, string server, string why);
}
