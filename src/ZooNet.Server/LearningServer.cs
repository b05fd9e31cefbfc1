using System.IO.Pipelines;
using System.Net;
using ZooNet.Server.Cluster;
using ZooNet.Server.Connections;
using ZooNet.Server.Quorum;

namespace ZooNet.Server;

/// <summary>
/// An observer of a real ZooKeeper ensemble, without a ZooKeeper: it joins the ensemble as an observer does, holds its znodes in memory
/// and serves clients. While it has not caught up with a leader it turns clients away. All members are safe for any thread.
/// </summary>
public sealed class LearningServer : IAsyncDisposable
{
    private readonly Observer _observer;
    private readonly Learner _learner;
    private readonly ServerListener _listener;
    private int _isDisposed;

    private LearningServer(Observer observer, Learner learner, ServerListener listener)
    {
        _observer = observer;
        _learner = learner;
        _listener = listener;
    }

    /// <summary>Where it listens.</summary>
    /// <exception cref="InvalidOperationException">It listens nowhere (<see cref="LearnerOptions.Listens"/>).</exception>
    public IPEndPoint Address => _listener.Address;

    /// <summary>Where it stands with the ensemble.</summary>
    public LearnerState State => _learner.State;

    /// <summary>Whether it serves clients: it has caught up with a leader and follows it.</summary>
    public bool IsServing
    {
        get
        {
            lock (_observer.Gate)
            {
                return _observer.IsServing;
            }
        }
    }

    /// <summary>The leader's quorum address; null while there is none.</summary>
    public string? Leader => _learner.Address;

    /// <summary>Why it does not follow a leader, in a sentence; null while it does, or before the first attempt has ended.</summary>
    public string? Problem => _learner.Problem;

    /// <summary>After how many transactions the replica was compared with the leader's: none where the leader sends no digests.</summary>
    public long DigestsCompared
    {
        get
        {
            lock (_observer.Gate)
            {
                return _observer.DigestsCompared;
            }
        }
    }

    /// <summary>
    /// How often the replica was not what its leader was, by the digests of ZooKeeper 3.6 and later. It is thrown away then, and taken
    /// anew.
    /// </summary>
    public int Divergences => _learner.Divergences;

    /// <summary>
    /// How often it took the whole state since it was started: where it goes on from a state on disk, or reconnects, a leader as a rule
    /// sends only what is missing.
    /// </summary>
    public int Snapshots => _learner.Snapshots;

    /// <summary>The last of these, in a sentence; null for none.</summary>
    public string? Divergence => _learner.Divergence;

    /// <summary>Raised whenever <see cref="State"/> has changed. Handlers must not wait.</summary>
    public event Action<LearnerState>? Changed
    {
        add => _learner.Changed += value;
        remove => _learner.Changed -= value;
    }

    /// <summary>
    /// Raised before it serves again if it is behind what it had shown before: the ensemble has lost that, and this is another server
    /// from now on. Handlers must not wait.
    /// </summary>
    public event Action? WentBack
    {
        add => _learner.WentBack += value;
        remove => _learner.WentBack -= value;
    }

    /// <summary>The zxid of the last transaction that it has applied.</summary>
    public long LastZxid
    {
        get
        {
            lock (_observer.Gate)
            {
                return _observer.Tree.LastZxid;
            }
        }
    }

    /// <summary>How many znodes it holds, and the bytes of their paths and data.</summary>
    public (int Count, long Bytes) Znodes
    {
        get
        {
            lock (_observer.Gate)
            {
                return (_observer.Tree.Count, _observer.Tree.ApproximateDataSize);
            }
        }
    }

    /// <summary>The znodes that it keeps, with all below them; null for everything.</summary>
    public IReadOnlyList<string>? Roots
    {
        get
        {
            lock (_observer.Gate)
            {
                return _observer.Tree.Roots?.Paths;
            }
        }
    }

    /// <summary>
    /// Keeps other parts of the cluster from now on, and completes when it does. For what is not kept yet the state is taken once more,
    /// beside the one that goes on being served; what is no longer wanted is forgotten.
    /// </summary>
    /// <param name="paths">As <see cref="LearnerOptions.Roots"/>.</param>
    /// <param name="cancellationToken">Gives up; what was kept is kept.</param>
    public Task KeepAsync(IReadOnlyCollection<string>? paths, CancellationToken cancellationToken = default) =>
        _learner.KeepAsync(paths?.Contains("/") == true ? null : paths, cancellationToken);

    /// <summary>Starts it. It serves clients as soon as it has caught up.</summary>
    /// <param name="options">How it serves: address, tick, timeouts.</param>
    /// <param name="quorum">Whom it follows.</param>
    /// <param name="cancel">Gives up listening.</param>
    /// <exception cref="IOException">The address can't be listened on, or the folder for the state not be used.</exception>
    public static async Task<LearningServer> StartAsync(EmbeddedServerOptions options, LearnerOptions quorum, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(quorum);
        var observer = new Observer(options with { ServerId = quorum.ServerId }) { Omissions = quorum.Omissions };
        Learner learner;
        try
        {
            learner = new Learner(observer, quorum);
        }
        catch
        {
            observer.Dispose();
            throw;
        }
        try
        {
            var listener = quorum.Listens ? await ServerListener.StartAsync(observer, cancel).ConfigureAwait(false)
                : ServerListener.InProcess(observer);
            learner.Start();
            return new LearningServer(observer, learner, listener);
        }
        catch
        {
            await learner.DisposeAsync().ConfigureAwait(false);
            observer.Dispose();
            throw;
        }
    }

    /// <summary>
    /// A client's connection from within this process, without a socket. What is written is executed on the writer's thread, up to
    /// whatever has to wait for the leader, and the answers are there when the flush returns. Ending the output ends the connection.
    /// </summary>
    /// <param name="client">Who the client is, as far as the cluster is to know.</param>
    public IDuplexPipe Connect(ForwardedClient client = default) => _listener.Connect(client);

    /// <summary>
    /// A client's connection from within this process, to be used as the stream of a socket: both sides run on threads of their own.
    /// Disposing it ends the connection.
    /// </summary>
    public Stream Open() => _listener.Open();

    /// <summary>Answers a four-letter word, as if it had come to where it listens.</summary>
    /// <param name="word">One that ZooKeeper knows.</param>
    public string Answer(string word)
    {
        lock (_observer.Gate)
        {
            return _observer.Answer(word);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
        {
            return;
        }
        await _learner.DisposeAsync().ConfigureAwait(false);
        _observer.Dispose();
        await _listener.DisposeAsync().ConfigureAwait(false);
    }
}
