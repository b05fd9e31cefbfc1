using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Hosting;

/// <summary>Tells the logging that the configuration has changed, and with it perhaps the least level. Thread-safe.</summary>
internal sealed class LogLevelChanges : IOptionsChangeTokenSource<LoggerFilterOptions>
{
    private ConfigurationReloadToken _next = new();

    public LogLevelChanges(ConfigInForce config) =>
        config.Changed += _ => Interlocked.Exchange(ref _next, new ConfigurationReloadToken()).OnReload();

    public string Name => Options.DefaultName;

    public IChangeToken GetChangeToken() => Volatile.Read(ref _next);
}
