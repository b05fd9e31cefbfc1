using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using ZooNet.Protocol;
using ZooNet.Server.Cluster;
using ZooNet.Server.Connections;
using ZooNet.Server.Quorum;
using ZooNet.Tests;

namespace ZooNet.Server.Tests.Quorum;

/// <summary>
/// Leaders whose packets have bytes changed, cut out, doubled or cut off: those of a real one, which a learner is given while it joins and
/// while it follows. It reads them, or gives the leader up for a reason that it can name. ZOONET_FUZZ is the number of mutated packets
/// (2,000 without it), ZOONET_FUZZ_SEED makes them others.
/// </summary>
public sealed class LearnerFuzzTests
{
    private static readonly int Mutated = Number("ZOONET_FUZZ", 2_000);
    private static readonly int Seed = Number("ZOONET_FUZZ_SEED", 1896007972);

    private static readonly List<byte[]> Packets =
    [
        .. File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Quorum", "Golden", "packets.txt"))
            .Select(line => line.Split(' ')).Where(parts => parts[0] == "<" && parts[1] != "snapshot")
            .Select(parts => Convert.FromHexString(parts[2])),
    ];

    [Fact]
    public async Task A_leader_whose_packets_are_mutated_is_followed_or_given_up_for_a_reason()
    {
        var found = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var growth = new Growth(Mutated);
        var (followed, givenUp) = (0, 0);
        var mutated = 0;
        var round = 0;
        for (; mutated < Mutated; round++)
        {
            growth.At(mutated);
            var leader = new Leader(new Random(unchecked(Seed + round)));
            using var observer = new Observer(new EmbeddedServerOptions());
            await using (var learner = new LearnerConnection(leader.Stream, "a leader", observer, TimeSpan.FromMinutes(1)))
            {
                observer.Leader = learner;
                try
                {
                    await learner.HandshakeAsync(200, acceptedEpoch: 0, CancellationToken.None).WaitAsync(TimeSpan.FromMinutes(1));
                    await learner.FollowAsync(CancellationToken.None).WaitAsync(TimeSpan.FromMinutes(1));
                }
                catch (EndOfStreamException)
                {
                    followed++;
                }
                catch (Exception e) when (e is InvalidDataException or LearnerException or DivergenceException)
                {
                    givenUp++;
                }
                catch (Exception e)
                {
                    found.TryAdd(e.StackTrace?.Split('\n')[0].Trim() ?? "", $"round {round}: {e.Message} {e.StackTrace}");
                }
            }
            await leader.Done.WaitAsync(TimeSpan.FromMinutes(1));
            mutated += leader.Mutated;
            lock (observer.Gate)
            {
                // It is whole, whatever came.
                Assert.True(observer.Tree.Count >= 1);
            }
        }
        Assert.True(found.Count == 0, $"seed {Seed}:\n{string.Join('\n', found.Values)}");
        Assert.True(followed > round / 10 && givenUp > round / 10, $"{followed} followed to the end, {givenUp} given up");
        growth.AssertNone();
    }

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var number) ? number : otherwise;

    /// <summary>The leader's end of the connection: it speaks, one packet of five damaged, and closes.</summary>
    private sealed class Leader
    {
        private readonly Random _random;
        private readonly PipeWriter _said;
        public Leader(Random random)
        {
            var (client, server) = DuplexPipe.CreateApart();
            (_random, _said, Stream) = (random, server.Output, new PipeStream(client));
            Say(new QuorumPacket(QuorumPacketType.LeaderInfo, 1L << 32, [0, 1, 0, 0]));
            Say(new QuorumPacket(QuorumPacketType.Diff, 1L << 32));
            SaySome();
            Say(new QuorumPacket(QuorumPacketType.NewLeader, 1L << 32));
            Say(new QuorumPacket(QuorumPacketType.UpToDate, -1));
            Done = ListenAsync(server.Input);
        }

        /// <summary>How many of its packets were damaged.</summary>
        public int Mutated { get; private set; }

        /// <summary>The learner's end.</summary>
        public Stream Stream { get; }

        /// <summary>Ends when the learner has closed its end.</summary>
        public Task Done { get; }

        /// <summary>The learner's own session is its last word of joining: it is made, and a few packets follow.</summary>
        private async Task ListenAsync(PipeReader heard)
        {
            if (Mutated > 0)
            {
                // It may wait for more of what was cut off, and must not wait for ever.
                SaySome();
                await _said.CompleteAsync();
            }
            else
            {
                await _said.FlushAsync();
            }
            var isOver = Mutated > 0;
            while (true)
            {
                var read = await heard.ReadAsync();
                var bytes = read.Buffer.ToArray();
                var used = 0;
                while (QuorumPacket.TryRead(bytes.AsSpan(used), out var packet) is > 0 and var length)
                {
                    used += length;
                    if (packet.Type == QuorumPacketType.Request && packet.Data is { } data && !isOver)
                    {
                        isOver = true;
                        Say(new QuorumPacket(QuorumPacketType.Inform, (1L << 32) + 1, Created(data)));
                        SaySome();
                        await _said.CompleteAsync();
                    }
                }
                heard.AdvanceTo(read.Buffer.GetPosition(used), read.Buffer.End);
                if (read.IsCompleted)
                {
                    await heard.CompleteAsync();
                    if (!isOver)
                    {
                        await _said.CompleteAsync();
                    }
                    return;
                }
            }
        }

        private static byte[] Created(byte[] request)
        {
            var created = new JuteWriter();
            created.WriteRaw(request.AsSpan(0, 8));
            created.WriteInt(0);
            created.WriteLong((1L << 32) + 1);
            created.WriteLong(1000);
            created.WriteInt((int)OpCode.CreateSession);
            created.WriteInt(30_000);
            return created.Written.ToArray();
        }

        private void SaySome()
        {
            for (var left = _random.Next(4); left > 0; left--)
            {
                SayBytes(Packets[_random.Next(Packets.Count)], 2);
            }
        }

        private void Say(in QuorumPacket packet)
        {
            var writer = new JuteWriter();
            packet.Write(writer);
            SayBytes(writer.Written.ToArray(), 20);
        }

        /// <param name="bytes">A packet that is right.</param>
        /// <param name="one">One of how many is damaged.</param>
        private void SayBytes(byte[] bytes, int one)
        {
            var damages = _random.Next(one) == 0;
            Mutated += damages ? 1 : 0;
            _said.Write(damages ? Mutation.Of(bytes, _random) : bytes);
        }
    }
}
