namespace ZooNet.Integration.Clients;

/// <summary>Clients and recipes that know nothing of ZooNet, each through a proxy: at home and in a mount.</summary>
[Collection(ClientsCollection.Name)]
public sealed class UnmodifiedClientTests(ClientsFixture regions)
{
    internal static readonly ClientProgram Java = new("java/run.sh", ("javac", "default-jdk-headless"),
        ("/usr/share/java/curator-recipes.jar", "libcurator-recipes-java"), ("/usr/share/java/zookeeper-recipes-lock.jar", "libzookeeper-java"));

    internal static readonly ClientProgram ZkCli = new("zkcli/run_zkcli.py", ("java", "default-jre-headless"), ("/usr/bin/python3", "python3"));
    internal static readonly ClientProgram C = new("c/run.sh", ("gcc", "gcc"),
        ("/usr/include/zookeeper/zookeeper.h", "libzookeeper-mt-dev"));
    internal static readonly ClientProgram Node = new("node/run.sh", ("node", "nodejs"), ("npm", "npm"));

    /// <summary>The places that a client's paths can lie in.</summary>
    public static TheoryData<string> Places => ["/", ClientsFixture.Mount];

    [SkippableTheory]
    [MemberData(nameof(Places))]
    public Task Curators_recipes_pass(string place) => RunAsync(Java, place, "CuratorRecipes");

    [SkippableTheory]
    [MemberData(nameof(Places))]
    public Task ZooKeepers_own_recipes_pass(string place) => RunAsync(Java, place, "ZooKeeperRecipes");

    [SkippableTheory]
    [MemberData(nameof(Places))]
    public Task The_Java_client_passes(string place) => RunAsync(Java, place, "JavaClient");

    [SkippableTheory]
    [MemberData(nameof(Places))]
    public Task ZkCli_passes_with_all_of_its_commands(string place) => RunAsync(ZkCli, place);

    [SkippableTheory]
    [MemberData(nameof(Places))]
    public Task The_C_client_passes(string place) => RunAsync(C, place);

    [SkippableTheory]
    [MemberData(nameof(Places))]
    public Task The_node_client_passes(string place) => RunAsync(Node, place);

    private async Task RunAsync(ClientProgram program, string place, params string[] further)
    {
        program.Require();
        var output = await program.RunAsync([regions.Proxied, place, .. further]);
        Assert.Contains("PASS ", output, StringComparison.Ordinal);
        Assert.DoesNotContain("FAIL ", output, StringComparison.Ordinal);
    }
}
