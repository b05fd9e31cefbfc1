using System.Globalization;
using System.Threading.Channels;
using ZooNet.Federation.Freshness;

namespace ZooNet.Federation.Tests.Freshness;

/// <summary>
/// What sessions share, used by many threads at once: they learn, join barriers and write, while the transport answers in any order and
/// servers are forgotten. Each waiter is told once, and never that a barrier is good that does not cover what it had learned.
/// ZOONET_RACES is the number of joins of each session (20,000 without it).
/// </summary>
public sealed class ConcurrentSessionsTests : IBarrierTransport
{
    private const int Sessions = 6;
    private const int Answering = 2;

    private static readonly int Joins =
        int.TryParse(Environment.GetEnvironmentVariable("ZOONET_RACES"), CultureInfo.InvariantCulture, out var number) ? number : 20_000;

    private readonly Region _region = new(["A", "B"], ConsistencyMode.Ordered);
    private readonly Channel<(UpstreamServer Server, BarrierTicket Ticket)> _sent =
        Channel.CreateUnbounded<(UpstreamServer, BarrierTicket)>();
    private readonly UpstreamServer[] _servers;
    private long _clock;

    public ConcurrentSessionsTests() => _servers = [new UpstreamServer(_region, 1, "b1", this), new UpstreamServer(_region, 1, "b2", this)];

    void IBarrierTransport.Send(UpstreamServer server, BarrierTicket ticket) => _sent.Writer.TryWrite((server, ticket));

    [Fact]
    public async Task Whoever_waits_is_told_once_and_never_of_a_barrier_that_covers_less_than_it_had_learned()
    {
        using var done = new CancellationTokenSource();
        var answering = Enumerable.Range(0, Answering).Select(i => Task.Run(() => AnswerAsync(new Random(i), done.Token))).ToArray();
        var waiters = await Task.WhenAll(Enumerable.Range(0, Sessions).Select(i => Task.Run(() => RunAsync(new Random(100 + i)))))
            .WaitAsync(TimeSpan.FromMinutes(5));
        await done.CancelAsync();
        await Task.WhenAll(answering);

        var all = waiters.SelectMany(w => w).ToList();
        Assert.Equal(Sessions * Joins, all.Count);
        Assert.All(all, w => Assert.True(w.Told == 1, $"told {w.Told} times"));
        Assert.All(all, w => Assert.True(w.Missed == 0, $"had learned {w.Learned}, told of a barrier that knew {w.Missed}"));
        // Both ways were taken, often.
        Assert.InRange(all.Count(w => w.Succeeded), all.Count / 2, all.Count - 1);
        Assert.All(_servers, s => Assert.InRange(s.Covered(0), 1, _region.Positions.Known(0)));
    }

    private async Task<List<Waiter>> RunAsync(Random random)
    {
        var frontier = new Frontier(_region);
        var mine = new List<Waiter>(Joins);
        for (var i = 0; i < Joins; i++)
        {
            var zxid = Interlocked.Increment(ref _clock);
            _region.Positions.Learn(0, zxid);
            frontier.Learned(0, zxid);
            var server = _servers[random.Next(_servers.Length)];
            var waiter = new Waiter(zxid);
            mine.Add(waiter);
            server.Join(waiter, random.Next(8) == 0 ? null : frontier, out _);
            if (random.Next(4) == 0 && server.BeginWrite() is { } write)
            {
                server.EndWrite(write, random.Next(4) > 0);
            }
            if (random.Next(500) == 0)
            {
                server.Forget();
            }
            // A session goes on when its read is answered; some do not wait.
            if (random.Next(3) > 0)
            {
                await waiter.Done;
            }
        }
        await Task.WhenAll(mine.Select(w => w.Done));
        return mine;
    }

    private async Task AnswerAsync(Random random, CancellationToken cancellationToken)
    {
        var underWay = new List<(UpstreamServer Server, BarrierTicket Ticket)>();
        while (!cancellationToken.IsCancellationRequested)
        {
            if (underWay.Count == 0)
            {
                Task more = _sent.Reader.WaitToReadAsync(cancellationToken).AsTask();
                await more.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            while (underWay.Count < 20 && _sent.Reader.TryRead(out var sent))
            {
                underWay.Add(sent);
                if (random.Next(2) == 0)
                {
                    sent.Server.NextMayBegin(sent.Ticket);
                }
            }
            if (underWay.Count > 0)
            {
                var chosen = random.Next(underWay.Count);
                var (server, ticket) = underWay[chosen];
                underWay.RemoveAt(chosen);
                server.BarrierDone(ticket, random.Next(10) > 0);
            }
        }
    }

    private sealed class Waiter(long learned) : IBarrierWaiter
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _told;

        public long Learned => learned;
        public Task Done => _done.Task;
        public int Told => Volatile.Read(ref _told);
        public bool Succeeded { get; private set; }

        /// <summary>What a barrier knew that is good and is none; 0 for nothing.</summary>
        public long Missed { get; private set; }

        public void BarrierDone(UpstreamServer server, BarrierTicket ticket, bool succeeded)
        {
            Interlocked.Increment(ref _told);
            Succeeded = succeeded;
            if (succeeded && ticket.Known[0] < learned)
            {
                Missed = ticket.Known[0];
            }
            _done.TrySetResult();
        }
    }
}
