namespace ZooNet.Wan;

/// <summary>Open, or closed while the link is cut silently: pieces wait before it. Thread-safe.</summary>
internal sealed class WanGate
{
    private volatile TaskCompletionSource? _closed;

    public void Close() => _closed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Open()
    {
        var closed = _closed;
        _closed = null;
        closed?.TrySetResult();
    }

    public ValueTask PassAsync(CancellationToken cancellationToken) =>
        _closed is { } closed ? new ValueTask(closed.Task.WaitAsync(cancellationToken)) : ValueTask.CompletedTask;
}
