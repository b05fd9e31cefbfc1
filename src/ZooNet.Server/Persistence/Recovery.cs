using Microsoft.Extensions.Logging;
using ZooNet.Protocol;
using ZooNet.Tree;

namespace ZooNet.Server.Persistence;

/// <summary>Restores a tree from a folder: the newest snapshot, then every transaction after it, without a gap.</summary>
internal static class Recovery
{
    /// <param name="folder">The folder.</param>
    /// <param name="tree">An empty tree; afterwards the state.</param>
    /// <param name="newestLog">The name of a log file that must be there, whole at least in its header; null if that is not known.</param>
    /// <param name="logger">For what is worth telling.</param>
    /// <returns>The newest log file, positioned at its end.</returns>
    /// <exception cref="InvalidDataException">A file is damaged or missing; the message says which.</exception>
    public static FileStream Restore(string folder, DataTree tree, string? newestLog, ILogger logger)
    {
        var logs = LogFile.List(folder);
        if (newestLog is not null)
        {
            var newest = new FileInfo(Path.Combine(folder, newestLog));
            if (!newest.Exists || newest.Length < LogFile.HeaderLength)
            {
                throw new InvalidDataException($"{newest.FullName} is {(newest.Exists ? "empty" : "missing")}: it holds acknowledged writes, and the server "
                    + "does not start. Restore the file from a copy, or move the whole folder away to start empty.");
            }
        }
        if (Snapshot.List(folder) is [.., var snapshot])
        {
            Snapshot.Load(snapshot.Path, tree);
            // The log is begun before its snapshot is saved: without it, writes would be missing and nobody would know.
            if (!logs.Exists(log => log.AfterZxid == snapshot.Zxid))
            {
                throw new InvalidDataException($"{LogFile.PathOf(folder, snapshot.Zxid)} is missing: it holds the writes after {snapshot.Path}.");
            }
        }
        else if (logs.Count > 0)
        {
            tree.LastZxid = logs[0].AfterZxid;
            if ((logs[0].AfterZxid & 0xffff_ffff) != 0)
            {
                throw new InvalidDataException($"{logs[0].Path} goes on from a state that no snapshot in {folder} holds.");
            }
        }
        var cut = -1;
        for (var i = 0; i < logs.Count; i++)
        {
            cut = Replay(logs[i].Path, tree, isNewest: i == logs.Count - 1, logger);
        }
        if (logs.Count == 0 || cut == 0)
        {
            // Nothing yet, or a file that was just being made when the server died.
            return TransactionLog.Create(folder, logs.Count == 0 ? tree.LastZxid : logs[^1].AfterZxid);
        }
        var file = new FileStream(logs[^1].Path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        if (file.Length > cut)
        {
            LogMessages.TornWrite(logger, logs[^1].Path, file.Length - cut);
            file.SetLength(cut);
            file.Flush(flushToDisk: true);
        }
        file.Seek(0, SeekOrigin.End);
        return file;
    }

    private static int Replay(string path, DataTree tree, bool isNewest, ILogger logger)
    {
        var bytes = File.ReadAllBytes(path);
        var records = LogFile.Read(path, bytes, isNewest, out var end);
        foreach (var record in records)
        {
            var reader = new JuteReader(record.Txn(bytes));
            if (TxnCodec.TryRead(ref reader, out var header) is not { } txn)
            {
                throw new InvalidDataException($"{path} holds at byte {record.Offset} a transaction that this version does not know.");
            }
            if (header.Zxid <= tree.LastZxid)
            {
                // The snapshot has it already.
                continue;
            }
            if (header.Zxid != tree.LastZxid + 1)
            {
                throw new InvalidDataException($"{path} goes on at zxid 0x{header.Zxid:x} where 0x{tree.LastZxid + 1:x} is expected: a log file is missing.");
            }
            tree.Apply(header, txn);
        }
        LogMessages.Replayed(logger, path, records.Count);
        return end;
    }
}
