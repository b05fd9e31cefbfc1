using System.Net;
using ZooNet.Server.Connections;

namespace ZooNet.Server;

/// <summary>
/// A ZooKeeper-compatible server in this process: data tree, sessions, watches, ACLs, all operations of the client protocol, as
/// ZooKeeper 3.8 answers them. Several may run in one process. All members are safe for any thread.
/// </summary>
public sealed class EmbeddedServer : IAsyncDisposable
{
    private readonly Leader _leader;
    private readonly ServerListener _listener;

    private EmbeddedServer(Leader leader, ServerListener listener)
    {
        _leader = leader;
        _listener = listener;
    }

    /// <summary>Where it listens, with the port that was taken.</summary>
    public IPEndPoint Address => _listener.Address;

    /// <summary>The zxid of the last write.</summary>
    public long LastZxid
    {
        get
        {
            lock (_leader.Gate)
            {
                return _leader.Tree.LastZxid;
            }
        }
    }

    /// <summary>Starts a server.</summary>
    /// <exception cref="IOException">The address can't be listened on, or the data directory can't be used.</exception>
    /// <exception cref="InvalidDataException">The data directory is damaged otherwise than by a torn last write; the message says
    /// where.</exception>
    public static async Task<EmbeddedServer> StartAsync(EmbeddedServerOptions? options = null, CancellationToken cancel = default)
    {
        var leader = new Leader(options ?? new EmbeddedServerOptions());
        try
        {
            return new EmbeddedServer(leader, await ServerListener.StartAsync(leader, cancel).ConfigureAwait(false));
        }
        catch
        {
            leader.Dispose();
            throw;
        }
    }

    /// <summary>Completes with the error when the server can't go on, as when its disk is full. It serves nobody then.</summary>
    public Task<Exception> Failure => _leader.Failure;

    /// <summary>Ends every client's connection, as a network that fails does; sessions live on.</summary>
    public void CloseConnections() => _leader.CloseConnections();

    /// <summary>Stops the server. What was only in memory is gone.</summary>
    public async ValueTask DisposeAsync()
    {
        await _listener.DisposeAsync().ConfigureAwait(false);
        _leader.Dispose();
    }
}
