using Microsoft.Extensions.Logging;

namespace ZooNet.Proxy.Views;

/// <summary>What the watch of the home subtrees that others see logs: event ids 2350 to 2359.</summary>
internal static partial class InterestWatchLog
{
    [LoggerMessage(EventId = 2350, EventName = "InterestWatched", Level = LogLevel.Information, Message = "Changes of {Paths} are watched at {Server}: other changes of home need no barriers")]
    public static partial void InterestWatched(this ILogger logger, string paths, string server);

    [LoggerMessage(EventId = 2351, EventName = "InterestNotWatched", Level = LogLevel.Information, Message = "What others see of home is not watched now, every change of home may need a barrier: {Why}")]
    public static partial void InterestNotWatched(this ILogger logger, string why);
}
