using ZooNet.Proxy.Transport;

namespace ZooNet.Proxy.Tests.Transport;

/// <summary>One end that speaks frames: what it does around a pause, and when an answer comes while it sends.</summary>
public sealed class FramePeerTests
{
    [Fact]
    public async Task Bytes_that_had_to_wait_are_offered_again_though_the_pause_is_over_and_nothing_new_comes()
    {
        var wire = new ScriptedWire([1, 2]);
        // Stops after the first byte, and the pause ends before anybody looks.
        var peer = new Peer(bytes => (1, bytes.Length > 1 ? FramePeer.FramesLeft : 0));
        peer.Attach(wire);

        await peer.ReadAsync();

        Assert.Equal([2, 1], peer.Offered);
    }

    [Fact]
    public async Task A_frame_larger_than_the_buffer_may_begin_in_a_pause()
    {
        const int Frame = 100_000;
        var chunks = Enumerable.Repeat(new byte[40_000], 3).ToArray();
        var wire = new ScriptedWire(chunks);
        var taken = 0;
        var stops = 3;
        var peer = new Peer(bytes =>
        {
            if (stops-- > 0)
            {
                return (0, FramePeer.FramesLeft);
            }
            if (bytes.Length < Frame)
            {
                return (0, Frame);
            }
            taken = Frame;
            return (bytes.Length, 0);
        });
        peer.Attach(wire);

        await peer.ReadAsync();

        Assert.Equal(Frame, taken);
        Assert.False(peer.EndedInTheMiddle);
    }

    [Fact]
    public void What_is_gathered_while_it_is_sent_leaves_with_the_next_flush()
    {
        Peer? peer = null;
        var wire = new ScriptedWire { OnSend = sent => sent.Length == 3 && peer!.Send([4]) };
        peer = new Peer(_ => (0, 0));
        peer.Attach(wire);
        peer.Send([1, 2, 3]);

        peer.Flush();
        Assert.Equal(1, peer.Backlog);
        peer.Flush();

        Assert.Equal([1, 2, 3, 4], wire.Sent);
    }

    private sealed class Peer(Func<byte[], (int Consumed, int Needed)> take) : FramePeer(new Lock())
    {
        public List<int> Offered { get; } = [];

        public bool EndedInTheMiddle { get; private set; }

        protected override TimeProvider Time => TimeProvider.System;

        protected override bool MustPause => false;

        public bool Send(ReadOnlySpan<byte> bytes) => Gather(bytes);

        protected override bool OnBytes(ReadOnlySpan<byte> bytes, out int consumed, out int needed)
        {
            Offered.Add(bytes.Length);
            (consumed, needed) = take(bytes.ToArray());
            return true;
        }

        protected override void OnEnd(string why, bool lost) => EndedInTheMiddle = why.Contains("middle", StringComparison.Ordinal);

        protected override Task WaitAsync() => Task.CompletedTask;

        protected override void OnBacklogSent()
        {
        }
    }

    /// <summary>Gives the bytes of a script and then the end.</summary>
    private sealed class ScriptedWire(params byte[][] script) : Wire
    {
        private readonly Queue<byte[]> _left = new(script);
        private int _at;

        public List<byte> Sent { get; } = [];

        public Func<byte[], bool> OnSend { get; init; } = _ => true;

        public override ValueTask<int> ReceiveAsync(Memory<byte> buffer)
        {
            Assert.False(buffer.IsEmpty, "there is no room, so the end would be seen where there is none");
            if (!_left.TryPeek(out var chunk))
            {
                return new ValueTask<int>(0);
            }
            var length = Math.Min(buffer.Length, chunk.Length - _at);
            chunk.AsSpan(_at, length).CopyTo(buffer.Span);
            _at += length;
            if (_at == chunk.Length)
            {
                _left.Dequeue();
                _at = 0;
            }
            return new ValueTask<int>(length);
        }

        public override int TrySend(ReadOnlySpan<byte> bytes)
        {
            Sent.AddRange(bytes);
            OnSend(bytes.ToArray());
            return bytes.Length;
        }

        public override Task SendAsync(ReadOnlyMemory<byte> bytes) => throw new NotSupportedException();

        public override void Close()
        {
        }
    }
}
