using System.Buffers.Binary;
using System.Numerics;
using ZooNet.Protocol;

namespace ZooNet.Roaming.Records;

/// <summary>
/// One entry of an object's log: commands of one proxy that were committed together. In jute: {int magic; ustring zone; long proxy; long
/// since;
/// long first; long time; vector commands; int checksum}. Immutable.
/// </summary>
/// <param name="Zone">The zone of the proxy that sent it: policies count by it.</param>
/// <param name="Proxy">The proxy's id: a random number that no other process, and no earlier one of the same proxy, has.</param>
/// <param name="Since">The index that the proxy's copy had applied when it began to send: it tells a new proxy from one that was
/// forgotten.</param>
/// <param name="First">The proxy's running number of the first command, from 1.</param>
/// <param name="TimeMs">The proxy's wall clock, in milliseconds since 1970: Stats show it.</param>
/// <param name="Commands">What it does; at least one command.</param>
internal sealed record Entry(string Zone, long Proxy, long Since, long First, long TimeMs, IReadOnlyList<Command> Commands)
{
    /// <summary>The most bytes of an entry: a server takes 1 MiB, with what the multi has besides, its paths above all.</summary>
    public const int MaxLength = 1008 * 1024;

    /// <summary>The most commands of an entry.</summary>
    public const int MaxCommands = 4096;

    private const int Magic = 0x5a4e_5201; // "ZNR", version 1

    /// <summary>The content of the znode.</summary>
    /// <exception cref="RoamingDataException">There is no command in it, or too many, or too long ones.</exception>
    public byte[] ToBytes()
    {
        if (Commands.Count is 0 or > MaxCommands)
        {
            throw new RoamingDataException($"an entry has 1 to {MaxCommands} commands, and this one {Commands.Count}");
        }
        var writer = new JuteWriter(1024);
        writer.WriteInt(Magic);
        writer.WriteString(Zone);
        writer.WriteLong(Proxy);
        writer.WriteLong(Since);
        writer.WriteLong(First);
        writer.WriteLong(TimeMs);
        writer.WriteInt(Commands.Count);
        foreach (var command in Commands)
        {
            command.Write(writer);
        }
        writer.WriteInt((int)Checksum(writer.Written));
        return writer.Length <= MaxLength
            ? writer.Written.ToArray()
            : throw new RoamingDataException($"an entry of {writer.Length} bytes is too long, {MaxLength} are the most: "
                + "write less at once");
    }

    /// <summary>Reads the content of the znode.</summary>
    /// <exception cref="RoamingDataException">It is no entry, or was damaged.</exception>
    public static Entry Read(string path, byte[]? data)
    {
        if (data is null || data.Length < 8 || data.Length > MaxLength
            || (uint)BinaryPrimitives.ReadInt32BigEndian(data.AsSpan(^4..)) != Checksum(data.AsSpan(..^4)))
        {
            throw RecordJson.Damaged(path, data is { Length: 0 } ? "nobody with the proxies' secret has written it there"
                : "its checksum does not fit");
        }
        var reader = new JuteReader(data.AsSpan(..^4));
        if (reader.ReadInt() != Magic)
        {
            throw RecordJson.Damaged(path, "it does not begin as an entry of this version does");
        }
        var (zone, proxy, since, first, time) = (reader.ReadString() ?? "", reader.ReadLong(), reader.ReadLong(), reader.ReadLong(),
            reader.ReadLong());
        var commands = new Command[reader.ReadCount(36)];
        for (var i = 0; i < commands.Length; i++)
        {
            commands[i] = Command.Read(ref reader, path);
        }
        return !reader.Failed && reader.Remaining == 0 && commands.Length is > 0 and <= MaxCommands && first > 0
            ? new Entry(zone, proxy, since, first, time, commands)
            : throw RecordJson.Damaged(path, "it ends too early, or too late");
    }

    /// <summary>CRC-32C.</summary>
    internal static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        while (bytes.Length >= 8)
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }
        foreach (var b in bytes)
        {
            crc = BitOperations.Crc32C(crc, b);
        }
        return ~crc;
    }
}
