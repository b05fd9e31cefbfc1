using System.Buffers.Binary;
using System.Globalization;
using ZooNet.Server.Persistence;
using ZooNet.Server.Quorum;
using ZooNet.Tests;
using ZooNet.Tree;

namespace ZooNet.Server.Tests.Quorum;

/// <summary>
/// Snapshots with bytes changed, cut out, doubled or cut off: a leader's, and a file's whose checksum is right. They are read, or refused
/// as what they are; nothing else happens, and no length is believed before its bytes are there. ZOONET_FUZZ is the number of mutated
/// snapshots (3,000 of each kind without it), ZOONET_FUZZ_SEED makes them others.
/// </summary>
public sealed class SnapshotFuzzTests
{
    private static readonly int Rounds = Number("ZOONET_FUZZ", 3_000);
    private static readonly int Seed = Number("ZOONET_FUZZ_SEED", 1896007972);

    [Fact]
    public async Task A_mutated_snapshot_of_a_leader_is_read_or_refused()
    {
        var whole = Snapshots.Of(0x1_0000_0007, ("", []), ("/zookeeper", []), ("/zookeeper/config", [1]), ("/a", [1, 2, 3]),
            ("/a/b", []), ("/c", [4]));
        var begin = QuorumPacket.TryRead(whole, out _);
        await ThrowAsync(whole[begin..], async bytes =>
        {
            await using var stream = new QuorumStream(new MemoryStream(bytes));
            var tree = new DataTree();
            tree.Clear();
            await new SnapshotReader(stream, tree).ReadAsync(CancellationToken.None);
        });
    }

    [Fact]
    public async Task A_mutated_snapshot_on_disk_is_read_or_refused_also_if_its_checksum_is_right()
    {
        var whole = Snapshot.Take(new DataTree()).SelectMany(chunk => chunk).ToArray();
        await ThrowAsync(whole, bytes =>
        {
            // What a file holds; to write ten million files would test the disk.
            var file = new byte[bytes.Length + 4];
            bytes.CopyTo(file, 0);
            BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(bytes.Length), Checksum.Of(bytes));
            Snapshot.Load(file, "the snapshot", new DataTree());
            return Task.CompletedTask;
        });
    }

    private static async Task ThrowAsync(byte[] whole, Func<byte[], Task> read)
    {
        await read(whole);
        var found = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var growth = new Growth(Rounds);
        for (var round = 0; round < Rounds; round++)
        {
            growth.At(round);
            var mutated = Mutation.Of(whole, new Random(unchecked(Seed + round)));
            try
            {
                await read(mutated).WaitAsync(TimeSpan.FromMinutes(1));
            }
            catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
            {
                // Refused.
            }
            catch (Exception e)
            {
                found.TryAdd(e.StackTrace?.Split('\n')[0].Trim() ?? "", $"round {round}: {e.Message} {e.StackTrace}");
            }
        }
        Assert.True(found.Count == 0, $"seed {Seed}:\n{string.Join('\n', found.Values)}");
        growth.AssertNone();
    }

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var number) ? number : otherwise;
}
