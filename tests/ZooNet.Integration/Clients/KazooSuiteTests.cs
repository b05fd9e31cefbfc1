using System.Text.RegularExpressions;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Integration.Clients;

/// <summary>
/// kazoo's own test suite through a proxy, at home and with every test's chroot in a mount, and against the embedded server: the same
/// results as against ZooKeeper directly.
/// </summary>
[Collection(ClientsCollection.Name)]
public sealed partial class KazooSuiteTests(ClientsFixture regions)
{
    /// <summary>
    /// What passes directly, of kazoo 2.8.0 in Debian 12: all but what manages servers, and SASL. A different suite must not go
    /// unnoticed.
    /// </summary>
    private const int PassedDirectly = 462;

    private static readonly (string, string)[] Needs = [("/usr/lib/python3/dist-packages/kazoo/client.py", "python3-kazoo"),
        ("/usr/lib/python3/dist-packages/pytest/__init__.py", "python3-pytest"), ("/usr/lib/python3/dist-packages/objgraph.py", "python3-objgraph")];

    internal static readonly ClientProgram Suite = new("kazoo/run_kazoo_suite.py", Needs);
    internal static readonly ClientProgram Compare = new("kazoo/compare_results.py", Needs);

    [SkippableFact]
    public async Task Kazoos_suite_has_the_same_results_through_a_proxy_in_a_mount_and_with_the_embedded_server_as_directly()
    {
        Suite.Require();
        var folder = Directory.CreateTempSubdirectory("zoonet-kazoo-results-").FullName;
        try
        {
            var direct = await RunAsync(folder, "direct", regions.Direct, "/");
            Assert.Equal(PassedDirectly, (await File.ReadAllLinesAsync(direct)).Count(line => line.StartsWith("passed\t", StringComparison.Ordinal)));
            await Compare.RunAsync(direct, await RunAsync(folder, "home", regions.Proxied, "/"));
            await Compare.RunAsync(direct, await RunAsync(folder, "mount", regions.Proxied, ClientsFixture.Mount));
            await using var server = ChildProcess.Start(Path.Combine(folder, "server"), Zoonet.Program,
                "server", "--listen", "127.0.0.1:0", "--reconfig", "--super-digest", ClientsFixture.SuperDigest);
            await Eventually.Async(() => server.HasExited || Listening.IsMatch(server.Output), "zoonet server listens");
            Assert.False(server.HasExited, server.Output);
            await Compare.RunAsync(direct, await RunAsync(folder, "embedded", Listening.Match(server.Output).Groups[1].Value, "/"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [GeneratedRegex(@"listening on (\S+)\n")]
    private static partial Regex Listening { get; }

    internal static async Task<string> RunAsync(string folder, string name, string hosts, string chroot,
        params IEnumerable<string> further)
    {
        var results = Path.Combine(folder, name);
        await Suite.RunAsync(["--hosts", hosts, "--chroot-prefix", chroot, "--results", results, .. further]);
        return results;
    }
}
