using System.Runtime.InteropServices;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Hosting;

namespace ZooNet.Cli;

/// <summary>
/// Has a proxy take over its configuration again: on SIGHUP, and when its file is another one than before. A file is looked at every two
/// seconds, which also sees one that is replaced behind a link, as Kubernetes does. Thread-safe.
/// </summary>
internal sealed class ConfigWatch : IAsyncDisposable
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(2);

    private readonly ProxyHost _proxy;
    private readonly string? _file;
    private readonly IReadOnlyDictionary<string, string> _flags;
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly PosixSignalRegistration? _signal;
    private readonly Task _run;
    private (DateTime Written, long Length) _seen;

    /// <summary>Begins to watch.</summary>
    /// <param name="proxy">The proxy.</param>
    /// <param name="file">Its file; null for none.</param>
    /// <param name="flags">Its flags, which override the file at every reading.</param>
    /// <param name="time">The clock.</param>
    public ConfigWatch(ProxyHost proxy, string? file, IReadOnlyDictionary<string, string> flags, TimeProvider time)
    {
        (_proxy, _file, _flags) = (proxy, file, flags);
        _seen = Stamp();
        // Without a handler the signal ends the process.
        _signal = OperatingSystem.IsWindows() ? null : PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true;
            Reload();
        });
        _run = file is null ? Task.CompletedTask : WatchAsync(time);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _signal?.Dispose();
        await _stop.CancelAsync();
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private void Reload()
    {
        lock (_lock)
        {
            _seen = Stamp();
            _proxy.Reload(ProxyConfigLoader.Load(_file, _flags));
        }
    }

    private async Task WatchAsync(TimeProvider time)
    {
        using var timer = new PeriodicTimer(LookAgain, time);
        while (await timer.WaitForNextTickAsync(_stop.Token))
        {
            if (Stamp() is { Length: >= 0 } now && now != _seen)
            {
                Reload();
            }
        }
    }

    /// <summary>
    /// What tells one version of the file from another; a length of -1 while it is not there, as when it is being replaced.
    /// </summary>
    private (DateTime Written, long Length) Stamp()
    {
        try
        {
            var info = _file is null ? null : new FileInfo(_file);
            info = info?.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? info;
            return info is { Exists: true } ? (info.LastWriteTimeUtc, info.Length) : (default, -1);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (default, -1);
        }
    }
}
