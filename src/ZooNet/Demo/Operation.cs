namespace ZooNet.Demo;

/// <summary>One operation as its client saw it.</summary>
/// <param name="Session">Which client; its operations are in the order in which it issued them.</param>
/// <param name="Key">What was read or written, under one name for all clients: <c>cluster:/path</c>.</param>
/// <param name="IsWrite">Whether it wrote.</param>
/// <param name="Version">
/// The zxid of the data: for a write its own, for a read that of the write whose data it returned (the Stat's mzxid).
/// </param>
internal readonly record struct Operation(int Session, string Key, bool IsWrite, long Version);
