using System.Diagnostics;
using System.Formats.Tar;
using System.Runtime.InteropServices;
using DotNet.Testcontainers.Configurations;

namespace ZooNet.Testcontainers.Tests;

/// <summary>
/// The engine that eng/with_engine started, and two images for it. They hold links and folders and nothing else: the programs are the
/// machine's own, which each container sees read-only. So they are made in no time, and nothing is fetched from anywhere.
/// </summary>
[CollectionDefinition(Collection)]
public sealed class OwnEngine : IAsyncLifetime, ICollectionFixture<OwnEngine>
{
    /// <summary>One engine, one test at a time: each wants both processors.</summary>
    public const string Collection = "engine";

    public const string ZooKeeperImage = "zoonet-tests/zookeeper:latest";
    public const string ZooNetImage = "zoonet-tests/zoonet:latest";
    public const string ToolImage = "zoonet-tests/tool:latest";

    private static readonly string[] Folders =
        ["usr", "etc", "etc/java-17-openjdk", "etc/alternatives", "tmp", "data", "conf", "zoonet", "entry", "scenario"];

    private static string DotnetRoot { get; } =
        Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));

    private static string? MissingReason { get; } = FindMissing();

    /// <summary>What a container needs of this machine: its programs, and what in /etc they look for.</summary>
    public static IReadOnlyList<string> Shared { get; } = ["/usr", "/etc/java-17-openjdk", "/etc/alternatives"];

    /// <summary>Skips the test with the reason if no engine is there.</summary>
    public static void Require() => Skip.If(MissingReason is not null, MissingReason);

    public async Task InitializeAsync()
    {
        if (MissingReason is not null)
        {
            return;
        }
        // The engine ends with the tests, and all containers with it. The image of the reaper could not be fetched.
        TestcontainersSettings.ResourceReaperEnabled = false;
        await ImportAsync(ZooKeeperImage, "ENTRYPOINT [\"/bin/sh\",\"/entry/zookeeper-entrypoint\"]");
        await ImportAsync(ZooNetImage, "ENV PATH=/zoonet:/usr/bin DOTNET_ROOT=" + DotnetRoot, "ENTRYPOINT [\"zoonet\"]",
            "HEALTHCHECK --interval=5s --timeout=30s --retries=30 CMD [\"zoonet\",\"status\",\"--ready\"]");
        await ImportAsync(ToolImage, "ENV PATH=/usr/bin PYTHONUNBUFFERED=1");
    }

    public Task DisposeAsync() => Task.CompletedTask;

    private static string? FindMissing()
    {
        if (Environment.GetEnvironmentVariable("ZOONET_ENGINE") is null)
        {
            return "needs an engine of its own: eng/with_engine dotnet test tests/ZooNet.Testcontainers.Tests, as tests/run.sh does";
        }
        if (!File.Exists("/usr/share/java/zookeeper.jar") || !Directory.Exists("/etc/java-17-openjdk"))
        {
            return "needs Debian's packages libzookeeper-java and openjdk-17-jre-headless";
        }
        return DotnetRoot.StartsWith("/usr/", StringComparison.Ordinal) ? null : $"needs .NET below /usr, and it is in {DotnetRoot}";
    }

    private static async Task ImportAsync(string name, params IEnumerable<string> changes)
    {
        var arguments = changes.SelectMany(change => new[] { "--change", change });
        var info = new ProcessStartInfo("docker", ["import", .. arguments, "-", name])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var docker = Process.Start(info)!;
        var (output, error) = (docker.StandardOutput.ReadToEndAsync(), docker.StandardError.ReadToEndAsync());
        await using (var tar = new TarWriter(docker.StandardInput.BaseStream))
        {
            foreach (var folder in Folders)
            {
                const UnixFileMode All = (UnixFileMode)0b111_111_111;
                await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.Directory, folder) { Mode = All });
            }
            foreach (var link in (string[])["bin", "lib", "lib64"])
            {
                await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.SymbolicLink, link) { LinkName = "usr/" + link });
            }
        }
        await docker.WaitForExitAsync();
        Assert.True(docker.ExitCode == 0, await error + await output);
    }
}
