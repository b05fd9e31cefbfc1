namespace ZooNet.Proxy.Transport;

/// <summary>
/// How the runtime's socket engine runs in a proxy process: what a socket's event makes happen runs where the event was seen, without
/// a hop to the thread pool, which costs more than handling a frame does.
/// </summary>
public static class SocketEngine
{
    private const string InlineCompletions = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";
    private const string ThreadCount = "DOTNET_SYSTEM_NET_SOCKETS_THREAD_COUNT";

    /// <summary>
    /// Sets the engine up, unless the environment says how already. Must run before the process's first socket; one event thread for
    /// every two processors, so that the servers' and clients' own work beside us has room.
    /// </summary>
    public static void Configure()
    {
        SetDefault(InlineCompletions, "1");
        SetDefault(ThreadCount, Math.Max(1, Environment.ProcessorCount / 2).ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    private static void SetDefault(string name, string value)
    {
        if (Environment.GetEnvironmentVariable(name) is null)
        {
            Environment.SetEnvironmentVariable(name, value);
        }
    }
}
