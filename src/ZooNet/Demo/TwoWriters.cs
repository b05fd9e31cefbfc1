using System.Globalization;
using System.Text;
using ZooNet.Client;

namespace ZooNet.Demo;

/// <summary>
/// The classic experiment. A client in each region writes a znode of its own cluster, then reads the one that the other writes. In
/// any single order of these four operations one of the two reads comes last and must return the new value; if both return the old
/// one, there is no such order.
/// </summary>
internal sealed class TwoWriters(DemoRegion us, DemoRegion eu, DemoOptions options)
{
    private int _round;

    /// <summary>Makes the znodes, in each region's own cluster.</summary>
    public async Task PrepareAsync(ZooKeeperClient usClient, ZooKeeperClient euClient)
    {
        for (var pair = 0; pair < options.Pairs; pair++)
        {
            await usClient.CreateAsync($"/apps/x{pair}", "0"u8.ToArray());
            await euClient.CreateAsync($"/apps/y{pair}", "0"u8.ToArray());
        }
    }

    /// <summary>Plays all rounds through the proxies that run now.</summary>
    public async Task<TwoWritersResult> RunAsync(CancellationToken cancellationToken)
    {
        var first = _round + 1;
        _round += options.Rounds;
        var pairs = Enumerable.Range(0, options.Pairs).Select(pair => PlayAsync(pair, first, cancellationToken)).ToArray();
        var bothOld = await Task.WhenAll(pairs);
        return new TwoWritersResult(options.Rounds * options.Pairs, bothOld.Sum());
    }

    private async Task<int> PlayAsync(int pair, int first, CancellationToken cancellationToken)
    {
        await using var alice = await us.ConnectAsync(cancellationToken);
        await using var bob = await eu.ConnectAsync(cancellationToken);
        var random = new Random(options.Seed * 1000 + pair);
        var bothOld = 0;
        for (var round = first; round < first + options.Rounds; round++)
        {
            // The two act within half a round trip of each other: nobody can know then who was first.
            var lead = options.Rtt / 2 * random.NextDouble();
            var aliceLeads = random.Next(2) == 0;
            var reads = await Task.WhenAll(
                StepAsync(alice, $"/apps/x{pair}", $"{eu.MountPoint}/y{pair}", round, aliceLeads ? TimeSpan.Zero : lead, cancellationToken),
                StepAsync(bob, $"/apps/y{pair}", $"{us.MountPoint}/x{pair}", round, aliceLeads ? lead : TimeSpan.Zero, cancellationToken));
            if (reads[0] < round && reads[1] < round)
            {
                bothOld++;
            }
        }
        return bothOld;
    }

    private static async Task<int> StepAsync(ZooKeeperClient client, string own, string others, int round, TimeSpan wait, CancellationToken cancellationToken)
    {
        await Task.Delay(wait, cancellationToken);
        await client.SetDataAsync(own, Encoding.ASCII.GetBytes(round.ToString(CultureInfo.InvariantCulture)), cancellationToken: cancellationToken);
        var read = await client.GetDataAsync(others, cancellationToken: cancellationToken);
        return int.Parse(Encoding.ASCII.GetString(read.Data!), CultureInfo.InvariantCulture);
    }
}

/// <summary>How often both clients read the old value.</summary>
/// <param name="Rounds">Rounds played.</param>
/// <param name="BothOld">Rounds in which both did: violations of sequential consistency.</param>
internal readonly record struct TwoWritersResult(int Rounds, int BothOld);
