using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;
using ZooNet.Federation.Sessions;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>Frames that wait come out whole and in order, however its buffer moves.</summary>
public sealed class FrameQueueTests
{
    [Fact]
    public void Frames_come_out_as_they_went_in() =>
        Prop.ForAll(ArbMap.Default.ArbFor<short[]>(), steps =>
        {
            var queue = new FrameQueue();
            var model = new Queue<byte[]>();
            foreach (var step in steps)
            {
                // A step is a frame of that length, or one that goes.
                if (step >= 0)
                {
                    var frame = Frame(step, (byte)model.Count);
                    queue.Enqueue(frame);
                    model.Enqueue(frame);
                }
                else if (model.Count > 0)
                {
                    if (!queue.First.SequenceEqual(model.Dequeue()))
                    {
                        return false;
                    }
                    queue.Dequeue();
                }
                if (queue.Length != model.Sum(f => f.Length) || queue.IsEmpty != (model.Count == 0))
                {
                    return false;
                }
            }
            return model.Count == 0 || queue.First.SequenceEqual(model.Peek());
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void What_is_put_in_is_copied()
    {
        var queue = new FrameQueue();
        var frame = Frame(3, 7);
        queue.Enqueue(frame);
        frame[^1]++;
        Assert.Equal(Frame(3, 7), queue.First.ToArray());
    }

    [Fact]
    public void A_steady_stream_takes_no_more_memory_than_what_waits()
    {
        var queue = new FrameQueue();
        var frame = Frame(1000, 1);
        queue.Enqueue(frame);
        queue.Enqueue(frame);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100_000; i++)
        {
            queue.Enqueue(frame);
            queue.Dequeue();
        }
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 * 1024);
        Assert.Equal(2 * frame.Length, queue.Length);
    }

    private static byte[] Frame(int length, byte filling)
    {
        var frame = new byte[4 + length];
        Array.Fill(frame, filling);
        BinaryPrimitives.WriteInt32BigEndian(frame, length);
        return frame;
    }
}
