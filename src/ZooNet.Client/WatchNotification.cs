using ZooNet.Protocol;

namespace ZooNet.Client;

/// <summary>A watch event as it was received.</summary>
/// <param name="Type">What happened.</param>
/// <param name="Path">The znode.</param>
/// <param name="Zxid">The change that caused it, from servers of 3.9 on; -1 from older ones and for events made up on a reconnect.</param>
public readonly record struct WatchNotification(WatchEventType Type, string Path, long Zxid);
