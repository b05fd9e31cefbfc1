using Microsoft.Extensions.DependencyInjection;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Downstream;

namespace ZooNet.Proxy.Tests.Downstream;

/// <summary>A link whose making fails in a way that nobody foresaw.</summary>
public sealed class LinkFailureTests
{
    [Fact]
    public async Task A_link_that_an_internal_error_keeps_from_coming_up_is_lost_and_tried_again()
    {
        await using var regions = await TwoRegions.StartAsync();
        var links = 0;
        var proxy = await regions.StartProxyAsync(services: s => s.AddSingleton(new LateParts(
            _ => Task.FromResult<string?>(null),
            () => Interlocked.Increment(ref links) == 2 ? Task.FromException(new InvalidOperationException("unforeseen"))
                : Task.CompletedTask)));
        var eu = await regions.ConnectAsync(regions.Eu.Address);
        await eu.CreateAsync("/apps");
        Assert.Equal(201, (await proxy.MountAsync("eu:/apps", "/mnt/eu", "relaxed")).Status);
        var client = await regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);

        var failed = await Assert.ThrowsAsync<KeeperException>(() => client.GetDataAsync("/mnt/eu"));

        Assert.Equal(ErrorCode.ConnectionLoss, failed.Code);
        await TwoRegions.Eventually(async () =>
        {
            try
            {
                await client.GetDataAsync("/mnt/eu");
                return true;
            }
            catch (KeeperException e) when (e.Code == ErrorCode.ConnectionLoss)
            {
                return false;
            }
        });
        Assert.Equal(3, links);
    }
}
