using System.IO.Pipelines;
using System.Net;
using ZooNet.Protocol;
using ZooNet.Server;
using ZooNet.Server.Quorum;

namespace ZooNet.Proxy.Upstream;

/// <summary>
/// The proxy's own observer of one cluster: it joins the ensemble through its quorum ports, holds its znodes in memory, and is one
/// more server of the cluster, in this process. Thread-safe.
/// </summary>
/// <remarks>
/// While it does not follow a leader it turns clients away, as a ZooKeeper observer does, so links go to the configured servers meanwhile.
/// </remarks>
public sealed class EmbeddedObserver : IOwnServer
{
    private readonly LearningServer _server;
    private readonly Func<string, CancellationToken, Task> _look;
    private readonly TimeProvider _time;
    private bool _hasFollowed = true;
    private long _lostAt;

    internal EmbeddedObserver(LearningServer server, string name, Func<string, CancellationToken, Task> look, TimeProvider time)
    {
        _server = server;
        _look = look;
        _time = time;
        _lostAt = time.GetTimestamp();
        EndPoint = new OwnEndPoint(name);
        server.Changed += OnChanged;
    }

    /// <inheritdoc/>
    public IPEndPoint EndPoint { get; }

    /// <inheritdoc/>
    public IDuplexPipe Connect(ForwardedClient client) => _server.Connect(client);

    /// <inheritdoc/>
    public Stream Open() => _server.Open();

    /// <inheritdoc/>
    public string What => "the proxy's own observer";

    /// <inheritdoc/>
    public string Name => EndPoint.ToString();

    /// <summary>What it should keep.</summary>
    internal IReadOnlyCollection<string> Wanted { get; set => Volatile.Write(ref field, value); } = [];

    /// <summary>
    /// Whether it serves and keeps all that is mounted of its cluster. Until then links go to other servers, if there are any.
    /// </summary>
    public bool IsReady => IsServing && Wanted.All(Keeps);

    /// <summary>
    /// Whether it does not serve, and has been started, or has lost its leader, so short a time ago that it may be waited for.
    /// </summary>
    /// <param name="patience">How long it may take.</param>
    public bool IsAboutToServe(TimeSpan patience) => !IsReady && _time.GetElapsedTime(Volatile.Read(ref _lostAt)) < patience;

    /// <summary>Whether it keeps a znode, with all below it.</summary>
    public bool Keeps(string path) => _server.Roots is not { } roots || roots.Any(root => ZnodePath.IsAtOrUnder(path, root));

    /// <summary>Waits until it keeps a znode that may be mounted, as long as it serves at all; it is kept for a minute at least.</summary>
    public Task LookAtAsync(string path, CancellationToken cancellationToken) => _look(path, cancellationToken);

    /// <summary>Whether it follows a leader, and so serves.</summary>
    public bool IsServing => _server.IsServing;

    /// <summary>Where it stands, in one word.</summary>
    public string State => _server.State.ToString().ToLowerInvariant();

    /// <summary>The leader's quorum address; null while there is none.</summary>
    public string? Leader => _server.Leader;

    /// <summary>Why it does not follow, in a sentence; null while it does.</summary>
    public string? Problem => _server.Problem;

    /// <summary>How often it was not what its leader was, and took its state anew.</summary>
    public int Divergences => _server.Divergences;

    /// <summary>The last of these, in a sentence; null for none.</summary>
    public string? Divergence => _server.Divergence;

    /// <summary>How often it took the whole state since it was started.</summary>
    public int Snapshots => _server.Snapshots;

    /// <summary>The newest transaction that it has applied.</summary>
    public long Zxid => _server.LastZxid;

    /// <summary>How many znodes it holds, and the bytes of their paths and data.</summary>
    public (int Count, long Bytes) Znodes => _server.Znodes;

    /// <summary>Answers a four-letter word as an observer does: of what it holds, and of the sessions and watches that are here.</summary>
    /// <param name="word">One that ZooKeeper knows.</param>
    public string Answer(string word) => _server.Answer(word);

    /// <summary>On the learner's own thread.</summary>
    private void OnChanged(LearnerState state)
    {
        if (state == LearnerState.Looking && _hasFollowed)
        {
            _hasFollowed = false;
            Volatile.Write(ref _lostAt, _time.GetTimestamp());
        }
        _hasFollowed |= state == LearnerState.Following;
    }
}
