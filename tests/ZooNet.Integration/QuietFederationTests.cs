using ZooNet.Client;
using ZooNet.Federation.Interest;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;
using ZooNet.Proxy.Hosting;

namespace ZooNet.Integration;

/// <summary>
/// Two regions that mount each other, and nobody changes anything: then no read costs a barrier, though the positions of both clusters
/// move on with every session and every no-op, and though what is read is not there, may not be read, or has an ACL that has been
/// changed.
/// </summary>
public sealed class QuietFederationTests
{
    private const int Rounds = 40;
    private static readonly Acl[] Nobody = [new(Permissions.Admin, "digest", "nobody:x")];
    private static readonly Acl[] ReadOnly = [new(Permissions.Read | Permissions.Admin, "world", "anyone")];

    [SkippableFact]
    public async Task Nothing_that_is_read_costs_a_barrier_while_nothing_changes()
    {
        Jars.Require();
        var options = new RealEnsembleOptions { RemoteObservers = 1, Wan = new() { Rtt = TimeSpan.FromMilliseconds(20) } };
        var ensembles = await Task.WhenAll(RealEnsemble.StartAsync("us", options), RealEnsemble.StartAsync("eu", options));
        await using var us = ensembles[0];
        await using var eu = ensembles[1];
        await using var proxyUs = await Proxies.StartAsync(us, eu);
        await using var proxyEu = await Proxies.StartAsync(eu, us);
        await using var directUs = await us.ConnectAsync();
        await using var directEu = await eu.ConnectAsync();
        foreach (var direct in new[] { directUs, directEu })
        {
            foreach (var path in new[] { "/shared", "/shared/there", "/shared/there/child", "/shared/changed", "/shared/secret" })
            {
                await direct.CreateAsync(path, "0"u8.ToArray());
            }
            await direct.CreateAsync("/shared/gone");
            await direct.DeleteAsync("/shared/gone");
            await direct.SetAclAsync("/shared/changed", ReadOnly);
            await direct.SetAclAsync("/shared/secret", Nobody);
        }
        await Task.WhenAll(proxyUs.MountAsync("eu:/shared", "/mnt"), proxyEu.MountAsync("us:/shared", "/mnt"));
        await using var ann = await proxyUs.ConnectAsync();
        await using var bob = await proxyEu.ConnectAsync();

        async Task RoundAsync()
        {
            // What moves the clusters on and changes nothing.
            await Task.WhenAll(directUs.QuorumBarrierAsync(), directEu.QuorumBarrierAsync());
            await Task.WhenAll(ReadAllAsync(ann), ReadAllAsync(bob));
        }

        var least = long.MaxValue;
        for (var attempt = 0; attempt < 10 && least > 0; attempt++)
        {
            // On a machine that stalls a proxy may lose touch for a moment, and has fresh barriers made when it is back.
            await Eventually.Async(() => proxyUs.Path.Region.Coupling is Coupling { Kind: CouplingKind.Cycle } && proxyEu.Path.Region.Coupling is Coupling { Kind: CouplingKind.Cycle },
                "both regions know the cycle", TimeSpan.FromSeconds(60));
            await RoundAsync();
            await RoundAsync();
            var before = Barriers(proxyUs) + Barriers(proxyEu);
            for (var i = 0; i < Rounds; i++)
            {
                await RoundAsync();
            }
            least = Math.Min(least, Barriers(proxyUs) + Barriers(proxyEu) - before);
        }
        Assert.Equal(0, least);

        // A change is another matter.
        var quiet = Barriers(proxyUs) + Barriers(proxyEu);
        await ann.CreateAsync("/shared/new");
        await ReadAllAsync(ann);
        Assert.NotEqual(quiet, Barriers(proxyUs) + Barriers(proxyEu));
    }

    private static long Barriers(ProxyHost proxy) => proxy.Path.Region.HomeCounters.BarriersNeeded + proxy.Path.Region.Mounts.At("/mnt")!.Counters.BarriersNeeded;

    /// <summary>Reads of all kinds, at home and in the mount by turns.</summary>
    private static async Task ReadAllAsync(ZooKeeperClient client)
    {
        Func<string, Task>[] kinds =
        [
            at => client.GetDataAsync($"{at}/there"),
            at => client.ExistsAsync($"{at}/never", watch: true),
            at => Refused(ErrorCode.NoNode, client.GetDataAsync($"{at}/gone")),
            at => Refused(ErrorCode.NoNode, client.GetChildrenAsync($"{at}/never/was/there")),
            at => client.GetChildrenAsync($"{at}/there"),
            at => client.GetDataAsync($"{at}/changed"),
            at => client.GetAclAsync($"{at}/changed"),
            at => client.GetAclAsync($"{at}/there"),
            at => Refused(ErrorCode.NoAuth, client.GetDataAsync($"{at}/secret")),
            at => client.MultiReadAsync([MultiOp.GetChildren($"{at}/there"), MultiOp.GetData($"{at}/gone"), MultiOp.GetData($"{at}/changed"), MultiOp.GetData($"{at}/secret")]),
        ];
        foreach (var kind in kinds)
        {
            foreach (var at in new[] { "/shared", "/mnt" })
            {
                while (true)
                {
                    try
                    {
                        await kind(at);
                        break;
                    }
                    catch (KeeperException e) when (e.Code == ErrorCode.ConnectionLoss)
                    {
                        // A barrier took too long on a busy machine; reads may be repeated.
                    }
                }
            }
        }
    }

    private static async Task Refused(ErrorCode expected, Task request)
    {
        try
        {
            await request;
            Assert.Fail($"the request was not refused with {expected}");
        }
        catch (KeeperException e) when (e.Code == expected)
        {
            // As it should be.
        }
    }
}
