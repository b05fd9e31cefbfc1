using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ZooNet.Protocol;
using ZooNet.Tests;

namespace ZooNet.Proxy.Tests.Downstream;

/// <summary>
/// Clients that send frames with bytes changed, cut out, doubled or cut off. Each may lose its connection and nothing else: no exception
/// of ours, no other client notices, nothing is left open. ZOONET_FUZZ is the number of connections (2,000 without it), ZOONET_FUZZ_SEED
/// repeats a run.
/// </summary>
public sealed class FuzzTests
{
    private const int Lanes = 4;

    [Fact]
    public async Task Mutated_frames_cost_their_sender_its_connection_at_most()
    {
        var connections = Number("ZOONET_FUZZ", 2_000);
        var seed = Number("ZOONET_FUZZ_SEED", Random.Shared.Next());
        var errors = new List<string>();
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync(
            services: s => s.AddLogging(l => l.AddProvider(new Errors(errors)).AddFilter("ZooNet", LogLevel.Error)));
        Assert.Equal(201, (await proxy.MountAsync("eu:/apps", "/mnt/eu", "create")).Status);
        var server = proxy.Host.ClientEndPoints[0];
        var good = await regions.ConnectAsync(server);
        var corpus = Corpus();

        var growth = new Growth(connections);
        var warm = connections / 5;
        await AttackAsync(0, warm);
        await AllGoneAsync();
        growth.At(warm);
        await AttackAsync(warm, connections);
        await AllGoneAsync();
        growth.AssertNone();

        lock (errors)
        {
            Assert.True(errors.Count == 0, $"seed {seed}: {errors.FirstOrDefault()}");
        }
        Assert.True((await good.ExistsAsync("/mnt/eu")).Exists);

        Task AttackAsync(int from, int to) => Task.WhenAll(Enumerable.Range(0, Lanes).Select(lane => Task.Run(async () =>
        {
            var random = new Random(seed + from + lane);
            for (var i = from + lane; i < to; i += Lanes)
            {
                await SendAsync(server, corpus, random);
                if (i % 100 == lane)
                {
                    Assert.True((await good.ExistsAsync("/mnt/eu")).Exists, $"seed {seed}, connection {i}");
                }
            }
        })));

        Task AllGoneAsync() => TwoRegions.Eventually(() => Task.FromResult(proxy.Host.Path.ClientCount == 1));
    }

    /// <summary>What runs have found, each sent along with a connect request.</summary>
    [Theory]
    [InlineData("00000001" + "00")]
    [InlineData("00000004" + "00000001")]
    [InlineData("00000007" + "00000001" + "000000")]
    public async Task What_was_found_once_stays_found(string frame)
    {
        var errors = new List<string>();
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync(
            services: s => s.AddLogging(l => l.AddProvider(new Errors(errors)).AddFilter("ZooNet", LogLevel.Error)));
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(proxy.Host.ClientEndPoints[0]);

        await socket.SendAsync(Corpus()[0].Concat(Convert.FromHexString(frame)).ToArray());

        await TwoRegions.Eventually(() => Task.FromResult(proxy.Host.Path.Closed(Federation.Sessions.CloseReason.DownstreamProtocol) == 1));
        Assert.Empty(errors);
    }

    private static async Task SendAsync(IPEndPoint server, List<byte[]> corpus, Random random)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(server);
            // Most begin with a good connect request, so that what follows reaches a session.
            var bytes = new List<byte>(random.Next(8) == 0 ? Mutate(corpus[0], random) : corpus[0]);
            for (var frames = random.Next(1, 6); frames > 0; frames--)
            {
                var frame = corpus[random.Next(1, corpus.Count)];
                bytes.AddRange(random.Next(3) == 0 ? frame : Mutate(frame, random));
            }
            await socket.SendAsync(bytes.ToArray());
            socket.Shutdown(SocketShutdown.Send);
            var buffer = new byte[4096];
            using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
            while (await socket.ReceiveAsync(buffer, limit.Token) > 0)
            {
                // Whatever it says: that it lives is what counts.
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // Closed on us, as it may be, or a frame that was cut off: the end of this test sees that it is closed.
        }
    }

    private static byte[] Mutate(byte[] frame, Random random)
    {
        var bytes = Mutation.Of(frame, random);
        if (random.Next(4) > 0 && bytes.Length >= 4)
        {
            // With a length that fits again, so that it is the body that is wrong.
            BinaryPrimitives.WriteInt32BigEndian(bytes, bytes.Length - 4);
        }
        return bytes;
    }

    private static List<byte[]> Corpus()
    {
        var writer = new JuteWriter();
        new ConnectRequest(0, 0, 6000, 0, new byte[16], false).WriteFrame(writer);
        var corpus = new List<byte[]> { writer.Written.ToArray() };
        foreach (var path in new[] { "/", "/mnt/eu", "/mnt/eu/x", "/mnt", "/fuzz" })
        {
            Add(OpCode.Exists, w => new PathWatchRequest(path, true).Write(w));
            Add(OpCode.GetData, w => new PathWatchRequest(path, true).Write(w));
            Add(OpCode.GetChildren2, w => new PathWatchRequest(path, true).Write(w));
            Add(OpCode.SetData, w => new SetDataRequest(path, [1, 2, 3], -1).Write(w));
            foreach (var op in new[] { OpCode.Sync, OpCode.GetAcl, OpCode.GetEphemerals, OpCode.GetAllChildrenNumber })
            {
                Add(op, w => w.WriteString(path));
            }
            Add(OpCode.Delete, w =>
            {
                w.WriteString(path + "/none");
                w.WriteInt(-1);
            });
            foreach (var op in new[] { OpCode.Create, OpCode.Create2 })
            {
                Add(op, w =>
                {
                    w.WriteString(path.TrimEnd('/') + "/n");
                    w.WriteBuffer([1]);
                    w.WriteInt(1);
                    w.WriteInt(31);
                    w.WriteString("world");
                    w.WriteString("anyone");
                    w.WriteInt(3);
                });
            }
            Add(OpCode.Multi, w =>
            {
                w.WriteInt((int)OpCode.Check);
                w.WriteBool(false);
                w.WriteInt(-1);
                w.WriteString(path);
                w.WriteInt(-1);
                w.WriteInt(-1);
                w.WriteBool(true);
                w.WriteInt(-1);
            });
            Add(OpCode.MultiRead, w =>
            {
                w.WriteInt((int)OpCode.GetData);
                w.WriteBool(false);
                w.WriteInt(-1);
                w.WriteString(path);
                w.WriteBool(false);
                w.WriteInt(-1);
                w.WriteBool(true);
                w.WriteInt(-1);
            });
            Add(OpCode.SetWatches, w =>
            {
                w.WriteLong(0);
                w.WriteStrings([path]);
                w.WriteStrings([]);
                w.WriteStrings([path]);
            });
            Add(OpCode.AddWatch, w =>
            {
                w.WriteString(path);
                w.WriteInt(1);
            });
        }
        Add(OpCode.Ping, _ => { });
        Add(OpCode.CloseSession, _ => { });
        Add(OpCode.Auth, w =>
        {
            w.WriteInt(0);
            w.WriteString("digest");
            w.WriteBuffer("a:b"u8.ToArray());
        });
        return corpus;

        void Add(OpCode op, Action<JuteWriter> body)
        {
            writer.Clear();
            var mark = writer.BeginFrame();
            new RequestHeader(op == OpCode.Ping ? -2 : op == OpCode.Auth ? -4 : corpus.Count, op).Write(writer);
            body(writer);
            writer.EndFrame(mark);
            corpus.Add(writer.Written.ToArray());
        }
    }

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var number) ? number : otherwise;

    private sealed class Errors(List<string> errors) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel >= LogLevel.Error)
            {
                lock (errors)
                {
                    errors.Add($"{formatter(state, exception)} {exception}");
                }
            }
        }

        public void Dispose()
        {
        }
    }
}
