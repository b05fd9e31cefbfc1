namespace ZooNet.Proxy.Transport;

/// <summary>
/// Whoever owns a <see cref="FramePeer"/>: is told what comes, and says when to wait. All but <see cref="Gate"/> and
/// <see cref="Time"/> is called without the lock, unless it says otherwise.
/// </summary>
internal interface IFrameOwner
{
    /// <summary>Guards the peer, and all else of its owner.</summary>
    Lock Gate { get; }

    /// <summary>The clock.</summary>
    TimeProvider Time { get; }

    /// <summary>True while nothing more is to be read.</summary>
    bool MustPause { get; }

    /// <summary>Bytes have come; those of the last call that were not consumed are there again.</summary>
    /// <param name="bytes">All that waits.</param>
    /// <param name="consumed">How many were taken.</param>
    /// <param name="needed">
    /// How many the next frame takes, where that is known; <see cref="FramePeer.FramesLeft"/> if whole frames may be left that must wait.
    /// </param>
    /// <returns>False to read no more.</returns>
    bool OnBytes(ReadOnlySpan<byte> bytes, out int consumed, out int needed);

    /// <summary>Nothing more is read.</summary>
    /// <param name="why">How the stream ended.</param>
    /// <param name="lost">False if the other end only finished its own direction, and may still read what is sent.</param>
    void OnEnd(string why, bool lost);

    /// <summary>Completes when <see cref="MustPause"/> may have become false.</summary>
    Task WaitAsync();

    /// <summary>The first bytes since the last flush were gathered; called under the lock. Flush before the event is over.</summary>
    void OnGathered(FramePeer peer);

    /// <summary>A backlog has been sent.</summary>
    void OnBacklogSent();
}
