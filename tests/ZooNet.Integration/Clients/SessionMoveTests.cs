using System.Buffers.Binary;
using System.Net.Sockets;
using ZooNet.Protocol;

namespace ZooNet.Integration.Clients;

/// <summary>A session that is attached to again at the same proxy.</summary>
[Collection(ClientsCollection.Name)]
public sealed class SessionMoveTests(ClientsFixture regions)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [SkippableFact]
    public async Task Whoever_held_a_session_loses_the_connection_when_another_attaches_as_on_a_server()
    {
        Fixtures.Jars.Require();
        var (holder, session) = await AttachAsync(null);
        // Each attachment may go to another home server, which closes nothing: often enough for that to happen.
        for (var i = 0; i < 8; i++)
        {
            var (next, again) = await AttachAsync(session);
            Assert.Equal(session.SessionId, again.SessionId);
            Assert.Equal(0, await holder.GetStream().ReadAsync(new byte[1]).AsTask().WaitAsync(Limit));
            holder.Dispose();
            holder = next;
        }
        holder.Dispose();
    }

    private async Task<(TcpClient Client, ConnectResponse Session)> AttachAsync(ConnectResponse? session)
    {
        var client = new TcpClient();
        var address = regions.Proxied.Split(':');
        await client.ConnectAsync(address[0], int.Parse(address[1]));
        var writer = new JuteWriter();
        new ConnectRequest(0, 0, 10_000, session?.SessionId ?? 0, session?.Password ?? new byte[16], false).WriteFrame(writer);
        await client.GetStream().WriteAsync(writer.WrittenMemory);
        var prefix = new byte[4];
        await client.GetStream().ReadExactlyAsync(prefix).AsTask().WaitAsync(Limit);
        var payload = new byte[BinaryPrimitives.ReadInt32BigEndian(prefix)];
        await client.GetStream().ReadExactlyAsync(payload).AsTask().WaitAsync(Limit);
        return (client, ConnectResponse.TryRead(payload)!);
    }
}
