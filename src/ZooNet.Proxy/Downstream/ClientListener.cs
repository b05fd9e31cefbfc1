using System.Net;
using Microsoft.AspNetCore.Connections;
using ZooNet.Proxy.Hosting;
using ZooNet.Proxy.Transport;

namespace ZooNet.Proxy.Downstream;

/// <summary>Takes clients' connections from Kestrel.</summary>
internal sealed class ClientListener(DataPath path) : ConnectionHandler
{
    /// <inheritdoc/>
    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        var from = (connection.RemoteEndPoint as IPEndPoint)?.Address ?? IPAddress.None;
        if (!path.Admits(from))
        {
            connection.Abort();
            return;
        }
        try
        {
            await ServeAsync(connection);
        }
        finally
        {
            path.Limits.Leave(from);
        }
    }

    private async Task ServeAsync(ConnectionContext connection)
    {
        var client = new ClientConnection(connection.RemoteEndPoint is { } remote ? $"/{remote}" : "/unknown", path);
        if (!path.Add(client))
        {
            connection.Abort();
            return;
        }
        try
        {
            Wire wire = connection is RawConnection raw ? new SocketWire(raw.TakeSocket()) : new PipeWire(connection.Transport, connection.Abort);
            await client.RunAsync(wire);
            await client.Over;
        }
        finally
        {
            path.Remove(client);
        }
    }
}
