using Microsoft.Extensions.Logging;

namespace ZooNet.Proxy.Roaming;

/// <summary>What is logged of roaming trees: event ids 3500 to 3599.</summary>
internal static partial class LogMessages
{
    [LoggerMessage(EventId = 3501, EventName = "TreeFailed", Level = LogLevel.Warning, Message = "Roaming tree {Tree}: {Error}")]
    public static partial void TreeFailed(this ILogger logger, string tree, string error);

    [LoggerMessage(EventId = 3502, EventName = "TreeChanged", Level = LogLevel.Information, Message = "{What}")]
    public static partial void TreeChanged(this ILogger logger, string what);
}
