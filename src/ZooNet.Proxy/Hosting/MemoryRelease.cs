using Microsoft.Extensions.Hosting;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Transport;

namespace ZooNet.Proxy.Hosting;

/// <summary>
/// Gives memory back to the system after many long replies. The runtime collects when something is allocated, and a proxy that has nothing
/// long to pass on any more allocates next to nothing: what the longest replies took would stay taken.
/// </summary>
/// <param name="time">The clock.</param>
internal sealed class MemoryRelease(TimeProvider time) : IHostedService, IAsyncDisposable
{
    /// <summary>Bytes of long frames after which it is done: a collection stops all clients for some milliseconds.</summary>
    private const long Worthwhile = 64L << 20;

    /// <summary>
    /// What may be in use: with more, as where observers keep large trees, it would be longer, and memory is left to be used again.
    /// </summary>
    private const long MostInUse = 256L << 20;

    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);

    private Loop? _loop;
    private long _seen;
    private long _released;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _loop = new Loop(LookAsync, static _ => { }, LookAgain, LookAgain, time);
        _loop.Start();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => DisposeAsync().AsTask();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _loop?.DisposeAsync() ?? default;

    private Task<TimeSpan> LookAsync(CancellationToken cancellationToken)
    {
        var rented = FrameBuffers.LargeRented;
        var isOver = rented == _seen;
        _seen = rented;
        if (isOver && rented - _released >= Worthwhile)
        {
            _released = rented;
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true);
            if (GC.GetTotalMemory(forceFullCollection: false) <= MostInUse)
            {
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            }
        }
        return Task.FromResult(LookAgain);
    }
}
