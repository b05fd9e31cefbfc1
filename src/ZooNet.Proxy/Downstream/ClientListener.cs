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
        var address = connection.RemoteEndPoint is { } remote ? $"/{remote}" : "/unknown";
        var client = new ClientConnection(address, path);
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
