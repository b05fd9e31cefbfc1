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
        var wire = new ScriptedWire
        {
            OnSend = sent =>
        {
            if (sent.Length == 3)
            {
                peer!.Send([4]);
            }
        }
        };
        peer = new Peer(_ => (0, 0));
        peer.Attach(wire);
        peer.Send([1, 2, 3]);

        peer.Flush();
        Assert.Equal(1, peer.Backlog);
        peer.Flush();

        Assert.Equal([1, 2, 3, 4], wire.Sent);
    }

    [Fact]
    public void Its_owner_is_told_of_the_first_bytes_of_a_burst_only()
    {
        var peer = new Peer(_ => (0, 0));
        peer.Attach(new ScriptedWire());

        peer.Send([1]);
        peer.Send([2]);
        Assert.Equal(1, peer.Gathered);
        peer.Flush();
        peer.Send([3]);

        Assert.Equal(2, peer.Gathered);
    }

    [Fact]
    public async Task What_the_other_end_does_not_take_at_once_follows_in_order_and_closing_waits_for_it()
    {
        var wire = new ScriptedWire { Takes = 1 };
        var peer = new Peer(_ => (0, 0));
        peer.Attach(wire);
        peer.Send([1, 2, 3]);
        peer.Flush();
        peer.Send([4]);
        peer.Flush();
        Assert.Equal([1], wire.Sent);

        peer.Close();
        Assert.False(wire.IsClosed);
        wire.Rest.SetResult();
        await peer.BacklogSent.Task;

        Assert.Equal([1, 2, 3, 4], wire.Sent);
        Assert.True(wire.IsClosed);
    }

    [Fact]
    public void A_lost_connection_is_closed_and_what_is_sent_afterwards_goes_nowhere()
    {
        var wire = new ScriptedWire { Takes = -1 };
        var peer = new Peer(_ => (0, 0));
        peer.Attach(wire);
        peer.Send([1]);

        peer.Flush();
        peer.Send([2]);

        Assert.True(peer.IsClosed && wire.IsClosed);
        Assert.Equal(0, peer.Backlog);
    }

    [Fact]
    public void A_connection_that_comes_after_the_end_is_closed_at_once()
    {
        var wire = new ScriptedWire();
        var peer = new Peer(_ => (0, 0));
        peer.Close();

        Assert.False(peer.Attach(wire));
        Assert.True(wire.IsClosed);
    }

    private sealed class Peer : IFrameOwner
    {
        private readonly Func<byte[], (int Consumed, int Needed)> _take;
        private readonly FramePeer _peer;

        public Peer(Func<byte[], (int Consumed, int Needed)> take)
        {
            _take = take;
            _peer = new FramePeer(this);
        }

        public List<int> Offered { get; } = [];

        public bool EndedInTheMiddle { get; private set; }

        public TimeProvider Time => TimeProvider.System;

        public Lock Gate { get; } = new();

        public bool MustPause => false;

        public int Backlog => _peer.Backlog;

        public int Gathered { get; private set; }

        public bool IsClosed => _peer.IsClosed;

        public bool Attach(Wire wire) => _peer.Attach(wire);

        public Task ReadAsync() => _peer.ReadAsync();

        public void Send(ReadOnlySpan<byte> bytes) => _peer.Send(bytes);

        public void Flush() => _peer.Flush();

        public void Close() => _peer.Close();

        public void OnGathered(FramePeer peer) => Gathered++;

        public bool OnBytes(ReadOnlySpan<byte> bytes, out int consumed, out int needed)
        {
            Offered.Add(bytes.Length);
            (consumed, needed) = _take(bytes.ToArray());
            return true;
        }

        public void OnEnd(string why, bool lost) => EndedInTheMiddle = why.Contains("middle", StringComparison.Ordinal);

        public Task WaitAsync() => Task.CompletedTask;

        public TaskCompletionSource BacklogSent { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void OnBacklogSent() => BacklogSent.SetResult();
    }

    /// <summary>Gives the bytes of a script and then the end.</summary>
    private sealed class ScriptedWire(params byte[][] script) : Wire
    {
        private readonly Queue<byte[]> _left = new(script);
        private int _at;

        public List<byte> Sent { get; } = [];

        public Action<byte[]> OnSend { get; init; } = _ => { };

        /// <summary>How much a call takes; -1 if the connection is lost.</summary>
        public int Takes { get; init; } = int.MaxValue;

        public TaskCompletionSource Rest { get; } = new();

        public bool IsClosed { get; private set; }

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
            if (Takes < 0)
            {
                return -1;
            }
            var taken = Math.Min(bytes.Length, Takes);
            Sent.AddRange(bytes[..taken]);
            OnSend(bytes.ToArray());
            return taken;
        }

        public override async Task SendAsync(ReadOnlyMemory<byte> bytes)
        {
            await Rest.Task;
            Sent.AddRange(bytes.Span);
        }

        public override void Close() => IsClosed = true;
    }
}
