using Microsoft.Extensions.Logging;

namespace ZooNet.Proxy.Control;

/// <summary>What the control plane logs: event ids 2000 to 2999.</summary>
internal static partial class LogMessages
{
    [LoggerMessage(EventId = 2001, EventName = "ControlSession", Level = LogLevel.Debug, Message = "Control session in {Cluster}: {Line}")]
    public static partial void ControlSession(this ILogger logger, string cluster, string line);

    [LoggerMessage(EventId = 2002, EventName = "ClusterUp", Level = LogLevel.Information, Message = "Cluster {Cluster} is up, at {Server}")]
    public static partial void ClusterUp(this ILogger logger, string cluster, string server);

    [LoggerMessage(EventId = 2003, EventName = "ClusterDown", Level = LogLevel.Warning, Message = "Cluster {Cluster} is down: {Error}")]
    public static partial void ClusterDown(this ILogger logger, string cluster, string error);

    [LoggerMessage(EventId = 2101, EventName = "TableRead", Level = LogLevel.Information, Message = "Mount table at 0x{Version:x}: {Active} active, {Waiting} on their way, {Bad} bad")]
    public static partial void TableRead(this ILogger logger, long version, int active, int waiting, int bad);

    [LoggerMessage(EventId = 2102, EventName = "BadRecord", Level = LogLevel.Warning, Message = "The mount record {Name} is ignored: {Error}")]
    public static partial void BadRecord(this ILogger logger, string name, string error);

    [LoggerMessage(EventId = 2103, EventName = "TableNotRead", Level = LogLevel.Warning,
        Message = "The mount table can't be read, {Consequence}: {Error}")]
    public static partial void TableNotRead(this ILogger logger, string consequence, string error);

    [LoggerMessage(EventId = 2201, EventName = "Mounted", Level = LogLevel.Information, Message = "Mounted {Source} on {Path} ({Options}), {State}")]
    public static partial void Mounted(this ILogger logger, string source, string path, string options, MountState state);

    [LoggerMessage(EventId = 2202, EventName = "Unmounted", Level = LogLevel.Information, Message = "Unmounted {Path}")]
    public static partial void Unmounted(this ILogger logger, string path);

    [LoggerMessage(EventId = 2203, EventName = "MountRefused", Level = LogLevel.Information, Message = "Refused: {Reason}")]
    public static partial void MountRefused(this ILogger logger, string reason);

    [LoggerMessage(EventId = 2204, EventName = "StepFailed", Level = LogLevel.Warning, Message = "The mount on {Path} stays {State} for now: {Error}")]
    public static partial void StepFailed(this ILogger logger, string path, MountState state, string error);

    [LoggerMessage(EventId = 2205, EventName = "DefaultSecret", Level = LogLevel.Warning,
        Message = "insecure: the secret is one that everybody knows; any client can forge mounts and take over other clients' sessions")]
    public static partial void DefaultSecret(this ILogger logger);

    [LoggerMessage(EventId = 2206, EventName = "SessionLimitsUnknown", Level = LogLevel.Warning,
        Message = "The session timeouts that a cluster grants are not known yet: {Error}")]
    public static partial void SessionLimitsUnknown(this ILogger logger, string error);

    [LoggerMessage(EventId = 2207, EventName = "SessionLimitsDisjoint", Level = LogLevel.Warning, Message = "No session timeout is granted by every cluster: one demands at least {MinMs} ms, another grants at most {MaxMs} ms")]
    public static partial void SessionLimitsDisjoint(this ILogger logger, int minMs, int maxMs);

    [LoggerMessage(EventId = 2004, EventName = "ClusterReplaced", Level = LogLevel.Warning,
        Message = "Cluster {Cluster} came back as a new one, at 0x{Position:x} and not at 0x{Known:x}: what was known is forgotten")]
    public static partial void ClusterReplaced(this ILogger logger, string cluster, long position, long known);

    [LoggerMessage(EventId = 2005, EventName = "ClusterWentBack", Level = LogLevel.Error,
        Message = "Cluster {Cluster} has lost changes, it is at 0x{Position:x} and was at 0x{Known:x}: it is not served")]
    public static partial void ClusterWentBack(this ILogger logger, string cluster, long position, long known);

    [LoggerMessage(EventId = 2006, EventName = "HistoryIsBack", Level = LogLevel.Warning,
        Message = "Cluster {Cluster} is back where it was and is served again")]
    public static partial void HistoryIsBack(this ILogger logger, string cluster);

    [LoggerMessage(EventId = 2007, EventName = "TreeReplaced", Level = LogLevel.Warning,
        Message = "The proxies' tree in cluster {Cluster} is another one than before")]
    public static partial void TreeReplaced(this ILogger logger, string cluster);

    [LoggerMessage(EventId = 2008, EventName = "HistoryNotChecked", Level = LogLevel.Warning,
        Message = "Whether a cluster has lost changes can't be told for now: {Error}")]
    public static partial void HistoryNotChecked(this ILogger logger, string error);

    [LoggerMessage(EventId = 2208, EventName = "OwnersNotFollowed", Level = LogLevel.Warning, Message = "Owners of ephemeral znodes that are clients of other proxies are not followed for now: {Error}")]
    public static partial void OwnersNotFollowed(this ILogger logger, string error);

    [LoggerMessage(EventId = 2209, EventName = "StepsFailed", Level = LogLevel.Error,
        Message = "Mounts that are on their way are not seen through for now: {Error}")]
    public static partial void StepsFailed(this ILogger logger, string error);

    [LoggerMessage(EventId = 2012, EventName = "ConfigNotFollowed", Level = LogLevel.Warning,
        Message = "The servers of {Cluster} can't be learned from its /zookeeper/config for now: {Error}")]
    public static partial void ConfigNotFollowed(this ILogger logger, string cluster, string error);

    [LoggerMessage(EventId = 2013, EventName = "ServiceNotFound", Level = LogLevel.Warning,
        Message = "The service records {Name} of {Cluster} can't be had for now: {Error}")]
    public static partial void ServiceNotFound(this ILogger logger, string name, string cluster, string error);
}
