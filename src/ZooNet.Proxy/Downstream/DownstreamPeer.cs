using ZooNet.Proxy.Transport;

namespace ZooNet.Proxy.Downstream;

/// <summary>The client's end of a <see cref="ClientConnection"/>.</summary>
internal sealed class DownstreamPeer(ClientConnection owner) : FramePeer(owner.Gate)
{
    /// <inheritdoc/>
    protected override TimeProvider Time => owner.Time;

    /// <inheritdoc/>
    protected override bool MustPause => owner.MustPauseClient;

    /// <summary>Queues frames for the client.</summary>
    public void Send(ReadOnlySpan<byte> frames)
    {
        if (Gather(frames))
        {
            owner.MarkDirty(this);
        }
    }

    /// <inheritdoc/>
    protected override bool OnBytes(ReadOnlySpan<byte> bytes, out int consumed, out int needed) => owner.OnClientBytes(bytes, out consumed, out needed);

    /// <inheritdoc/>
    protected override void OnEnd(string why, bool lost) => owner.OnClientEnd(why, lost);

    /// <inheritdoc/>
    protected override Task WaitAsync() => owner.WaitForSessionAsync();

    /// <inheritdoc/>
    protected override void OnBacklogSent() => owner.OnBacklogSent();
}
