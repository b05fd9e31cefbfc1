using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;
using ZooNet.Federation.Sessions;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>Replies leave in the order of their requests, however their links are interleaved.</summary>
public sealed class ReplyOrderTests
{
    [Fact]
    public void Whatever_the_interleaving_replies_leave_in_order_and_each_lane_keeps_its_own() =>
        Prop.ForAll(ArbMap.Default.ArbFor<(byte, bool)[]>(), ArbMap.Default.ArbFor<int>(), (requests, seed) =>
            LeavesInOrder(requests, new Random(seed))).QuickCheckThrowOnFailure();

    [Fact]
    public void An_event_passes_what_other_links_queue_and_nothing_of_its_own()
    {
        var order = new ReplyOrder();
        ReplyLane? first = null, second = null;
        order.Take();
        var later = order.Take();
        Assert.False(order.Offer(ref second, later, Frame(2)));
        Assert.True(order.Offer(ref first, ReplyOrder.Unasked, Frame(10)));
        Assert.False(order.Offer(ref second, ReplyOrder.Unasked, Frame(11)));
        Assert.True(order.IsQueueing);
        Assert.True(order.Offer(ref first, 0, Frame(1)));
        Assert.True(order.TryRelease(second, out var frame));
        Assert.Equal(2, NumberOf(frame));
        Assert.True(order.TryRelease(second, out frame));
        Assert.Equal(11, NumberOf(frame));
        Assert.False(order.TryRelease(second, out _));
        Assert.False(order.IsQueueing || order.HasOutstanding);
    }

    [Fact]
    public void What_leaves_at_once_is_kept_nowhere()
    {
        var order = new ReplyOrder();
        ReplyLane? lane = null;
        for (var i = 0; i < 100; i++)
        {
            Assert.True(order.Offer(ref lane, order.Take(), Frame(i)));
        }
        Assert.Null(lane);
    }

    /// <summary>Requests go to three lanes; each answers its own in order, with events in between, and which speaks is chance.</summary>
    private static bool LeavesInOrder((byte Lane, bool Event)[] requests, Random random)
    {
        var order = new ReplyOrder();
        var lanes = new ReplyLane?[3];
        var due = new Queue<(long Place, int Number)>[] { new(), new(), new() };
        var sent = new List<(int Lane, int Number)>[] { [], [], [] };
        var left = new List<int>();
        var number = 0;
        foreach (var (lane, isEvent) in requests)
        {
            due[lane % 3].Enqueue((order.Take(), number++));
            if (isEvent)
            {
                due[lane % 3].Enqueue((ReplyOrder.Unasked, -number));
            }
        }
        while (due.Any(d => d.Count > 0))
        {
            var at = random.Next(3);
            if (!due[at].TryDequeue(out var reply))
            {
                continue;
            }
            sent[at].Add((at, reply.Number));
            if (order.Offer(ref lanes[at], reply.Place, Frame(reply.Number)))
            {
                left.Add(reply.Number);
            }
            for (var progress = true; progress;)
            {
                progress = false;
                foreach (var lane in lanes)
                {
                    while (order.TryRelease(lane, out var frame))
                    {
                        left.Add(NumberOf(frame));
                        progress = true;
                    }
                }
            }
        }
        return !order.IsQueueing && !order.HasOutstanding
            && left.Where(n => n >= 0).SequenceEqual(Enumerable.Range(0, number))
            && sent.All(lane => left.Where(n => lane.Exists(s => s.Number == n)).SequenceEqual(lane.Select(s => s.Number)));
    }

    private static byte[] Frame(int number)
    {
        var frame = new byte[8];
        BinaryPrimitives.WriteInt32BigEndian(frame, 4);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(4), number);
        return frame;
    }

    private static int NumberOf(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadInt32BigEndian(frame[4..]);
}
