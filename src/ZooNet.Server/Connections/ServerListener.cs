using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ZooNet.Server.Connections;

/// <summary>Accepts connections for one replica, on Kestrel's socket transport.</summary>
internal sealed class ServerListener : IAsyncDisposable
{
    private readonly IConnectionListener _listener;
    private readonly Replica _replica;
    private readonly ILogger _logger;
    private readonly Task _accepting;

    private ServerListener(IConnectionListener listener, Replica replica)
    {
        _listener = listener;
        _replica = replica;
        _logger = replica.Options.Logging.CreateLogger<ServerListener>();
        Address = (IPEndPoint)listener.EndPoint;
        replica.ListensAt(Address);
        _accepting = AcceptAsync();
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint Address { get; }

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
        await _listener.UnbindAsync().ConfigureAwait(false);
        await _accepting.ConfigureAwait(false);
        _replica.CloseConnections();
        await _listener.DisposeAsync().ConfigureAwait(false);
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            ConnectionContext? context;
            try
            {
                context = await _listener.AcceptAsync().ConfigureAwait(false);
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

    /// <summary>Serves a connection until it ends.</summary>
    public async Task ServeAsync(ConnectionContext context)
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
