using System.Buffers;
using System.IO.Pipelines;
using ZooNet.Proxy.Transport;

namespace ZooNet.Proxy.Tests.Transport;

/// <summary>The way to a server in this process.</summary>
public sealed class PipeWireTests
{
    private readonly Pipe _requests = new(Inline);
    private readonly Pipe _replies = new(Inline);
    private readonly PipeWire _wire;

    public PipeWireTests() => _wire = new PipeWire(new Side(_replies.Reader, _requests.Writer));

    private static PipeOptions Inline => new(readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline,
        pauseWriterThreshold: 4096, resumeWriterThreshold: 2048, useSynchronizationContext: false);

    [Fact]
    public void What_is_sent_is_answered_before_the_call_returns()
    {
        _ = EchoAsync();
        var buffer = new byte[16];
        var received = _wire.ReceiveAsync(buffer).AsTask();

        Assert.Equal(3, _wire.TrySend([1, 2, 3]));

        Assert.True(received.IsCompletedSuccessfully);
        Assert.Equal([1, 2, 3], buffer[..3]);
    }

    [Fact]
    public async Task A_server_that_does_not_read_makes_the_sender_wait()
    {
        Assert.Equal(8192, _wire.TrySend(new byte[8192]));
        Assert.Equal(0, _wire.TrySend([1]));
        var rest = _wire.SendAsync(new byte[] { 1 });
        Assert.False(rest.IsCompleted);

        var read = await _requests.Reader.ReadAsync();
        _requests.Reader.AdvanceTo(read.Buffer.End);
        await rest;

        Assert.Equal(1, (await _requests.Reader.ReadAsync()).Buffer.Length);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Closing_ends_both_directions_also_if_the_server_waits_for_room(bool receiving)
    {
        var stuck = _replies.Writer.WriteAsync(new byte[8192]).AsTask();
        Assert.False(stuck.IsCompleted);
        var received = receiving ? ReceiveAllAsync() : Task.CompletedTask;

        _wire.Close();

        Assert.True((await _requests.Reader.ReadAsync()).IsCompleted);
        await received;
        await stuck;
        Assert.True((await _replies.Writer.FlushAsync()).IsCompleted);
    }

    [Fact]
    public async Task A_server_that_has_ended_is_lost()
    {
        await _requests.Reader.CompleteAsync();
        await _replies.Writer.CompleteAsync();

        Assert.Equal(-1, _wire.TrySend([1]));
        Assert.Equal(0, await _wire.ReceiveAsync(new byte[16]));
    }

    private async Task ReceiveAllAsync()
    {
        while (await _wire.ReceiveAsync(new byte[16]) > 0)
        {
            await Task.Yield();
        }
    }

    private async Task EchoAsync()
    {
        while (true)
        {
            var read = await _requests.Reader.ReadAsync();
            _replies.Writer.Write(read.Buffer.ToArray());
            _requests.Reader.AdvanceTo(read.Buffer.End);
            await _replies.Writer.FlushAsync();
        }
    }

    private sealed record Side(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
