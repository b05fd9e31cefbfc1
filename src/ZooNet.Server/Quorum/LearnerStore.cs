using Microsoft.Extensions.Logging;
using ZooNet.Server.Cluster;
using ZooNet.Server.Persistence;
using ZooNet.Tree;

namespace ZooNet.Server.Quorum;

/// <summary>
/// A learner's state on disk. It is behind what the learner has shown, and that is no harm: nobody is served before a leader has sent the
/// rest. What can't be used is thrown away and said, for the leader has it all. Thread-safe.
/// </summary>
internal sealed class LearnerStore : IDisposable
{
    private readonly string _folder;
    private readonly Observer _observer;
    private readonly ILogger _logger;
    private readonly FolderLock _lock;
    private readonly Lock _saving = new();
    private long _saved;
    private bool _isClosed;

    /// <summary>Takes the folder for itself.</summary>
    /// <exception cref="IOException">Another learner uses it, or it can't be written.</exception>
    public LearnerStore(string folder, Observer observer, ILogger logger)
    {
        _folder = folder;
        _observer = observer;
        _logger = logger;
        _lock = FolderLock.Take(folder);
    }

    /// <summary>Goes on from what is on disk, if there is anything, and it has all that is wanted.</summary>
    /// <param name="wanted">What is wanted; null for everything.</param>
    /// <returns>The epoch that was accepted last; null where there is nothing to go on from.</returns>
    public long? TryLoad(Roots? wanted)
    {
        if (!File.Exists(ReplicaFile.PathOf(_folder)))
        {
            return null;
        }
        var state = new DataTree();
        try
        {
            var position = ReplicaFile.Load(_folder, state);
            if (state.Roots is { } roots && (wanted is null || !roots.HoldAll(wanted)))
            {
                LogMessages.StateNotUsed(_logger, _folder, "it has not all that is kept now");
                return null;
            }
            if (state.Roots is null && wanted is not null)
            {
                state.KeepOnly(wanted);
            }
            _observer.Restore(state, position);
            _saved = position.Last.Zxid;
            LogMessages.StateLoaded(_logger, _folder, state.Count, position.Last.Zxid);
            return position.AcceptedEpoch;
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            Discard(e.Message);
            return null;
        }
    }

    /// <summary>Puts the state on disk, if it has changed, and if there is a whole one.</summary>
    public void Save(long acceptedEpoch)
    {
        lock (_saving)
        {
            if (_isClosed || _observer.CopyState(acceptedEpoch, _saved, out var zxid) is not { } chunks)
            {
                return;
            }
            try
            {
                ReplicaFile.Save(_folder, chunks);
                _saved = zxid;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                LogMessages.StateNotSaved(_logger, _folder, e.Message);
            }
        }
    }

    /// <summary>What is on disk is not used, now or later.</summary>
    /// <param name="why">In a sentence.</param>
    public void Discard(string why)
    {
        lock (_saving)
        {
            _saved = 0;
            LogMessages.StateThrownAway(_logger, _folder, why);
            try
            {
                File.Delete(ReplicaFile.PathOf(_folder));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                LogMessages.StateNotSaved(_logger, _folder, e.Message);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_saving)
        {
            _isClosed = true;
            _lock.Dispose();
        }
    }
}
