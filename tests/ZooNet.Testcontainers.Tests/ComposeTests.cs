using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Xunit.Abstractions;
using ZooNet.Client;

namespace ZooNet.Testcontainers.Tests;

/// <summary>
/// The demos of docker/, as docker/README.md says to start and to end them. Each plays its story, and what became of it is then asked of a
/// client and of Prometheus.
/// </summary>
[Collection(OwnEngine.Collection)]
public sealed class ComposeTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const string Project = "zoonet-demo";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(8);

    private readonly string _folder = Directory.CreateTempSubdirectory("zoonet-compose-").FullName;

    private string[] _files = [];

    private static string Root { get; } = FindRoot();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_files.Length > 0)
        {
            await ComposeAsync("down", "-v");
        }
        Directory.Delete(_folder, recursive: true);
    }

    [SkippableFact]
    public async Task The_story_of_the_roaming_tree_comes_out_as_it_tells_and_nothing_is_left()
    {
        Require();
        _files = ["two-regions", "roaming"];
        await WriteThinAsync();
        await PlayAsync("--no-build");
        await ExpectAsync(2282, "/shared/orders/us", "y");
        await UntilPrometheusAsync("sum(zoonet_ready) == 4");
        await UntilPrometheusAsync("count(zoonet_tree_owner{tree=\"orders\",zone=\"us\"} == 1) == 4");
        await EndAsync();
    }

    /// <summary>These build their images, and take minutes each: they are not for every run.</summary>
    [SkippableTheory]
    [InlineData("three-regions", 2283, "/mnt/eu/config", "v2", 6)]
    [InlineData("two-regions", 2281, "/mnt/eu/config", "v3", 4)]
    [InlineData("postgres", 2281, "/service/orders/leader", "us-pg-", 0)]
    public async Task The_story_comes_out_as_it_tells_with_images_that_are_built_here(string file, int port, string path, string content,
        int proxies)
    {
        Require();
        Skip.If(Environment.GetEnvironmentVariable("ZOONET_LONG") is null, "takes some minutes: ZOONET_LONG=1 and ZOONET_IMAGES=FOLDER");
        var archives = Environment.GetEnvironmentVariable("ZOONET_IMAGES");
        Skip.If(archives is null, "needs archives of base images: docker/local/build --archives FOLDER, then ZOONET_IMAGES=FOLDER");
        await RunAsync(Path.Combine(Root, "docker/local/build"), archives);
        _files = [file];
        // It compiles the product, beside whatever else the machine has to do.
        await ComposeAsync(Patience * 4, "build");
        await PlayAsync("--no-build");
        await ExpectAsync(port, path, content);
        if (proxies > 0)
        {
            await UntilPrometheusAsync($"sum(zoonet_ready) == {proxies}");
            await UntilPrometheusAsync("sum(zoonet_barriers_inserted_total) + sum(zoonet_barriers_elided_total) > 0");
        }
        await EndAsync();
    }

    [SkippableFact]
    public async Task The_scenario_names_an_old_engine_a_port_in_use_and_want_of_memory_and_what_to_do()
    {
        Skip.IfNot(File.Exists("/usr/lib/python3/dist-packages/kazoo/client.py"), "needs Debian's package python3-kazoo");
        var said = await RunAsync(Path.Combine(Root, "tests/clients/demo/advice.py"));
        Assert.Equal(7, said.Split('\n').Count(line => line.StartsWith("PASS ", StringComparison.Ordinal)));
    }

    private static void Require()
    {
        OwnEngine.Require();
        Skip.IfNot(File.Exists("/usr/bin/docker-compose"), "needs Debian's package docker-compose");
    }

    /// <summary>Starts everything, waits until it is healthy, within two minutes, and until the story is over.</summary>
    private async Task PlayAsync(params IEnumerable<string> options)
    {
        var began = Stopwatch.StartNew();
        await ComposeAsync(["up", "-d", .. options]);
        var scenario = (await ComposeAsync("ps", "-q", "scenario")).Trim();
        var proxies = (await ComposeAsync("ps", "--services")).Split('\n').Count(service => service.Contains("-proxy-"));
        await UntilAsync(async () => (await RunAsync("docker", "ps", "-q", "--filter", "health=healthy"))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries).Length >= proxies || await HasEndedAsync(scenario),
            TimeSpan.FromMinutes(2));
        var healthy = began.Elapsed;
        await UntilAsync(() => HasEndedAsync(scenario), Patience);
        var story = await RunAsync("docker", "logs", scenario);
        Assert.True(story.Contains("Everything came out as its text says.", StringComparison.Ordinal), story);
        Assert.DoesNotContain("\n   ! ", story, StringComparison.Ordinal);
        output.WriteLine($"all proxies healthy {healthy.TotalSeconds:0} s after \"up\" was called\n\n{story}");
        Assert.Equal("0", (await RunAsync("docker", "inspect", "-f", "{{.State.ExitCode}}", scenario)).Trim());
        Assert.True(healthy < TimeSpan.FromMinutes(2), $"healthy after {healthy}");
    }

    private static async Task<bool> HasEndedAsync(string container) =>
        (await RunAsync("docker", "inspect", "-f", "{{.State.Running}}", container)).Trim() == "false";

    private async Task EndAsync()
    {
        await ComposeAsync("down", "-v");
        _files = [];
        foreach (var kind in (string[][])[["ps", "-a"], ["network", "ls"], ["volume", "ls"]])
        {
            Assert.Equal("", await RunAsync("docker", [.. kind, "-q", "--filter", "label=com.docker.compose.project=" + Project]));
        }
    }

    private static async Task ExpectAsync(int port, string path, string content)
    {
        await using var client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
        {
            Servers = [new ServerAddress("127.0.0.1", port)],
            SessionTimeout = TimeSpan.FromSeconds(30),
        });
        await client.SyncAsync(path);
        Assert.StartsWith(content, Encoding.UTF8.GetString((await client.GetDataAsync(path)).Data!), StringComparison.Ordinal);
    }

    /// <summary>Waits until it holds for Prometheus, which hears of what a proxy is at its next scrape.</summary>
    private static async Task UntilPrometheusAsync(string condition)
    {
        using var http = new HttpClient();
        var url = "http://127.0.0.1:9090/api/v1/query?query=" + Uri.EscapeDataString(condition);
        for (var began = Stopwatch.GetTimestamp(); ; await Task.Delay(200))
        {
            var answer = JsonNode.Parse(await http.GetStringAsync(url));
            if (answer!["data"]!["result"]!.AsArray().Count > 0)
            {
                return;
            }
            Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromMinutes(1), $"{condition}: not within a minute");
        }
    }

    /// <summary>
    /// The same services from images without content: their programs are this machine's own, as in <see cref="OwnEngine"/>.
    /// </summary>
    private async Task WriteThinAsync()
    {
        var shared = OwnEngine.Shared.Select(folder => $"{folder}:{folder}:ro");
        var services = new JsonObject();
        foreach (var service in (await ComposeAsync("config", "--services")).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var isServer = service.Contains("-zk-", StringComparison.Ordinal);
            var isTool = service is "scenario" or "prometheus";
            var mine = service == "scenario" ? $"{Root}/docker/scenario:/scenario:ro"
                : isTool ? null : $"{AppContext.BaseDirectory}:{(isServer ? "/entry" : "/zoonet")}:ro";
            services[service] = new JsonObject
            {
                ["image"] = isServer ? OwnEngine.ZooKeeperImage : isTool ? OwnEngine.ToolImage : OwnEngine.ZooNetImage,
                ["volumes"] = new JsonArray([.. shared.Append(mine).OfType<string>().Select(v => JsonValue.Create(v))]),
            };
        }
        services["scenario"]!["entrypoint"] = new JsonArray("python3");
        services["scenario"]!["working_dir"] = "/scenario";
        var file = Path.Combine(_folder, "thin.json");
        await File.WriteAllTextAsync(file, new JsonObject { ["services"] = services }.ToJsonString());
        _files = [.. _files, file];
    }

    private Task<string> ComposeAsync(params IEnumerable<string> arguments) => ComposeAsync(Patience, arguments);

    private Task<string> ComposeAsync(TimeSpan patience, params IEnumerable<string> arguments) => RunAsync(patience, "docker-compose",
    [
        "--project-name", Project, "--project-directory", Path.Combine(Root, "docker"), "--env-file",
        Path.Combine(Root, "docker/local/images.env"),
        .. _files.SelectMany(f => new[] { "-f", Path.IsPathRooted(f) ? f : Path.Combine(Root, "docker", f + ".yaml") }), .. arguments,
    ]);

    private static async Task UntilAsync(Func<Task<bool>> condition, TimeSpan limit)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(300));
        for (var began = Stopwatch.StartNew(); !await condition(); await timer.WaitForNextTickAsync())
        {
            Assert.True(began.Elapsed < limit, $"not within {limit}:\n" + await RunAsync("docker", "ps", "-a"));
        }
    }

    private static Task<string> RunAsync(string program, params IEnumerable<string> arguments) => RunAsync(Patience, program, arguments);

    private static async Task<string> RunAsync(TimeSpan patience, string program, params IEnumerable<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(patience);
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}\n{await error}{await output}");
        return await output;
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "ZooNet.sln")))
        {
            folder = folder.Parent ?? throw new UnreachableException("the tests are not run from within the repository");
        }
        return folder.FullName;
    }
}
