namespace ZooNet.Integration.Clients;

/// <summary>kazoo's own test suite through a proxy, at home and with every test's chroot in a mount: the same results as directly.</summary>
[Collection(ClientsCollection.Name)]
public sealed class KazooSuiteTests(ClientsFixture regions)
{
    /// <summary>What passes directly, of kazoo 2.8.0 in Debian 12: all but what manages servers, and SASL. A different suite must not go unnoticed.</summary>
    private const int PassedDirectly = 462;

    private static readonly (string, string)[] Needs = [("/usr/lib/python3/dist-packages/kazoo/client.py", "python3-kazoo"),
        ("/usr/lib/python3/dist-packages/pytest/__init__.py", "python3-pytest"), ("/usr/lib/python3/dist-packages/objgraph.py", "python3-objgraph")];

    private static readonly ClientProgram Suite = new("kazoo/run_kazoo_suite.py", Needs);
    private static readonly ClientProgram Compare = new("kazoo/compare_results.py", Needs);

    [SkippableFact]
    public async Task Kazoos_suite_has_the_same_results_through_a_proxy_and_in_a_mount_as_directly()
    {
        Suite.Require();
        var folder = Directory.CreateTempSubdirectory("zoonet-kazoo-results-").FullName;
        try
        {
            var direct = await RunAsync(folder, "direct", regions.Direct, "/");
            Assert.Equal(PassedDirectly, File.ReadLines(direct).Count(line => line.StartsWith("passed\t", StringComparison.Ordinal)));
            await Compare.RunAsync(direct, await RunAsync(folder, "home", regions.Proxied, "/"));
            await Compare.RunAsync(direct, await RunAsync(folder, "mount", regions.Proxied, ClientsFixture.Mount));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<string> RunAsync(string folder, string name, string hosts, string chroot)
    {
        var results = Path.Combine(folder, name);
        await Suite.RunAsync("--hosts", hosts, "--chroot-prefix", chroot, "--results", results);
        return results;
    }
}
