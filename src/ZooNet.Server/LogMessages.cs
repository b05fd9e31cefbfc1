using System.Net;
using Microsoft.Extensions.Logging;

namespace ZooNet.Server;

/// <summary>Everything the server logs.</summary>
internal static partial class LogMessages
{
    [LoggerMessage(3001, LogLevel.Error, "Accepting a connection on {Address} failed.", EventName = "AcceptFailed")]
    public static partial void AcceptFailed(ILogger logger, EndPoint address, Exception error);

    [LoggerMessage(3002, LogLevel.Error, "Serving the connection of {Client} failed; it is closed.", EventName = "ConnectionFailed")]
    public static partial void ConnectionFailed(ILogger logger, EndPoint? client, Exception error);

    [LoggerMessage(3010, LogLevel.Critical, "The transaction log in {Folder} can't be written: the server stops. {Problem}",
        EventName = "LogFailed")]
    public static partial void LogFailed(ILogger logger, string folder, string problem, Exception? error);

    [LoggerMessage(3011, LogLevel.Error, "A snapshot in {Folder} could not be saved; the logs are kept instead.", EventName = "SnapshotFailed")]
    public static partial void SnapshotFailed(ILogger logger, string folder, Exception error);

    [LoggerMessage(3012, LogLevel.Warning, "{Path} ended in a torn write, which nobody was told of: {Bytes} bytes are cut off.", EventName = "TornWrite")]
    public static partial void TornWrite(ILogger logger, string path, long bytes);

    [LoggerMessage(3013, LogLevel.Information, "{Path}: {Count} transactions.", EventName = "Replayed")]
    public static partial void Replayed(ILogger logger, string path, int count);

    [LoggerMessage(3020, LogLevel.Information, "Following the leader at {Address}, epoch {Epoch}.", EventName = "Following")]
    public static partial void Following(ILogger logger, string address, long epoch);

    [LoggerMessage(3021, LogLevel.Warning, "No leader to follow; trying again. {Problem}.", EventName = "NotFollowing")]
    public static partial void NotFollowing(ILogger logger, string problem);

    [LoggerMessage(3023, LogLevel.Warning, "The state could not be taken once more from {Address}; trying again. {Problem}.", EventName = "NotTaken")]
    public static partial void NotTaken(ILogger logger, string address, string problem);

    [LoggerMessage(3024, LogLevel.Information,
        "Going on from the state in {Folder}: {Znodes} znodes, as of 0x{Zxid:x}.", EventName = "StateLoaded")]
    public static partial void StateLoaded(ILogger logger, string folder, int znodes, long zxid);

    [LoggerMessage(3025, LogLevel.Information,
        "The state in {Folder} is not used: {Why}. The whole state is asked for.", EventName = "StateNotUsed")]
    public static partial void StateNotUsed(ILogger logger, string folder, string why);

    [LoggerMessage(3026, LogLevel.Error,
        "The state in {Folder} is thrown away, and the whole state is asked for. {Why}.", EventName = "StateThrownAway")]
    public static partial void StateThrownAway(ILogger logger, string folder, string why);

    [LoggerMessage(3027, LogLevel.Error,
        "The state can't be kept in {Folder}; the next start asks for the whole state. {Why}", EventName = "StateNotSaved")]
    public static partial void StateNotSaved(ILogger logger, string folder, string why);

    [LoggerMessage(3022, LogLevel.Error, "This observer was not what its leader is; its state is taken anew. {Problem}.", EventName = "Diverged")]
    public static partial void Diverged(ILogger logger, string problem);
}
