using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using ZooNet.Client;

namespace ZooNet.Integration.Fixtures;

/// <summary>A cluster as a proxy's configuration names it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Servers">Its own servers.</param>
/// <param name="Observers">Its observers in the proxy's region; none for home.</param>
public sealed record ProxyCluster(string Name, IReadOnlyList<ServerAddress> Servers, IReadOnlyList<ServerAddress> Observers)
{
    /// <summary>True for a roaming tree, which has no servers.</summary>
    public bool IsTree { get; init; }

    /// <summary>Where the proxy observes it as its home: its voters' quorum ports. Empty where it does not.</summary>
    public IReadOnlyList<DnsEndPoint> Quorum { get; init; } = [];

    /// <summary>A roaming tree.</summary>
    public static ProxyCluster Tree(string name) => new(name, [], []) { IsTree = true };

    /// <summary>A real ensemble as home; with <c>ZOONET_OBSERVE</c> in the environment the proxy observes it.</summary>
    public static ProxyCluster Home(RealEnsemble ensemble) => new(ensemble.Name, ensemble.Addresses, [])
    {
        Quorum = Environment.GetEnvironmentVariable("ZOONET_OBSERVE") is null ? [] : ensemble.QuorumPorts,
    };

    /// <summary>A real ensemble as a remote, read through its observers across the WAN.</summary>
    public static ProxyCluster Remote(RealEnsemble ensemble) =>
        new(ensemble.Name, ensemble.Addresses, [.. ensemble.Observers.Where(observer => observer.Relays.Count > 0).Select(observer => observer.Address)]);
}

/// <summary>
/// <c>zoonet proxy</c> as a process of its own, as users run it: for what an in-process proxy can't show, such as signals, memory and
/// CPU time. It dies with this process.
/// </summary>
public sealed class ProxyProcess : IAsyncDisposable
{
    private readonly IReadOnlyList<string> _command;
    private ChildProcess _process;
    private readonly string _folder;
    private readonly HttpClient _http;

    private ProxyProcess(IReadOnlyList<string> command, string folder, ServerAddress address, Uri admin)
    {
        _command = command;
        _process = ChildProcess.Start(Path.Combine(folder, "log"), command[0], command.Skip(1));
        _folder = folder;
        Address = address;
        Admin = admin;
        _http = new HttpClient { BaseAddress = admin, Timeout = TimeSpan.FromSeconds(30) };
    }

    /// <summary>The zoonet program that was built with this one.</summary>
    public static string Program { get; } = Path.Combine(AppContext.BaseDirectory, "zoonet.dll");

    /// <summary>Where clients connect.</summary>
    public ServerAddress Address { get; }

    /// <summary>The admin endpoint.</summary>
    public Uri Admin { get; }

    /// <summary>The process id.</summary>
    public int ProcessId => _process.Id;

    /// <summary>What it has logged.</summary>
    public string Log => _process.Output;

    /// <summary>Starts a proxy and waits until it is ready, that is, until home answers.</summary>
    /// <param name="home">The region's own cluster; its name is the region's too.</param>
    /// <param name="remotes">Clusters that can be mounted.</param>
    /// <param name="settings">Further keys of the configuration file, such as consistency.</param>
    /// <param name="launcher">What to start it with, such as taskset and its arguments.</param>
    /// <param name="program">Another build's zoonet.dll; null for the one that was built with this.</param>
    public static async Task<ProxyProcess> StartAsync(ProxyCluster home, IReadOnlyList<ProxyCluster> remotes, JsonObject? settings = null,
        IReadOnlyList<string>? launcher = null, string? program = null)
    {
        var folder = OwnedFolder.Create("proxy");
        var address = new ServerAddress("127.0.0.1", FreePorts.Take());
        var admin = new ServerAddress("127.0.0.1", FreePorts.Take());
        var config = new JsonObject
        {
            ["region"] = home.Name,
            ["listen"] = address.ToString(),
            ["admin"] = admin.ToString(),
            ["home"] = new JsonObject { ["cluster"] = home.Name, ["servers"] = List(home.Servers) },
            ["remotes"] = new JsonObject(remotes.Select(remote => KeyValuePair.Create(remote.Name,
                (JsonNode?)(remote.IsTree ? new JsonObject { ["tree"] = true }
                    : new JsonObject { ["observers"] = List(remote.Observers), ["servers"] = List(remote.Servers) })))),
        };
        if (home.Quorum.Count > 0)
        {
            config["home"]!["observe"] = true;
            config["home"]!["quorum"] = new JsonArray([.. home.Quorum.Select(p => (JsonNode)$"{p.Host}:{p.Port}")]);
        }
        if (remotes.Count > 0)
        {
            config["insecure"] = true;
        }
        foreach (var (key, value) in settings ?? [])
        {
            config[key] = value?.DeepClone();
        }
        var file = Path.Combine(folder, "zoonet.json");
        await File.WriteAllTextAsync(file, config.ToJsonString());
        IReadOnlyList<string> command = [.. launcher ?? [], "dotnet", "exec", program ?? Program, "proxy", "--config", file];
        var proxy = new ProxyProcess(command, folder, address, new Uri($"http://{admin}/"));
        try
        {
            await proxy.WaitReadyAsync();
            return proxy;
        }
        catch
        {
            await proxy.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a proxy of a real ensemble's region, with the defaults; <paramref name="remotes"/> can be mounted.</summary>
    public static Task<ProxyProcess> StartAsync(RealEnsemble home, IReadOnlyList<RealEnsemble> remotes, JsonObject? settings = null) =>
        StartAsync(ProxyCluster.Home(home), [.. remotes.Select(ProxyCluster.Remote)], settings);

    /// <summary>Waits until it is ready, that is, until home answers.</summary>
    public Task WaitReadyAsync() => WaitAsync(async () => (await _http.GetAsync("ready")).IsSuccessStatusCode, "ready");

    /// <summary>Kills it where it still runs, and starts it again on the same addresses; does not wait until it is ready.</summary>
    public async Task RestartAsync()
    {
        await _process.DisposeAsync();
        _process = ChildProcess.Start(Path.Combine(_folder, "log"), _command[0], _command.Skip(1));
    }

    /// <summary>Stops the process without ending it: its connections stay open and silent.</summary>
    public void Pause() => _process.Signal("STOP");

    /// <summary>Ends <see cref="Pause"/>.</summary>
    public void Resume() => _process.Signal("CONT");

    /// <summary>A connected client of this proxy.</summary>
    public async Task<ZooKeeperClient> ConnectAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        return await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [Address], SessionTimeout = TimeSpan.FromSeconds(6) }, limit.Token);
    }

    /// <summary>Mounts, and waits until the mount is in force.</summary>
    /// <exception cref="InvalidOperationException">Refused; the message is the proxy's.</exception>
    public async Task MountAsync(string source, string path, string? options = null)
    {
        using var reply = await _http.PostAsJsonAsync("api/v1/mounts", new { source, path, options });
        if (reply.StatusCode is not (HttpStatusCode.Created or HttpStatusCode.Accepted))
        {
            throw new InvalidOperationException($"mount {source} {path}: {(int)reply.StatusCode} {await reply.Content.ReadAsStringAsync()}");
        }
        await WaitMountedAsync(path);
    }

    /// <summary>Waits until a mount is in use here, whoever asked for it.</summary>
    public Task WaitMountedAsync(string path) => WaitAsync(async () =>
    {
        using var mount = await _http.GetAsync($"api/v1/mounts{path}");
        return mount.IsSuccessStatusCode && (await mount.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("state").GetString() == "active";
    }, $"using {path}");

    /// <summary>Waits until it has reached all clusters that it can mount.</summary>
    public Task WaitClustersAsync() => WaitAsync(async () =>
        (await StatusAsync()).GetProperty("clusters").EnumerateArray().All(cluster => cluster.GetProperty("up").GetBoolean()), "in touch with all clusters");

    /// <summary>Unmounts.</summary>
    /// <exception cref="InvalidOperationException">Refused; the message is the proxy's.</exception>
    public async Task UnmountAsync(string path)
    {
        using var reply = await _http.DeleteAsync($"api/v1/mounts{path}");
        if (!reply.IsSuccessStatusCode)
        {
            throw new InvalidOperationException($"unmount {path}: {(int)reply.StatusCode} {await reply.Content.ReadAsStringAsync()}");
        }
    }

    /// <summary>Makes a roaming tree that this proxy's region owns.</summary>
    /// <exception cref="InvalidOperationException">Refused; the message is the proxy's.</exception>
    public Task CreateTreeAsync(string name, IReadOnlyList<string> zones, string arbiter) =>
        PostAsync("api/v1/trees", new { name, zones, arbiter });

    /// <summary>Makes a zone the owner of a roaming tree.</summary>
    /// <exception cref="InvalidOperationException">Refused; the message is the proxy's.</exception>
    public Task MoveTreeAsync(string name, string zone) => PostAsync($"api/v1/trees/{name}/owner", new { zone });

    /// <summary>Says who moves a roaming tree, and when.</summary>
    /// <exception cref="InvalidOperationException">Refused; the message is the proxy's.</exception>
    public Task SetTreePolicyAsync(string name, string policy) => PostAsync($"api/v1/trees/{name}/policy", new { policy });

    /// <summary>What <c>GET /api/v1/trees/NAME</c> answers.</summary>
    public async Task<JsonElement> TreeAsync(string name) => await _http.GetFromJsonAsync<JsonElement>($"api/v1/trees/{name}");

    /// <summary>What <c>GET /api/v1/status</c> answers.</summary>
    public async Task<JsonElement> StatusAsync() => await _http.GetFromJsonAsync<JsonElement>("api/v1/status");

    /// <summary>Resident memory of the process, in bytes.</summary>
    public long ResidentBytes()
    {
        var pages = long.Parse(File.ReadAllText($"/proc/{ProcessId}/statm").Split(' ')[1]);
        return pages * Environment.SystemPageSize;
    }

    /// <summary>The most resident memory that it has had since <see cref="ForgetPeak"/>, in bytes.</summary>
    public long PeakResidentBytes()
    {
        var line = File.ReadLines($"/proc/{ProcessId}/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) * 1024;
    }

    /// <summary>Lets <see cref="PeakResidentBytes"/> begin anew.</summary>
    public void ForgetPeak() => File.WriteAllText($"/proc/{ProcessId}/clear_refs", "5");

    /// <summary>Sends SIGTERM and waits until it has drained and ended.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> TerminateAsync(TimeSpan limit)
    {
        _process.Signal("TERM");
        await _process.WaitForExitAsync().WaitAsync(limit);
        return _process.ExitCode;
    }

    /// <summary>Kills it.</summary>
    public Task KillAsync() => _process.KillAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _http.Dispose();
        try
        {
            Directory.Delete(_folder, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // Disposed twice.
        }
    }

    private async Task PostAsync(string path, object body)
    {
        using var reply = await _http.PostAsJsonAsync(path, body);
        if (!reply.IsSuccessStatusCode)
        {
            throw new InvalidOperationException($"{path}: {(int)reply.StatusCode} {await reply.Content.ReadAsStringAsync()}");
        }
    }

    private async Task WaitAsync(Func<Task<bool>> condition, string what)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                if (await condition())
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }
            if (_process.HasExited || TimeProvider.System.GetElapsedTime(began) > TimeSpan.FromSeconds(60))
            {
                throw new InvalidOperationException($"the proxy is not {what}:\n{Log}\n{await TellAsync("api/v1/mounts")}\n{await TellAsync("api/v1/graph")}");
            }
            await Task.Delay(50);
        }
    }

    /// <summary>What the admin endpoint answers, for whoever finds the proxy stuck.</summary>
    private async Task<string> TellAsync(string path)
    {
        try
        {
            return await (await _http.GetAsync(path)).Content.ReadAsStringAsync();
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return e.Message;
        }
    }

    private static JsonArray List(IReadOnlyList<ServerAddress> servers) => [.. servers.Select(server => (JsonNode?)server.ToString())];
}
