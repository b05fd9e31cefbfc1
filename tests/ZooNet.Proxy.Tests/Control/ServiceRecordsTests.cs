using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Server;

namespace ZooNet.Proxy.Tests.Control;

public sealed class ServiceRecordsTests : IAsyncLifetime
{
    private const string Name = "_zookeeper._tcp.eu.example";

    private TwoRegions _regions = null!;
    private NameServer _names = null!;

    public async Task InitializeAsync() => (_regions, _names) = (await TwoRegions.StartAsync(), new NameServer());

    public async Task DisposeAsync()
    {
        await _regions.DisposeAsync();
        await _names.DisposeAsync();
    }

    [Fact]
    public async Task A_cluster_is_found_by_its_service_records_and_found_again_when_they_change()
    {
        _names.Answer = [(20, 0, 9), (10, 0, _regions.Eu.Address.Port)];
        var proxy = await _regions.StartProxyAsync(c => c with
        {
            Dns = new HostPort("127.0.0.1", _names.Port),
            Remotes = [new ClusterConfig("eu", 1, [], []) { Srv = Name }],
        });
        var addresses = proxy.Host.Services.GetRequiredService<ClusterControls>()[1].Addresses;
        Assert.Equal([new HostPort("localhost", _regions.Eu.Address.Port), new HostPort("localhost", 9)], addresses.Servers);
        Assert.Equal(Name, _names.Asked);
        Assert.Equal(201, (await proxy.MountAsync("eu:/", "/mnt")).Status);

        await using var other = await EmbeddedServer.StartAsync(new());
        _names.Answer = [(10, 0, other.Address.Port)];

        await TwoRegions.Eventually(() => Task.FromResult(addresses.Servers is [{ Port: var port }] && port == other.Address.Port));
        Assert.Equal($"SRV {Name}", addresses.Source);
    }

    [Fact]
    public async Task An_answer_that_can_not_be_had_leaves_the_last_one_in_force()
    {
        _names.Answer = [(10, 0, _regions.Eu.Address.Port)];
        var proxy = await _regions.StartProxyAsync(c => c with
        {
            Dns = new HostPort("127.0.0.1", _names.Port),
            Remotes = [new ClusterConfig("eu", 1, [], []) { Srv = Name }],
        });
        var before = _names.Questions;
        _names.Answer = [];

        await TwoRegions.Eventually(() => Task.FromResult(_names.Questions > before + 2));
        Assert.Equal([new HostPort("localhost", _regions.Eu.Address.Port)],
            proxy.Host.Services.GetRequiredService<ClusterControls>()[1].Addresses.Servers);
    }

    /// <summary>Answers every question with service records that live for a second; with "no such name" if it has none.</summary>
    private sealed class NameServer : IAsyncDisposable
    {
        private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _run;

        public NameServer()
        {
            _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            _run = RunAsync();
        }

        public int Port => ((IPEndPoint)_socket.LocalEndPoint!).Port;

        public IReadOnlyList<(int Priority, int Weight, int Port)> Answer { get; set => Volatile.Write(ref field, value); } = [];

        public string? Asked { get; private set => Volatile.Write(ref field, value); }

        public int Questions { get; private set => Volatile.Write(ref field, value); }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            _socket.Dispose();
            await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _stop.Dispose();
        }

        private async Task RunAsync()
        {
            var buffer = new byte[1024];
            while (true)
            {
                var received = await _socket.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0), _stop.Token);
                Questions++;
                await _socket.SendToAsync(Reply(buffer.AsSpan(0, received.ReceivedBytes)), received.RemoteEndPoint, _stop.Token);
            }
        }

        private byte[] Reply(ReadOnlySpan<byte> question)
        {
            var end = 12;
            var labels = new List<string>();
            while (question[end] != 0)
            {
                labels.Add(Encoding.ASCII.GetString(question.Slice(end + 1, question[end])));
                end += question[end] + 1;
            }
            Asked = string.Join('.', labels);
            end += 5;
            var records = Answer;
            var reply = new List<byte>(question[..end].ToArray());
            reply[2] = 0x84;
            reply[3] = (byte)(records.Count == 0 ? 3 : 0);
            reply[7] = (byte)records.Count;
            (reply[8], reply[9], reply[10], reply[11]) = (0, 0, 0, 0);
            foreach (var (priority, weight, port) in records)
            {
                // The name is the one at byte 12; SRV, IN; one second.
                reply.AddRange([0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 1, 0, 17]);
                foreach (var number in (int[])[priority, weight, port])
                {
                    var two = new byte[2];
                    BinaryPrimitives.WriteUInt16BigEndian(two, (ushort)number);
                    reply.AddRange(two);
                }
                reply.AddRange([9, .. "localhost"u8, 0]);
            }
            return [.. reply];
        }
    }
}
