using System.Net;
using System.Net.Sockets;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Tests.Upstream;

/// <summary>Addresses behind names, with a resolver that answers as a test says.</summary>
public sealed class HostNamesTests
{
    private static readonly IPAddress First = IPAddress.Parse("192.0.2.1");
    private static readonly IPAddress Second = IPAddress.Parse("192.0.2.2");

    [Fact]
    public async Task A_name_is_resolved_again_at_each_use_and_its_addresses_come_in_a_fixed_order()
    {
        var answers = new Queue<IPAddress[]>([[Second, First], [Second]]);
        var names = new HostNames(TimeProvider.System, _ => Task.FromResult(answers.Dequeue()));

        Assert.Equal([First, Second], await names.ResolveAsync("zk", CancellationToken.None));
        Assert.Equal([Second], await names.ResolveAsync("zk", CancellationToken.None));
    }

    [Fact]
    public async Task While_the_resolver_hangs_the_last_answer_stands_and_a_late_answer_is_used_next()
    {
        var late = new TaskCompletionSource<IPAddress[]>();
        var lookups = new Queue<Task<IPAddress[]>>([Task.FromResult<IPAddress[]>([First]), late.Task]);
        var names = new HostNames(TimeProvider.System, _ => lookups.Count > 0 ? lookups.Dequeue() : late.Task);
        await names.ResolveAsync("zk", CancellationToken.None);

        Assert.Equal([First], await names.ResolveAsync("zk", CancellationToken.None));

        late.SetResult([Second]);
        Assert.Equal([Second], await names.ResolveAsync("zk", CancellationToken.None));
    }

    [Fact]
    public async Task A_resolver_that_fails_takes_nothing_away_and_one_that_knows_no_such_name_does()
    {
        var lookups = new Queue<Func<IPAddress[]>>([() => [First], () => throw new SocketException((int)SocketError.TryAgain), () => throw new SocketException((int)SocketError.HostNotFound)]);
        var names = new HostNames(TimeProvider.System, _ => Task.FromResult(lookups.Dequeue()()));

        Assert.Equal([First], await names.ResolveAsync("zk", CancellationToken.None));
        Assert.Equal([First], await names.ResolveAsync("zk", CancellationToken.None));
        Assert.Empty(await names.ResolveAsync("zk", CancellationToken.None));
    }

    [Fact]
    public async Task A_name_that_the_resolver_can_not_even_be_asked_for_takes_nothing_away()
    {
        var lookups = new Queue<Func<IPAddress[]>>([() => [First], () => throw new ArgumentException("too long")]);
        var names = new HostNames(TimeProvider.System, _ => Task.FromResult(lookups.Dequeue()()));

        Assert.Equal([First], await names.ResolveAsync("zk", CancellationToken.None));
        Assert.Equal([First], await names.ResolveAsync("zk", CancellationToken.None));
    }

    [Fact]
    public async Task An_address_needs_no_resolver()
    {
        var names = new HostNames(TimeProvider.System, _ => throw new InvalidOperationException("asked"));

        Assert.Equal([IPAddress.IPv6Loopback], await names.ResolveAsync("::1", CancellationToken.None));
    }
}
