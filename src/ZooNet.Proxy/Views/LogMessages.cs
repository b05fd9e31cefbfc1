using Microsoft.Extensions.Logging;

namespace ZooNet.Proxy.Views;

/// <summary>What the keeping of the interest graph logs: event ids 2300 to 2399.</summary>
internal static partial class LogMessages
{
    [LoggerMessage(EventId = 2301, EventName = "Registered", Level = LogLevel.Debug, Message = "Registered among the region's proxies as {Id}")]
    public static partial void Registered(this ILogger logger, string id);

    [LoggerMessage(EventId = 2302, EventName = "RulesChanged", Level = LogLevel.Information, Message = "Barriers now: {Kind}, {Why}")]
    public static partial void RulesChanged(this ILogger logger, string kind, string why);

    [LoggerMessage(EventId = 2303, EventName = "BadView", Level = LogLevel.Warning, Message = "In {Cluster}, {Error}")]
    public static partial void BadView(this ILogger logger, string cluster, string error);

    [LoggerMessage(EventId = 2304, EventName = "ViewsNotRead", Level = LogLevel.Warning, Message = "The view records in {Cluster} can't be kept up to date for now: {Error}")]
    public static partial void ViewsNotRead(this ILogger logger, string cluster, string error);

    [LoggerMessage(EventId = 2305, EventName = "MountsHeld", Level = LogLevel.Warning, Message = "Requests for mounts wait: {Why}")]
    public static partial void MountsHeld(this ILogger logger, string why);

    [LoggerMessage(EventId = 2306, EventName = "MountsServed", Level = LogLevel.Information, Message = "Requests for mounts are served")]
    public static partial void MountsServed(this ILogger logger);

    [LoggerMessage(EventId = 2307, EventName = "MountDemoted", Level = LogLevel.Warning, Message = "The mount on {Path} is called active and was never published; it has to join first")]
    public static partial void MountDemoted(this ILogger logger, string path);
}
