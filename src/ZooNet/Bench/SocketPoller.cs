using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace ZooNet.Bench;

/// <summary>
/// Waits for any of many sockets, with a timeout finer than a millisecond: <c>ppoll</c>. <see
/// cref="Socket.Select(System.Collections.IList, System.Collections.IList, System.Collections.IList, int)"/>
/// counts milliseconds, and an open loop would either be late or burn a processor that the servers need. Linux only, as the whole of
/// the benchmark's accounting is. Used by one thread.
/// </summary>
internal sealed class SocketPoller
{
    private const short In = 1;
    private const short Out = 4;
    private const int Interrupted = 4;

    private PollFd[] _entries = new PollFd[16];
    private LoadClient[] _clients = new LoadClient[16];
    private int _count;

    /// <summary>Forgets all sockets.</summary>
    public void Clear() => _count = 0;

    /// <summary>Adds a client's socket for the next wait.</summary>
    public void Add(LoadClient client, Socket socket, bool alsoForWriting)
    {
        if (_count == _entries.Length)
        {
            Array.Resize(ref _entries, _count * 2);
            Array.Resize(ref _clients, _count * 2);
        }
        _entries[_count] = new PollFd { Descriptor = (int)socket.Handle, Wanted = alsoForWriting ? (short)(In | Out) : In };
        _clients[_count++] = client;
    }

    /// <summary>Waits until a socket is ready or the time is up; then <see cref="IsReadable"/> tells.</summary>
    /// <returns>How many sockets are ready.</returns>
    /// <exception cref="IOException">The kernel refused.</exception>
    public int Wait(TimeSpan limit)
    {
        var timeout = new TimeSpec { Seconds = (long)limit.TotalSeconds, Nanoseconds = limit.Ticks % TimeSpan.TicksPerSecond * 100 };
        var ready = PPoll(_entries, (nuint)_count, in timeout, 0);
        if (ready < 0)
        {
            var error = Marshal.GetLastPInvokeError();
            return error == Interrupted ? 0 : throw new IOException($"ppoll: {Marshal.GetPInvokeErrorMessage(error)}");
        }
        return ready;
    }

    /// <summary>Number of sockets added.</summary>
    public int Count => _count;

    /// <summary>The client of an added socket, where there is something to read: data, the end, or an error. Otherwise null.</summary>
    public LoadClient? IsReadable(int index) => (_entries[index].Happened & ~Out) != 0 ? _clients[index] : null;

    [DllImport("libc", EntryPoint = "ppoll", SetLastError = true)]
    private static extern int PPoll([In, Out] PollFd[] entries, nuint count, in TimeSpec timeout, nint mask);

    // struct pollfd and struct timespec, 64-bit.
    [StructLayout(LayoutKind.Sequential)]
    private struct PollFd
    {
        public int Descriptor;
        public short Wanted;
        public short Happened;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
