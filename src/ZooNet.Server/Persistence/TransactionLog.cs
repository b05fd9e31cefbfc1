using Microsoft.Extensions.Logging;
using ZooNet.Protocol;
using ZooNet.Tree;
using ZooNet.Tree.Transactions;

namespace ZooNet.Server.Persistence;

/// <summary>
/// The write-ahead log of a folder. Transactions are appended to a buffer under the gate; one thread writes the buffer and puts it on
/// disk, while the next one fills: whatever has gathered meanwhile shares one fsync. Replies wait for it.
/// </summary>
internal sealed class TransactionLog : IDisposable
{
    /// <summary>Snapshots that are kept; older ones and the logs that only they need are removed.</summary>
    private const int SnapshotsKept = 2;

    private readonly string _folder;
    private readonly long _snapshotAfter;
    private readonly ILogger _logger;
    private readonly FolderLock _lock;
    private readonly Thread _writer;
    // Guards everything below; taken inside the gate, never around it.
    private readonly object _guard = new();
    private JuteWriter _filling = new(1 << 16);
    private JuteWriter _writing = new(1 << 16);
    private TaskCompletionSource _flushed = NewSource();
    private FileStream _file;
    private (long AfterZxid, List<byte[]> State)? _roll;
    private int _rollAt;
    private long _position;
    private long _durable;
    private long _fileStart;
    private long _sinceSnapshot;
    private bool _stopping;
    private Exception? _failure;
    private Task _saving = Task.CompletedTask;

    private TransactionLog(string folder, long snapshotAfter, ILogger logger, FolderLock folderLock, FileStream file)
    {
        (_folder, _snapshotAfter, _logger, _lock, _file) = (folder, snapshotAfter, logger, folderLock, file);
        _position = _durable = file.Length;
        _sinceSnapshot = file.Length;
        _writer = new Thread(WriteLoop) { IsBackground = true, Name = "transaction log" };
        _writer.Start();
    }

    /// <summary>Raised once, on the log's thread, when writing has failed: nothing will become durable any more.</summary>
    public event Action<Exception>? Failed;

    /// <summary>Bytes appended so far, counted over all files.</summary>
    public long Position
    {
        get
        {
            lock (_guard)
            {
                return _position;
            }
        }
    }

    /// <summary>Opens a folder: restores the state from the newest snapshot and the logs after it, and goes on writing there.</summary>
    /// <param name="folder">Made where it does not exist.</param>
    /// <param name="tree">An empty tree; afterwards the state.</param>
    /// <param name="snapshotAfter">Bytes of log after which a snapshot is taken.</param>
    /// <param name="logger">For what is worth telling.</param>
    /// <exception cref="InvalidDataException">A file is damaged otherwise than by a torn last write.</exception>
    /// <exception cref="IOException">The folder can't be used, or another server uses it.</exception>
    public static TransactionLog Open(string folder, DataTree tree, long snapshotAfter, ILogger logger)
    {
        var folderLock = FolderLock.Take(folder);
        try
        {
            var file = Recovery.Restore(folder, tree, folderLock.NewestLog, logger);
            folderLock.NoteNewest(file.Name);
            return new TransactionLog(folder, snapshotAfter, logger, folderLock, file);
        }
        catch
        {
            folderLock.Dispose();
            throw;
        }
    }

    /// <summary>Appends a transaction. Under the gate.</summary>
    public void Append(in TxnHeader header, Txn txn)
    {
        lock (_guard)
        {
            if (_failure is not null)
            {
                // Nobody who waits for this one may ever be told that it is on disk.
                _position++;
                return;
            }
            var start = _filling.Length;
            _filling.WriteInt(0);
            _filling.WriteInt(0);
            // Of a file just begun nothing but the header is on disk for certain.
            _filling.WriteLong(Math.Max(LogFile.HeaderLength, _durable - _fileStart));
            TxnCodec.Write(_filling, header, txn);
            var record = _filling.Written[start..];
            _filling.PatchInt(start + 4, (int)Checksum.Of(record[8..]));
            _filling.PatchInt(start, record.Length - 8);
            _position += record.Length;
            _sinceSnapshot += record.Length;
            Monitor.Pulse(_guard);
        }
    }

    /// <summary>True when so much was appended that a snapshot should be taken.</summary>
    public bool WantsSnapshot
    {
        get
        {
            lock (_guard)
            {
                return _sinceSnapshot >= _snapshotAfter && _roll is null && _saving.IsCompleted && _failure is null;
            }
        }
    }

    /// <summary>Takes a snapshot: what is appended from now on goes to a new file. Under the gate.</summary>
    public void TakeSnapshot(DataTree tree)
    {
        var state = Snapshot.Take(tree);
        lock (_guard)
        {
            _roll = (tree.LastZxid, state);
            _rollAt = _filling.Length;
            _fileStart = _position;
            _position += LogFile.HeaderLength;
            _sinceSnapshot = 0;
            Monitor.Pulse(_guard);
        }
    }

    /// <summary>Completes when everything up to a position is on disk. Safe for any thread.</summary>
    /// <exception cref="IOException">It never will be.</exception>
    public async ValueTask WhenDurableAsync(long position)
    {
        while (true)
        {
            Task flushed;
            lock (_guard)
            {
                if (_durable >= position)
                {
                    return;
                }
                if (_failure is not null)
                {
                    throw new IOException("The transaction log can't be written.", _failure);
                }
                flushed = _flushed.Task;
            }
            await flushed.ConfigureAwait(false);
        }
    }

    /// <summary>Puts everything on disk and closes the folder.</summary>
    public void Dispose()
    {
        lock (_guard)
        {
            if (_stopping)
            {
                return;
            }
            _stopping = true;
            Monitor.Pulse(_guard);
        }
        _writer.Join();
#pragma warning disable VSTHRD002 // Disposing waits for the thread that writes; this waits for a snapshot under way.
        _saving.Wait();
#pragma warning restore VSTHRD002
        lock (_guard)
        {
            // What comes now was never acknowledged and never will be.
            _failure ??= new ObjectDisposedException(nameof(TransactionLog));
            _flushed.TrySetResult();
        }
        _file.Dispose();
        _lock.Dispose();
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void WriteLoop()
    {
        try
        {
            while (WaitForWork(out var position, out var roll, out var rollAt))
            {
                Write(_writing.Written, roll, rollAt);
                TaskCompletionSource done;
                lock (_guard)
                {
                    _writing.Clear();
                    _durable = position;
                    (done, _flushed) = (_flushed, NewSource());
                }
                done.SetResult();
            }
        }
        catch (Exception e)
        {
            // A disk that is full, or gone, needs no stack.
            LogMessages.LogFailed(_logger, _folder, e.Message, e is IOException ? null : e);
            TaskCompletionSource waiting;
            lock (_guard)
            {
                _failure = e;
                waiting = _flushed;
            }
            waiting.TrySetResult();
            Failed?.Invoke(e);
        }
    }

    /// <summary>Waits for a filled buffer and swaps it.</summary>
    /// <returns>False when the log is closed and everything is written.</returns>
    private bool WaitForWork(out long position, out (long AfterZxid, List<byte[]> State)? roll, out int rollAt)
    {
        lock (_guard)
        {
            while (_filling.Length == 0 && _roll is null && !_stopping)
            {
                Monitor.Wait(_guard);
            }
            (_filling, _writing) = (_writing, _filling);
            (position, roll, rollAt) = (_position, _roll, _rollAt);
            _roll = null;
            return _writing.Length > 0 || roll is not null;
        }
    }

    private void Write(ReadOnlySpan<byte> bytes, (long AfterZxid, List<byte[]> State)? roll, int rollAt)
    {
        if (roll is { } next)
        {
            // The old file must be whole on disk before the new one exists: recovery relies on it.
            _file.Write(bytes[..rollAt]);
            _file.Flush(flushToDisk: true);
            _file.Dispose();
            _file = Create(_folder, next.AfterZxid);
            _lock.NoteNewest(_file.Name);
            bytes = bytes[rollAt..];
            _saving = Task.Run(() => Save(next.AfterZxid, next.State));
        }
        _file.Write(bytes);
        _file.Flush(flushToDisk: true);
    }

    /// <summary>Makes a log file with its header, on disk.</summary>
    internal static FileStream Create(string folder, long afterZxid)
    {
        var file = new FileStream(LogFile.PathOf(folder, afterZxid), FileMode.Create, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        Span<byte> header = stackalloc byte[LogFile.HeaderLength];
        LogFile.WriteHeader(header, afterZxid);
        file.Write(header);
        file.Flush(flushToDisk: true);
        DataFiles.SyncFolder(folder);
        return file;
    }

    private void Save(long zxid, List<byte[]> state)
    {
        try
        {
            Snapshot.Save(_folder, zxid, state);
            var kept = Snapshot.List(_folder).TakeLast(SnapshotsKept).ToList();
            foreach (var (old, path) in Snapshot.List(_folder).Where(s => s.Zxid < kept[0].Zxid))
            {
                File.Delete(path);
            }
            // A log is needed while a later zxid than the oldest snapshot's may be in it: up to where the next one begins.
            var logs = LogFile.List(_folder);
            for (var i = 0; kept.Count == SnapshotsKept && i + 1 < logs.Count && logs[i + 1].AfterZxid <= kept[0].Zxid; i++)
            {
                File.Delete(logs[i].Path);
            }
        }
        catch (IOException e)
        {
            // The logs have everything: only the next start takes longer.
            LogMessages.SnapshotFailed(_logger, _folder, e);
        }
    }
}
