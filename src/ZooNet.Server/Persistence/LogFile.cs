using System.Buffers.Binary;
using System.Globalization;

namespace ZooNet.Server.Persistence;

/// <summary>
/// Names and layout of log files: <c>log.</c> and the zxid after which it begins, in hexadecimal; first 16 bytes of header, then
/// <see cref="LogRecord"/>s. Only the newest is written to, and an older one was on disk as a whole before the newer one was made.
/// </summary>
internal static class LogFile
{
    public const int HeaderLength = 16;
    private const ulong Magic = 0x5a4e_4c4f_4700_0001; // "ZNLOG", version 1
    private const string Prefix = "log.";

    public static string PathOf(string folder, long afterZxid) => Path.Combine(folder, Prefix + afterZxid.ToString("x16", CultureInfo.InvariantCulture));

    /// <summary>The log files of a folder, oldest first.</summary>
    public static List<(long AfterZxid, string Path)> List(string folder) => DataFiles.List(folder, Prefix);

    public static void WriteHeader(Span<byte> header, long afterZxid)
    {
        BinaryPrimitives.WriteUInt64BigEndian(header, Magic);
        BinaryPrimitives.WriteInt64BigEndian(header[8..], afterZxid);
    }

    /// <summary>
    /// Finds the whole records of a file.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="bytes">Its bytes.</param>
    /// <param name="isNewest">Whether it is the one that was being written: its end may be torn.</param>
    /// <param name="end">Where the last whole record ends: what follows is a torn write, to be cut off.</param>
    /// <exception cref="InvalidDataException">It is damaged otherwise; the message says where.</exception>
    public static List<LogRecord> Read(string path, ReadOnlySpan<byte> bytes, bool isNewest, out int end)
    {
        var records = new List<LogRecord>();
        if (bytes.Length < HeaderLength && isNewest)
        {
            // It was just being made.
            end = 0;
            return records;
        }
        if (bytes.Length < HeaderLength || BinaryPrimitives.ReadUInt64BigEndian(bytes) != Magic)
        {
            throw new InvalidDataException($"{path} does not begin as a log of this version does.");
        }
        end = HeaderLength;
        while (end < bytes.Length)
        {
            if (LogRecord.TryRead(bytes, end) is not { } record)
            {
                if (!isNewest || WasDurable(bytes, end))
                {
                    throw new InvalidDataException($"{path} is damaged at byte {end}, and there are acknowledged writes behind it: the server does not start. "
                        + "Restore the file from a copy, or move the whole folder away to start empty.");
                }
                return records;
            }
            records.Add(record);
            end += record.Length;
        }
        return records;
    }

    /// <summary>True where a later record proves that the byte at an offset was on disk once.</summary>
    private static bool WasDurable(ReadOnlySpan<byte> bytes, int offset)
    {
        for (var i = offset + 1; i <= bytes.Length - LogRecord.HeaderLength; i++)
        {
            if (LogRecord.TryRead(bytes, i) is { } later && later.Durable > offset)
            {
                return true;
            }
        }
        return false;
    }
}
