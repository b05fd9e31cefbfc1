namespace ZooNet.Federation.Sessions;

/// <summary>What a write in a remote cluster does about the record of the session that it uses.</summary>
internal enum RecordStep : byte
{
    /// <summary>It is on record: the write may be sent.</summary>
    Go,
    /// <summary>It is being put on record.</summary>
    Wait,
    /// <summary>It must be put on record now, and then the write waits.</summary>
    Save,
    /// <summary>It could not be put on record: the write fails.</summary>
    Fail,
}

/// <summary>
/// Whether the session of a link is on record at home, so that another proxy can take it over, and whether the record is strict: then
/// the client must not be let in without that session. What is to be written is said, and what has been written is told; nothing is
/// written here. Single owner: its session.
/// </summary>
internal struct RemoteRecord
{
    private State _state;
    private byte _stale;

    private enum State : byte
    {
        None,
        Saving,
        Saved,
        Failed,
        /// <summary>Being written anew, to say that the client may be let in without this session.</summary>
        Relaxing,
    }

    /// <summary>Whether the record is strict.</summary>
    public bool IsStrict { get; private set; }

    /// <summary>True for a session that another proxy opened and this one must take over before the client is let in.</summary>
    public bool MustBeTakenOver { get; private set; }

    /// <summary>Whether nothing was put on record, or begun to.</summary>
    public readonly bool IsNone => _state == State.None;

    /// <summary>Whether the record is being written.</summary>
    public readonly bool IsBeingWritten => _state is State.Saving or State.Relaxing;

    /// <summary>A write would be sent.</summary>
    /// <param name="strict">Whether it makes something that needs a strict record.</param>
    public RecordStep Require(bool strict)
    {
        switch (_state)
        {
            case State.Saved when IsStrict || !strict:
                return RecordStep.Go;
            case State.Saving or State.Relaxing:
                return RecordStep.Wait;
            case State.Failed:
                _state = State.None;
                return RecordStep.Fail;
        }
        _state = State.Saving;
        IsStrict = strict;
        return RecordStep.Save;
    }

    /// <summary>The link was lost. If the session owns nothing strict any more, its record need not be strict.</summary>
    /// <returns>True if the record is to be written now.</returns>
    public bool TryRelax(bool ownsStrict)
    {
        if (_state != State.Saved || !IsStrict || ownsStrict)
        {
            return false;
        }
        _state = State.Relaxing;
        return true;
    }

    /// <summary>A record was written, or could not be.</summary>
    public void Written(bool saved)
    {
        if (_stale > 0)
        {
            // Of a session that has ended meanwhile: it says nothing of the one that came after.
            _stale--;
            return;
        }
        if (_state == State.Relaxing)
        {
            // Not needed for anything that waits: if it failed, the record is merely stricter than it must be.
            IsStrict = !saved;
            saved = true;
        }
        _state = saved ? State.Saved : State.Failed;
    }

    /// <summary>The record was found at home: another proxy made it.</summary>
    public void Found(bool strict)
    {
        _state = State.Saved;
        IsStrict = strict;
        MustBeTakenOver = strict;
    }

    /// <summary>The session has ended, or the link has got another one.</summary>
    public void SessionEnded()
    {
        if (IsBeingWritten)
        {
            _stale++;
        }
        _state = State.None;
        MustBeTakenOver = false;
    }
}
