using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;

namespace ZooNet.Integration.Histories;

/// <summary>One transaction on the znodes of a history.</summary>
/// <param name="Zxid">Its place in its cluster's order.</param>
/// <param name="Key">The znode's name in the folder.</param>
/// <param name="Lists">Whether it changes the folder's list of znodes.</param>
/// <param name="Exists">Whether the znode exists afterwards.</param>
/// <param name="Op">The number of the operation that asked for it, as its data says; -1 for the test itself.</param>
internal sealed record LoggedChange(long Zxid, string Key, bool Lists, bool Exists, int Op);

/// <summary>
/// What an ensemble really did, from the transaction logs of its servers (source: ZooKeeper 3.8's FileTxnLog and zookeeper.jute).
/// </summary>
/// <param name="Committed">In the order of their zxids.</param>
/// <param name="Uncertain">Found in a minority of the voters' logs only: proposed, and perhaps never committed.</param>
internal sealed record TransactionLogs(IReadOnlyList<LoggedChange> Committed, IReadOnlyList<LoggedChange> Uncertain)
{
    private const int FileHeaderLength = 16;
    private const byte EndOfRecord = (byte)'B';

    /// <summary>Reads the logs of all servers of an ensemble; they may be running.</summary>
    /// <param name="ensemble">The ensemble.</param>
    /// <param name="folder">The folder whose znodes are asked for.</param>
    /// <param name="seen">Zxids that a client saw, so that they were committed.</param>
    public static TransactionLogs Read(RealEnsemble ensemble, string folder, IReadOnlySet<long> seen)
    {
        var changes = new SortedDictionary<long, (LoggedChange Change, int Voters, bool Certain)>();
        foreach (var server in ensemble.Servers)
        {
            // A server that has come back may have logged again what it had logged before.
            foreach (var change in Directory.EnumerateFiles(server.DataFolder, "log.*").SelectMany(file => Read(file, folder + "/")).DistinctBy(c => c.Zxid))
            {
                var found = changes.GetValueOrDefault(change.Zxid, (change, 0, seen.Contains(change.Zxid)));
                // Observers hear of what is committed only.
                changes[change.Zxid] = server.IsObserver ? (change, found.Item2, true) : (change, found.Item2 + 1, found.Item3);
            }
        }
        // What a majority has logged no later leader can lack.
        var voters = ensemble.Voters.Count();
        var byCertainty = changes.Values.ToLookup(c => c.Certain || c.Voters * 2 > voters, c => c.Change);
        return new TransactionLogs([.. byCertainty[true]], [.. byCertainty[false]]);
    }

    /// <summary>
    /// Znodes that were created below a folder: their paths and data, each with its zxid and how many voters have logged it. They may be
    /// gone by now.
    /// </summary>
    public static IReadOnlyList<(long Zxid, string Path, byte[] Data, int Voters)> ReadCreates(RealEnsemble ensemble, string folder)
    {
        var found = new List<(long Zxid, string Path, byte[] Data)>();
        foreach (var server in ensemble.Voters)
        {
            var here = new Dictionary<long, (long, string, byte[])>();
            foreach (var file in Directory.EnumerateFiles(server.DataFolder, "log.*"))
            {
                ForEach(file, (zxid, type, body) =>
                {
                    var reader = new JuteReader(body);
                    if (type is OpCode.Create or OpCode.Create2 && reader.ReadString() is { } path
                        && path.StartsWith(folder + "/", StringComparison.Ordinal))
                    {
                        here[zxid] = (zxid, path, reader.ReadBytes(out _).ToArray());
                    }
                });
            }
            found.AddRange(here.Values);
        }
        return [.. found.GroupBy(f => f.Zxid).OrderBy(g => g.Key).Select(g => (g.Key, g.First().Path, g.First().Data, g.Count()))];
    }

    private static IReadOnlyList<LoggedChange> Read(string file, string prefix)
    {
        var changes = new List<LoggedChange>();
        ForEach(file, (zxid, type, body) =>
        {
            var reader = new JuteReader(body);
            if (Change(zxid, type, ref reader, prefix) is not { } change)
            {
                return;
            }
            if (changes.Count > 0 && changes[^1].Zxid == zxid)
            {
                // A history's multi names its operation and then deletes.
                changes[^1] = change with { Op = changes[^1].Op };
                return;
            }
            changes.Add(change);
        });
        return changes;
    }

    /// <summary>
    /// Every part of every transaction that was not refused. An entry is class TxnHeader { long clientId; int cxid; long zxid; long time;
    /// int type; } and the transaction; class MultiTxn { vector&lt;class Txn { int type; buffer data; }&gt; }.
    /// </summary>
    private static void ForEach(string file, Action<long, OpCode, byte[]> part) => ForEachEntry(file, entry =>
    {
        var reader = new JuteReader(entry);
        reader.Skip(8 + 4);
        var zxid = reader.ReadLong();
        reader.Skip(8);
        var type = (OpCode)reader.ReadInt();
        if (type != OpCode.Multi)
        {
            part(zxid, type, entry[^reader.Remaining..].ToArray());
            return;
        }
        var parts = new List<(OpCode Type, byte[] Body)>();
        for (var left = reader.ReadCount(8); left > 0; left--)
        {
            parts.Add(((OpCode)reader.ReadInt(), reader.ReadBytes(out _).ToArray()));
        }
        if (!parts.Exists(p => p.Type == OpCode.Error))
        {
            parts.ForEach(p => part(zxid, p.Type, p.Body));
        }
    });

    private delegate void EntryReader(ReadOnlySpan<byte> entry);

    private static void ForEachEntry(string file, EntryReader read)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[stream.Length];
        stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        // { long checksum; buffer entry; byte 'B' } until the part that was reserved and not written yet.
        for (var at = FileHeaderLength; at + 12 < bytes.Length;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at + 8));
            if (length <= 0 || at + 12 + length >= bytes.Length || bytes[at + 12 + length] != EndOfRecord)
            {
                break;
            }
            read(bytes.AsSpan(at + 12, length));
            at += 12 + length + 1;
        }
    }

    private static LoggedChange? Change(long zxid, OpCode type, ref JuteReader reader, string prefix)
    {
        if (type is not (OpCode.Create or OpCode.Create2 or OpCode.SetData or OpCode.Delete)
            || reader.ReadString() is not { } path || !path.StartsWith(prefix, StringComparison.Ordinal))
        {
            return null;
        }
        var key = path[prefix.Length..];
        return type switch
        {
            OpCode.Delete => new LoggedChange(zxid, key, Lists: true, Exists: false, -1),
            _ => new LoggedChange(zxid, key, Lists: type != OpCode.SetData, Exists: true, ValueOf(reader.ReadBytes(out _))),
        };
    }

    /// <summary>The data of a history's znodes is the number of the operation that wrote them.</summary>
    public static int ValueOf(ReadOnlySpan<byte> data) => int.Parse(data, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);

    /// <summary>The other way.</summary>
    public static byte[] DataOf(int op) => Encoding.ASCII.GetBytes(op.ToString(CultureInfo.InvariantCulture));
}
