using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Tests.Configuration;

public sealed class ConfigInForceTests : IDisposable
{
    private const string Start = """
        { "region": "us", "listen": "127.0.0.1:2281", "home": { "cluster": "us", "servers": ["a:1", "b:1"] },
          "remotes": { "eu": { "servers": ["c:1"] } }, "secret": "zoonet:of-the-tests", "adminTokens": { "view": "TOKENS" } }
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("zoonet-config-").FullName;

    public ConfigInForceTests() => File.WriteAllText(Tokens, "a-token-of-sixteen\n");

    private string Tokens => Path.Combine(_folder, "tokens");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Servers_limits_words_and_levels_are_taken_over_while_the_proxy_runs()
    {
        var inForce = new ConfigInForce(Read(Start).Config!);
        var told = new List<ProxyConfig>();
        inForce.Changed += told.Add;

        var change = inForce.Apply(Read(Start.Replace("\"c:1\"", "\"d:1\"").Replace("\"a:1\", ", "").Replace("\"secret\"",
            "\"limits\": { \"connections\": 7, \"outstandingBytes\": 5000 }, \"logLevel\": \"debug\", \"fourLetterWords\": \"*\", "
            + "\"secret\"")));

        Assert.Empty(change.Refusals);
        Assert.Equal(["fourLetterWords", "home.servers", "limits.connections", "limits.outstandingBytes", "logLevel",
            "remotes.eu.servers"], change.Changed.Order());
        Assert.Equal([new HostPort("d", 1)], Assert.Single(told).Remotes[0].Servers);
        Assert.Equal(7, inForce.Current.MaxConnections);
    }

    [Theory]
    [InlineData("\"region\": \"us\"", "\"region\": \"ap\"", "region can't be changed")]
    [InlineData("of-the-tests", "another", "secret can't be changed")]
    [InlineData("\"eu\": {", "\"ap\": {", "clusters in 'remotes' can't be added or removed")]
    [InlineData("\"secret\"", "\"consistency\": \"none\", \"secret\"", "consistency can't be changed")]
    [InlineData("\"remotes\"", "\"rmotes\"", "rmotes: is no configuration key")]
    public void What_needs_a_restart_is_named_and_nothing_else_of_that_file_is_taken_over_either(string from, string to, string refusal)
    {
        var before = Read(Start).Config!;
        var inForce = new ConfigInForce(before);

        var change = inForce.Apply(Read(Start.Replace("\"c:1\"", "\"d:1\"").Replace(from, to)));

        Assert.Contains(change.Refusals, r => r.Contains(refusal, StringComparison.Ordinal));
        Assert.Empty(change.Changed);
        Assert.Same(before, inForce.Current);
    }

    [Fact]
    public void One_server_of_home_does_not_become_several_while_the_proxy_runs()
    {
        var one = Start.Replace("\"a:1\", ", "");
        var change = new ConfigInForce(Read(one).Config!).Apply(Read(Start));
        Assert.StartsWith("home.servers can't be changed", Assert.Single(change.Refusals), StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_file_again_changes_nothing_but_the_tokens_in_a_file_that_it_names()
    {
        var inForce = new ConfigInForce(Read(Start).Config!);
        Assert.Equal(new ConfigChange([], []).ToString(), inForce.Apply(Read(Start)).ToString());

        File.WriteAllText(Tokens, "another-token-of-sixteen\n");
        Assert.Equal(["adminTokens.view"], inForce.Apply(Read(Start)).Changed);
        Assert.Equal(["another-token-of-sixteen"], inForce.Current.ViewTokens);
    }

    [Fact]
    public void Every_key_is_listed_with_its_value_and_where_it_was_written_and_no_secret_is()
    {
        var values = Read(Start, new() { ["ZOONET_TIMEOUTS__DRAIN"] = "3s" }).Config!.Values.ToDictionary(v => v.Key);

        Assert.Equal(ConfigSchema.Root.Leaves(key => key == "remotes" ? ["eu"] : []).Select(ConfigReader.Display).Order(),
            values.Keys.Order());
        Assert.Equal(("a:1, b:1", Path.Combine(_folder, "zoonet.json")), (values["home.servers"].Text, values["home.servers"].Source));
        Assert.Equal(("3s", "ZOONET_TIMEOUTS__DRAIN"), (values["timeouts.drain"].Text, values["timeouts.drain"].Source));
        Assert.Equal(("5s", "default"), (values["timeouts.connect"].Text, values["timeouts.connect"].Source));
        Assert.Equal("sequential", values["consistency"].Text);
        Assert.Equal("none", values["remotes.eu.observers"].Text);
        Assert.Equal("…", values["secret"].Text);
        Assert.DoesNotContain(values.Values, v => v.Text.Contains("of-the-tests", StringComparison.Ordinal)
            || v.Text.Contains("sixteen", StringComparison.Ordinal));
    }

    private ConfigResult Read(string json, Dictionary<string, string>? variables = null)
    {
        var file = Path.Combine(_folder, "zoonet.json");
        File.WriteAllText(file, json.Replace("TOKENS", Tokens));
        return ProxyConfigLoader.Load(file, null, variables ?? []);
    }
}
