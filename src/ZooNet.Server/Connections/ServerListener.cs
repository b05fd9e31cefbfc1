using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ZooNet.Server.Connections;

/// <summary>
/// Takes connections for one replica: from this process, and on Kestrel's socket transport where it listens at all.
/// </summary>
internal sealed class ServerListener : IAsyncDisposable
{
    private readonly IConnectionListener? _listener;
    private readonly Replica _replica;
    private readonly ILogger _logger;
    private readonly Task _accepting;

    private ServerListener(IConnectionListener? listener, Replica replica)
    {
        _listener = listener;
        _replica = replica;
        _logger = replica.Options.Logging.CreateLogger<ServerListener>();
        if (listener is null)
        {
            _accepting = Task.CompletedTask;
            return;
        }
        replica.ListensAt(Address);
        _accepting = AcceptAsync(listener);
    }

    /// <summary>Where it listens.</summary>
    /// <exception cref="InvalidOperationException">It listens nowhere.</exception>
    public IPEndPoint Address => (IPEndPoint?)_listener?.EndPoint ?? throw new InvalidOperationException("it listens nowhere");

    /// <summary>Listens nowhere: connections come from this process alone.</summary>
    public static ServerListener InProcess(Replica replica) => new(null, replica);

    /// <summary>Listens.</summary>
    /// <exception cref="IOException">The address can't be listened on; the message says which and why.</exception>
    public static async Task<ServerListener> StartAsync(Replica replica, CancellationToken cancel)
    {
        var options = replica.Options;
        var transport = new SocketTransportFactory(
            // Requests are executed in microseconds: a hop to another thread for each batch costs more than it frees.
            Options.Create(new SocketTransportOptions { UnsafePreferInlineScheduling = true, MaxReadBufferSize = 4 << 20, Backlog = 1024 }),
            options.Logging);
        try
        {
            return new ServerListener(await transport.BindAsync(options.Listen, cancel).ConfigureAwait(false), replica);
        }
        catch (AddressInUseException e)
        {
            throw new IOException($"{options.Listen} is in use by another process or server.", e);
        }
        catch (System.Net.Sockets.SocketException e)
        {
            throw new IOException($"{options.Listen} can't be listened on: {e.Message}", e);
        }
    }

    /// <summary>Stops accepting and ends the connections.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_listener is not null)
        {
            await _listener.UnbindAsync().ConfigureAwait(false);
        }
        await _accepting.ConfigureAwait(false);
        _replica.CloseConnections();
        if (_listener is not null)
        {
            await _listener.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>
    /// A connection of a proxy's client from within this process. What is written is executed on the writer's thread. Of what the replica
    /// does not keep it is told nothing: it is closed.
    /// </summary>
    /// <param name="client">Who the client is.</param>
    public IDuplexPipe Connect(ForwardedClient client = default)
    {
        var pipes = DuplexPipe.Create();
        var context = new DefaultConnectionContext("a link", pipes.Server, pipes.Client);
        if (client != default)
        {
            context.Items[ServerConnection.ClientKey] = client;
        }
        _ = ServeAsync(context);
        return pipes.Client;
    }

    /// <summary>A connection from within this process that is used as one by a socket.</summary>
    public Stream Open()
    {
        var pipes = DuplexPipe.CreateApart();
        _ = ServeAsync(new DefaultConnectionContext("in process", pipes.Server, pipes.Client) { RemoteEndPoint = new IPEndPoint(IPAddress.Loopback, 0) });
        return new PipeStream(pipes.Client);
    }

    private async Task AcceptAsync(IConnectionListener listener)
    {
        while (true)
        {
            ConnectionContext? context;
            try
            {
                context = await listener.AcceptAsync().ConfigureAwait(false);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                LogMessages.AcceptFailed(_logger, Address, e);
                continue;
            }
            if (context is null)
            {
                return;
            }
            _ = ServeAsync(context);
        }
    }

    private async Task ServeAsync(ConnectionContext context)
    {
        try
        {
            await _replica.ServeAsync(context).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // A defect of ours must cost one connection, not the server.
            LogMessages.ConnectionFailed(_logger, context.RemoteEndPoint, e);
            await context.DisposeAsync().ConfigureAwait(false);
        }
    }
}
