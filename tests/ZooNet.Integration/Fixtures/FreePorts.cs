using System.Net;
using System.Net.Sockets;

namespace ZooNet.Integration.Fixtures;

/// <summary>
/// Ports for servers that tests start. They lie below the range that the kernel gives to outgoing connections, so that a server that
/// is stopped and started again finds its port still free; each is tried by binding it.
/// </summary>
public static class FreePorts
{
    private const int First = 10_000;
    private const int Count = 20_000;
    private static readonly Lock Gate = new();
    // Test processes run side by side; they begin at different places.
    private static int _next = (int)((uint)HashCode.Combine(Environment.ProcessId, Environment.TickCount64) % Count);

    /// <summary>A port of 127.0.0.1 that nobody listens on and that this process has not handed out before.</summary>
    public static int Take()
    {
        lock (Gate)
        {
            for (var i = 0; i < Count; i++)
            {
                var port = First + _next;
                _next = (_next + 1) % Count;
                using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                try
                {
                    probe.Bind(new IPEndPoint(IPAddress.Any, port));
                    return port;
                }
                catch (SocketException)
                {
                    // Taken: the next one.
                }
            }
            throw new InvalidOperationException("no free port from 10000 to 29999");
        }
    }
}
