using ZooNet.Federation.Freshness;
using ZooNet.Federation.Sessions;
using ZooNet.Proxy.Downstream;
using ZooNet.Proxy.Transport;

namespace ZooNet.Proxy.Upstream;

/// <summary>One connection to an upstream server, for one link of one client. Owned by its <see cref="ClientConnection"/>.</summary>
internal sealed class UpstreamConnection(ClientConnection owner, SessionLink link) : FramePeer(owner.Gate), ILinkConnection
{
    /// <inheritdoc/>
    public SessionLink Link { get; } = link;

    /// <summary>The server at the other end; null until it is connected.</summary>
    public UpstreamServer? Server { get; set; }

    /// <inheritdoc/>
    protected override TimeProvider Time => owner.Time;

    /// <inheritdoc/>
    protected override bool MustPause => owner.IsClientSlow;

    /// <inheritdoc/>
    public void Send(ReadOnlySpan<byte> frames)
    {
        if (Gather(frames))
        {
            owner.MarkDirty(this);
        }
    }

    /// <inheritdoc/>
    protected override bool OnBytes(ReadOnlySpan<byte> bytes, out int consumed, out int needed) => owner.OnLinkBytes(this, bytes, out consumed, out needed);

    /// <inheritdoc/>
    protected override void OnEnd(string why, bool lost) => owner.OnLinkDown(this, why);

    /// <inheritdoc/>
    protected override Task WaitAsync() => owner.WaitForClientAsync();

    /// <inheritdoc/>
    protected override void OnBacklogSent() => owner.OnBacklogSent();
}
