using ZooNet.Federation.Freshness;
using ZooNet.Federation.Sessions;
using ZooNet.Proxy.Transport;

namespace ZooNet.Proxy.Downstream;

/// <summary>One connection to an upstream server, for one link of one client. Owned by its <see cref="DownstreamConnection"/>.</summary>
internal sealed class UpstreamConnection : ILinkConnection, IFrameOwner
{
    private readonly DownstreamConnection _owner;
    private readonly FramePeer _peer;

    /// <summary>Makes a connection that is not connected yet.</summary>
    public UpstreamConnection(DownstreamConnection owner, SessionLink link)
    {
        _owner = owner;
        Link = link;
        _peer = new FramePeer(this);
    }

    /// <inheritdoc/>
    public SessionLink Link { get; }

    /// <summary>The server at the other end; null until it is connected.</summary>
    public UpstreamServer? Server { get; private set; }

    /// <summary>Bytes of a reply that is too long that are still to come, and are thrown away.</summary>
    public int ToSkip { get; set; }

    /// <summary>Bytes that the server has not taken.</summary>
    public int Backlog => _peer.Backlog;

    /// <summary>True once it was closed or lost.</summary>
    public bool IsClosed => _peer.IsClosed;

    /// <inheritdoc/>
    public Lock Gate => _owner.Gate;

    /// <inheritdoc/>
    public TimeProvider Time => _owner.Time;

    /// <inheritdoc/>
    public bool MustPause => _owner.IsClientSlow;

    /// <summary>It is connected; called under <see cref="Gate"/>.</summary>
    /// <returns>False where it was closed meanwhile; the wire is closed then.</returns>
    public bool Attach(Wire wire, UpstreamServer server)
    {
        Server = server;
        return _peer.Attach(wire);
    }

    /// <summary>Reads the server's frames until they end.</summary>
    public Task ReadAsync() => _peer.ReadAsync();

    /// <inheritdoc/>
    public void Send(ReadOnlySpan<byte> frames) => _peer.Send(frames);

    /// <inheritdoc/>
    public void Close() => _peer.Close();

    /// <inheritdoc/>
    public bool OnBytes(ReadOnlySpan<byte> bytes, out int consumed, out int needed) => _owner.OnLinkBytes(this, bytes, out consumed, out needed);

    /// <inheritdoc/>
    public void OnEnd(string why, bool lost) => _owner.OnLinkDown(this, why);

    /// <inheritdoc/>
    public Task WaitAsync() => _owner.WaitForClientAsync();

    /// <inheritdoc/>
    public void OnGathered(FramePeer peer) => _owner.OnGathered(peer);

    /// <inheritdoc/>
    public void OnBacklogSent() => _owner.OnBacklogSent();
}
