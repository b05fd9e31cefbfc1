using System.Net;
using System.Net.Sockets;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Downstream;
using ZooNet.Proxy.Roaming;
using ZooNet.Proxy.Telemetry;
using ZooNet.Proxy.Transport;
using ZooNet.Proxy.Upstream;
using ZooNet.Proxy.Views;

namespace ZooNet.Proxy.Hosting;

/// <summary>
/// One proxy, ready to run: listener, data path, control plane and admin endpoint in one process. Several may run in one process.
/// </summary>
public sealed class ProxyHost : IAsyncDisposable
{
    /// <summary>Bytes of a request to the admin endpoint: a mount takes a few hundred.</summary>
    private const int MaxAdminBody = 64 * 1024;

    /// <summary>Connections to the admin endpoint: commands, probes and monitors need a few.</summary>
    private const int MaxAdminConnections = 100;

    private readonly WebApplication _app;
    private readonly ConfigInForce _inForce;
    private readonly List<ListenOptions> _clientEndpoints = [];
    private ListenOptions? _adminEndpoint;
    private volatile bool _started;

    /// <summary>Puts a proxy together; nothing is started.</summary>
    /// <param name="config">A validated configuration.</param>
    /// <param name="configureLogging">How to log; null for a console.</param>
    /// <param name="configureServices">Adds or replaces services.</param>
    /// <param name="mapMore">Adds to what the admin endpoint has; who may ask is looked at before.</param>
    public ProxyHost(
        ProxyConfig config,
        Action<ILoggingBuilder>? configureLogging = null,
        Action<IServiceCollection>? configureServices = null,
        Action<WebApplication>? mapMore = null)
    {
        Config = config;
        _inForce = new ConfigInForce(config);
        // Else the host watches every file below the working directory, in case an appsettings.json changes: each write there is a wake-up.
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { Args = ["--hostBuilder:reloadConfigOnChange=false"] });
        builder.Logging.ClearProviders();
        builder.Services.Configure<LoggerFilterOptions>(o => o.MinLevel = _inForce.Current.LogLevel);
        builder.Services.AddSingleton<IOptionsChangeTokenSource<LoggerFilterOptions>>(new LogLevelChanges(_inForce));
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        // A body that is no JSON is its sender's error, and no stack of ours; what is ours is logged by AdminApi.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Diagnostics.ExceptionHandlerMiddleware", LogLevel.None);
        (configureLogging ?? (logging => LogToStandardError(logging, config.LogFormat)))(builder.Logging);
        builder.Logging.AddOtlp(config);
        builder.Services.AddSingleton(_inForce);
        builder.Services.AddSingleton<ServerDirectory>();
        builder.Services.AddSingleton<BarrierChannels>();
        builder.Services.AddSingleton(s => new EmbeddedObservers(
            config, s.GetRequiredService<ClusterDirectory>(), s.GetRequiredService<TimeProvider>(),
            s.GetRequiredService<ILoggerFactory>()));
        // Before everything that may read through them, and so stopped after it.
        builder.Services.AddHostedService(s => s.GetRequiredService<EmbeddedObservers>());
        builder.Services.AddSingleton<TreeServers>();
        builder.Services.AddSingleton<RoamingTrees>();
        builder.Services.AddHostedService(s => s.GetRequiredService<RoamingTrees>());
        builder.Services.AddSingleton<RecordStore>();
        builder.Services.AddSingleton(s => new LateParts(
            word => s.GetRequiredService<FourLetterWords>().TryAnswerAsync(word),
            () => s.GetService<ViewDriver>()?.FirstRouted ?? s.GetRequiredService<MountStore>().FirstRead));
        builder.Services.AddSingleton<DataPath>();
        builder.Services.AddSingleton<ISessionFence>(s => s.GetRequiredService<DataPath>());
        builder.Services.AddSingleton<IRemoteServers>(s => s.GetRequiredService<DataPath>());
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = config.DrainTimeout + TimeSpan.FromSeconds(5));
        configureServices?.Invoke(builder.Services);
        builder.Services.AddZooNetControl(config);
        builder.Services.AddSingleton<IProxyStatus>(s => new DataPathStatus(s.GetRequiredService<DataPath>(), () => _started ? ClientEndPoints : []));
        builder.Services.AddZooNetAdmin();
        builder.Services.AddHostedService(s => s.GetRequiredService<DataPath>());
        builder.Services.AddHostedService<CertificateWatch>();
        builder.Services.AddHostedService<MemoryRelease>();
        builder.WebHost.UseSockets(o =>
        {
            // Frames are handled where they were read: a hop to another thread costs more than the work itself.
            o.UnsafePreferInlineScheduling = true;
            o.NoDelay = true;
            o.Backlog = 4096;
        });
        // Added last, it is asked first; it takes the plain client listeners only.
        builder.Services.AddSingleton<IConnectionListenerFactory, RawSocketTransport>();
        builder.WebHost.ConfigureKestrel(ConfigureKestrel);
        _app = builder.Build();
        _app.MapZooNetAdmin();
        mapMore?.Invoke(_app);
        _app.Services.GetRequiredService<MountStore>().Changed += _app.Services.GetRequiredService<EmbeddedObservers>().Follow;
        var path = Path;
        var interest = _app.Services.GetRequiredService<InterestWatch>();
        _app.Services.GetRequiredService<LostHistory>().Lost += (cluster, refusal) =>
        {
            if (cluster == 0)
            {
                // What it has seen of home is of another home. The next round of the driver follows anew.
                interest.Follow([]);
            }
            path.ForgetCluster(cluster, refusal);
        };
        var metrics = _app.Services.GetRequiredService<ProxyMetrics>();
        _app.Services.GetRequiredService<BarrierChannels>().Completed += (server, elapsed, succeeded) =>
        {
            if (succeeded)
            {
                metrics.BarrierCompleted(path.Region.ClusterNames[server.Cluster], elapsed);
                path.Traffic.Latencies.Of(server.Cluster, LatencyKind.Barrier).Record(elapsed);
            }
        };
    }

    /// <summary>What it was made of; what is in force now is in <see cref="ConfigInForce"/>.</summary>
    public ProxyConfig Config { get; }

    /// <summary>The services, for tests and the admin endpoint.</summary>
    public IServiceProvider Services => _app.Services;

    /// <summary>The data path.</summary>
    public DataPath Path => _app.Services.GetRequiredService<DataPath>();

    /// <summary>Where clients connect, once started: real ports, also where port 0 was configured.</summary>
    public IReadOnlyList<IPEndPoint> ClientEndPoints => [.. _clientEndpoints.Select(e => e.IPEndPoint!)];

    /// <summary>Where the admin endpoint listens, once started.</summary>
    public IPEndPoint AdminEndPoint => _adminEndpoint!.IPEndPoint!;

    /// <summary>Starts to listen. Home need not be reachable.</summary>
    /// <exception cref="IOException">An address can't be listened on. Nothing has been started then, and no session was opened.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        // The control plane starts before the listeners do, so that clients find it ready. An address that is taken must show before.
        foreach (var address in Config.Listen)
        {
            CheckFree("listen", address);
        }
        CheckFree("admin", Config.Admin);
        AdminSocket.Clear(Config.AdminSocket);
        await _app.StartAsync(cancellationToken);
        AdminSocket.Restrict(Config.AdminSocket);
        _started = true;
        Path.Log.Listening(string.Join(", ", ClientEndPoints));
        var also = Config.AdminSocket is { } socket ? $", and unix:{socket}" : "";
        Path.Log.AdminListening($"{(Config.AdminTls is null ? "http" : "https")}://{AdminEndPoint}{also}");
    }

    /// <summary>Runs until SIGTERM, SIGINT or the token; drains before it returns.</summary>
    public async Task RunAsync(CancellationToken cancellationToken = default)
    {
        await StartAsync(cancellationToken);
        await _app.WaitForShutdownAsync(cancellationToken);
    }

    /// <summary>Drains and stops.</summary>
    public Task StopAsync(CancellationToken cancellationToken = default) => _app.StopAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.Services.GetRequiredService<BarrierChannels>().DisposeAsync();
        await _app.DisposeAsync();
    }

    /// <summary>
    /// Takes over a configuration that was read again, if all that is different in it can be changed while the proxy runs; logs it.
    /// </summary>
    /// <param name="read">What loading it came to.</param>
    public ConfigChange Reload(ConfigResult read)
    {
        var change = _inForce.Apply(read);
        if (change.Refusals.Count > 0)
        {
            Path.Log.ConfigurationRefused(string.Join("; ", change.Refusals));
        }
        else if (change.Changed.Count > 0)
        {
            Path.Log.ConfigurationChanged(string.Join(", ", change.Changed));
        }
        else
        {
            Path.Log.ConfigurationSame();
        }
        return change;
    }

    private static void LogToStandardError(ILoggingBuilder logging, LogFormat format)
    {
        const string Time = "yyyy-MM-ddTHH:mm:ss.fffZ";
        if (format == LogFormat.Json)
        {
            logging.AddJsonConsole(o =>
            {
                o.TimestampFormat = Time;
                o.UseUtcTimestamp = true;
                o.JsonWriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
            });
        }
        else
        {
            logging.AddSimpleConsole(o =>
            {
                o.SingleLine = true;
                o.TimestampFormat = $"{Time} ";
                o.UseUtcTimestamp = true;
            });
        }
        logging.Services.Configure<ConsoleLoggerOptions>(o => o.LogToStandardErrorThreshold = LogLevel.Trace);
    }

    private void ConfigureKestrel(KestrelServerOptions options)
    {
        var handler = new Lazy<ConnectionDelegate>(() =>
        {
            var path = options.ApplicationServices.GetRequiredService<DataPath>();
            var certificates = Config.Tls is { } tls ? new ServerCertificates(tls, path.Log, path.Time) : null;
            var listener = new ClientListener(path, certificates);
            return listener.OnConnectedAsync;
        });
        options.Limits.MaxRequestBodySize = MaxAdminBody;
        foreach (var address in Config.Listen)
        {
            Listen(options, address, raw: true, endpoint =>
            {
                _clientEndpoints.Add(endpoint);
                endpoint.Run(connection => handler.Value(connection));
            });
        }
        if (Config.AdminSocket is { } file)
        {
            options.ListenUnixSocket(file, endpoint =>
            {
                endpoint.Protocols = HttpProtocols.Http1;
                endpoint.Use(AtMost(MaxAdminConnections));
            });
        }
        Listen(options, Config.Admin, raw: false, endpoint =>
        {
            _adminEndpoint = endpoint;
            endpoint.Protocols = HttpProtocols.Http1;
            endpoint.Use(AtMost(MaxAdminConnections));
            if (Config.AdminTls is { } tls)
            {
                // The end of a TLS stream is part of it: there is nothing to be mended.
                var certificates = new Lazy<ServerCertificates>(() =>
                    new ServerCertificates(tls, Path.Log, options.ApplicationServices.GetRequiredService<TimeProvider>()));
                endpoint.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = _ => new(certificates.Value.Current) });
            }
            else
            {
                endpoint.Use(HalfOpenConnection.Use);
            }
        });
    }

    private static Func<ConnectionDelegate, ConnectionDelegate> AtMost(int connections)
    {
        var open = 0;
        return next => async connection =>
        {
            try
            {
                if (Interlocked.Increment(ref open) <= connections)
                {
                    await next(connection);
                }
                else
                {
                    connection.Abort();
                }
            }
            finally
            {
                Interlocked.Decrement(ref open);
            }
        };
    }

    private void CheckFree(string key, HostPort address)
    {
        try
        {
            var endpoint = new IPEndPoint(Resolve(address), address.Port);
            using var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(endpoint);
            socket.Listen();
        }
        catch (SocketException e)
        {
            var why = e.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => "another program listens there",
                SocketError.AddressNotAvailable => "this host has no such address",
                SocketError.AccessDenied => "this user may not, ports below 1024 are for privileged ones",
                SocketError.HostNotFound => "there is no such host",
                _ => e.Message,
            };
            var source = Config.Values.FirstOrDefault(v => v.Key == key)?.Source;
            var from = source is null or ConfigValue.Default ? "" : $", from {source},";
            throw new IOException($"can't listen on {address}: {why}; give '{key}'{from} an address of this host that is free", e);
        }
    }

    private static IPAddress Resolve(HostPort address)
    {
        var addresses = IPAddress.TryParse(address.Host, out var literal) ? [literal] : Dns.GetHostAddresses(address.Host);
        // localhost stands for its IPv4 address where it has one: one listener for each configured address.
        return addresses.FirstOrDefault(a => a.AddressFamily == AddressFamily.InterNetwork) ?? addresses[0];
    }

    private static void Listen(KestrelServerOptions options, HostPort address, bool raw, Action<ListenOptions> configure)
    {
        var chosen = Resolve(address);
        options.Listen(raw ? new RawEndPoint(chosen, address.Port) : new IPEndPoint(chosen, address.Port), configure);
    }
}
