using System.Net.Sockets;

namespace ZooNet.Proxy.Hosting;

/// <summary>The file of the Unix-domain socket of the admin endpoint. Whoever may write to it may do everything.</summary>
internal static class AdminSocket
{
    /// <summary>The owner, and the group that is to be allowed.</summary>
    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;

    /// <summary>Removes the socket that a process has left behind that was killed.</summary>
    /// <param name="file">The file; null for none.</param>
    /// <exception cref="IOException">Somebody listens there, or it is no socket.</exception>
    public static void Clear(string? file)
    {
        if (file is null || !File.Exists(file))
        {
            return;
        }
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(file));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused && new FileInfo(file).Length == 0)
        {
            File.Delete(file);
            return;
        }
        catch (SocketException e)
        {
            throw new IOException($"can't listen on '{file}': {e.Message}; give 'adminSocket' a file that is not there yet", e);
        }
        throw new IOException($"can't listen on '{file}': another program listens there; give 'adminSocket' another file");
    }

    /// <summary>Lets in the owner and the group only.</summary>
    /// <param name="file">The file; null for none.</param>
    public static void Restrict(string? file)
    {
        if (file is not null && !OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(file, Mode);
        }
    }
}
