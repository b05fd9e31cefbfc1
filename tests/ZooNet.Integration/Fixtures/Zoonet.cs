using System.Diagnostics;
using System.Text.RegularExpressions;
using ZooNet.Client;

namespace ZooNet.Integration.Fixtures;

/// <summary>What one run of the <c>zoonet</c> executable came to.</summary>
public sealed record CommandResult(int ExitCode, string Output, string Error);

/// <summary>Runs the executable as an admin does.</summary>
public static class Zoonet
{
    /// <summary>The executable beside these tests.</summary>
    public static string Program { get; } = Path.Combine(AppContext.BaseDirectory, "zoonet");

    /// <summary>Runs a command to its end.</summary>
    /// <param name="admin">The proxy to ask; null for none.</param>
    /// <param name="arguments">As on a command line.</param>
    public static Task<CommandResult> RunAsync(string? admin, params IEnumerable<string> arguments) =>
        RunWithAsync(admin is null ? [] : new() { ["ZOONET_ADMIN_URL"] = admin }, arguments);

    /// <summary>Runs a command to its end with these of our variables and no others.</summary>
    public static async Task<CommandResult> RunWithAsync(Dictionary<string, string> variables, params IEnumerable<string> arguments)
    {
        var info = new ProcessStartInfo(Program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var name in info.Environment.Keys.Where(k => k.StartsWith("ZOONET_", StringComparison.Ordinal)).ToList())
        {
            info.Environment.Remove(name);
        }
        foreach (var (name, value) in variables)
        {
            info.Environment[name] = value;
        }
        using var process = Process.Start(info)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromMinutes(1)).Token);
        return new CommandResult(process.ExitCode, await output, await error);
    }
}

/// <summary><c>zoonet proxy</c> in a process of its own.</summary>
public sealed partial class CliProxy : IAsyncDisposable
{
    private readonly string _folder;

    private CliProxy(string folder, ChildProcess process) => (_folder, Process) = (folder, process);

    public ChildProcess Process { get; }

    /// <summary>Its admin endpoint, as <c>--admin</c> takes it.</summary>
    public string Admin { get; private set; } = "";

    /// <summary>Where its clients connect.</summary>
    public ServerAddress Clients { get; private set; }

    /// <summary>Starts a proxy of one region that may mount the others, and waits until it listens.</summary>
    public static async Task<CliProxy> StartAsync(RealEnsemble home, IEnumerable<RealEnsemble> remotes, params IEnumerable<string> arguments)
    {
        var folder = Directory.CreateTempSubdirectory("zoonet-proxy-").FullName;
        var file = Path.Combine(folder, "proxy.json");
        var mountable = string.Join(",\n    ", remotes.Select(r =>
            $$""" "{{r.Name}}": { "observers": ["{{r.RemoteObserver.Address}}"], "servers": [{{Quoted(r.Addresses)}}] } """));
        await File.WriteAllTextAsync(file, $$"""
            // What a test needs and no more.
            { "region": "{{home.Name}}", "listen": "127.0.0.1:0", "admin": "127.0.0.1:0",
              "home": { "cluster": "{{home.Name}}", "servers": [{{Quoted(home.Addresses)}}] },
              "insecure": true,
              "remotes": { {{mountable}} },
              "timeouts": { "session": "6s", "drain": "60s" } }
            """);
        var process = ChildProcess.Start(Path.Combine(folder, "log"), Zoonet.Program, ["proxy", "--config", file, .. arguments]);
        var proxy = new CliProxy(folder, process);
        await Eventually.Async(() => process.HasExited || Addresses.IsMatch(process.Output), "the proxy listens");
        Assert.False(process.HasExited, process.Output);
        var match = Addresses.Match(process.Output);
        proxy.Clients = ServerAddress.Parse(match.Groups[1].Value);
        proxy.Admin = match.Groups[2].Value;
        return proxy;
    }

    /// <summary>Starts one and waits until it is ready and sees all clusters.</summary>
    public static async Task<CliProxy> StartReadyAsync(RealEnsemble home, params IReadOnlyList<RealEnsemble> remotes)
    {
        var proxy = await StartAsync(home, remotes);
        await Eventually.Async(async () => (await proxy.ReadyAsync()) is (200, var body) && !body.Contains("down since"), "the proxy is ready");
        return proxy;
    }

    /// <summary>Runs a command against it.</summary>
    public Task<CommandResult> RunAsync(params IEnumerable<string> arguments) => Zoonet.RunAsync(Admin, arguments);

    /// <summary>What <c>/ready</c> answers.</summary>
    public async Task<(int Status, string Body)> ReadyAsync()
    {
        using var http = new HttpClient();
        using var response = await http.GetAsync($"{Admin}/ready");
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    /// <summary>A client of it.</summary>
    public Task<ZooKeeperClient> ConnectAsync() =>
        ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [Clients], SessionTimeout = TimeSpan.FromSeconds(6) });

    public async ValueTask DisposeAsync()
    {
        await Process.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static string Quoted(IEnumerable<ServerAddress> addresses) => string.Join(", ", addresses.Select(a => $"\"{a}\""));

    // Its log comes on another stream, and may come between the two lines.
    [GeneratedRegex(@"^clients: (\S+)$.*^admin: (\S+)\n", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Addresses { get; }
}
