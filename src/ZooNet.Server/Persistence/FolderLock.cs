using System.Text;

namespace ZooNet.Server.Persistence;

/// <summary>
/// The file <c>lock</c> of a folder: whoever has it uses the folder alone. It holds the name of the newest log file, so that a log that
/// is not there any more, or is empty, is missed. One owner.
/// </summary>
internal sealed class FolderLock : IDisposable
{
    private const int MaxName = 64;

    // What the system says of a file that somebody else has locked: Linux, macOS, Windows.
    private static readonly int[] Locked = [11, 35, unchecked((int)0x80070020)];

    private readonly FileStream _file;

    private FolderLock(FileStream file)
    {
        _file = file;
        Span<byte> name = stackalloc byte[MaxName];
        var length = file.ReadAtLeast(name, MaxName, throwOnEndOfStream: false);
        NewestLog = length == 0 ? null : Encoding.ASCII.GetString(name[..length]);
    }

    /// <summary>
    /// The name of the log file that was the newest when the folder was last used; null in a new folder, or one of an older version.
    /// </summary>
    public string? NewestLog { get; }

    /// <summary>Takes a folder, and makes it where it does not exist.</summary>
    /// <exception cref="IOException">Another server uses it, or it can't be written; the message says which.</exception>
    public static FolderLock Take(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
            return new FolderLock(new FileStream(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0));
        }
        catch (IOException e) when (Locked.Contains(e.HResult))
        {
            throw new IOException($"{folder} is used by another server.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{folder} can't be written: {e.Message.TrimEnd('.')}; give --data a folder that this user may write.", e);
        }
    }

    /// <summary>A log file is on disk with its header and is the newest from now on.</summary>
    public void NoteNewest(string path)
    {
        var name = Encoding.ASCII.GetBytes(Path.GetFileName(path));
        _file.Seek(0, SeekOrigin.Begin);
        // Names are of one length, so what is there is replaced whole.
        _file.Write(name);
        _file.SetLength(name.Length);
        _file.Flush(flushToDisk: true);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
