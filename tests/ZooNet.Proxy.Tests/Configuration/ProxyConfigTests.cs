using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Configuration;
using ZooNet.Server.Quorum;

namespace ZooNet.Proxy.Tests.Configuration;

public sealed class ProxyConfigTests : IDisposable
{
    private const string Good = """
        // A comment, and a trailing comma below: both are allowed.
        { "region": "us", "listen": "127.0.0.1:2281", "admin": "127.0.0.1:9181",
          "home": { "cluster": "us", "servers": ["127.0.0.1:2181"] },
          "remotes": { "zz": { "servers": ["10.0.0.9:2181"] }, "eu": { "observers": ["127.0.0.1:2184"], "servers": ["127.0.0.1:2182"] } },
          "consistency": "ordered", "barrier": "quorum",
          "secret": "zoonet:of-the-tests", }
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("zoonet-config-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_file_gives_every_value_and_its_remotes_are_numbered_by_name()
    {
        var config = Load(Good).Config!;

        Assert.Equal("us", config.Region);
        Assert.Equal([new HostPort("127.0.0.1", 2281)], config.Listen);
        Assert.Equal(new HostPort("127.0.0.1", 9181), config.Admin);
        Assert.Equal(("us", 0), (config.Home.Name, config.Home.Ordinal));
        Assert.Equal([("eu", 1), ("zz", 2)], config.Remotes.Select(r => (r.Name, r.Ordinal)));
        Assert.Equal([new HostPort("127.0.0.1", 2184), new HostPort("127.0.0.1", 2182)], config.Remotes[0].InOrder);
        Assert.Equal(ConsistencyMode.Ordered, config.Consistency);
        Assert.Equal(BarrierMode.Quorum, config.Barrier);
        Assert.Null(config.BarrierGap);
        Assert.Equal(0xfffff, config.MaxFrame);
        Assert.Equal(["conf", "envi", "isro", "mntr", "ruok", "srvr"], config.FourLetterWords.Order());
        Assert.Empty(config.Advertise);
        Assert.Same(config.Remotes[0], config.FindCluster("EU"));
    }

    [Fact]
    public void Variables_override_the_file_and_flags_override_both()
    {
        var variables = new Dictionary<string, string>
        {
            ["ZOONET_CONSISTENCY"] = "none",
            ["ZOONET_BARRIER"] = "sync",
            ["ZOONET_HOME__SERVERS"] = "a:1, b",
            ["ZOONET_REMOTES__EU__OBSERVERS__0"] = "[::1]:7",
            ["ZOONET_ADMIN"] = "http://127.0.0.1:9999/",
        };
        var config = Load(Good, variables, new() { ["barrier"] = "auto", ["barrierGap"] = "5ms" }).Config!;

        Assert.Equal(ConsistencyMode.None, config.Consistency);
        Assert.Equal(BarrierMode.Auto, config.Barrier);
        Assert.Equal(TimeSpan.FromMilliseconds(5), config.BarrierGap);
        Assert.Equal([new HostPort("a", 1), new HostPort("b", 2181)], config.Home.Servers);
        Assert.Equal([new HostPort("::1", 7)], config.Remotes[0].Observers);
        Assert.Equal(9999, config.Admin.Port);
    }

    [Fact]
    public void A_proxy_can_be_configured_without_a_file()
    {
        var result = ProxyConfigLoader.Load(null, new Dictionary<string, string>
        {
            ["region"] = "us",
            ["listen"] = "127.0.0.1:0",
            ["home:cluster"] = "us",
            ["home:servers"] = "zk1:2181,zk2:2181",
        }, new Dictionary<string, string>());

        Assert.Empty(result.Errors);
        Assert.Equal(2, result.Config!.Home.Servers.Count);
        Assert.Empty(result.Config.Remotes);
    }

    [Fact]
    public void Every_error_is_reported_at_once_with_its_key_its_value_and_what_is_allowed()
    {
        var result = Load("""
            { "listen": ["127.0.0.1:99999", "nonsense"], "home": { "cluster": "U S", "servers": [], "sevrers": ["x:1"] },
              "remotes": { "eu": {} , "ap": { "servers": ["h:1", "h:1"] } }, "consistency": "linear", "barrier": "1",
              "maxFrame": 12, "timeouts": { "drain": "soon" }, "fourLetterWords": ["ruok", "kill"], "secret": "nocolon",
              "tls": { "certificate": "/no/such.pem" }, "regoin": "us", "otlp": "collector" }
            """);

        Assert.Null(result.Config);
        var text = string.Join('\n', result.Errors);
        Assert.Equal(17, result.Errors.Count);
        Assert.Contains("region: is missing", text);
        Assert.Contains("regoin: is no configuration key; allowed here: region, listen", text);
        Assert.Contains("home.sevrers: is no configuration key; allowed here: cluster, servers", text);
        Assert.Contains("listen[0] = '127.0.0.1:99999': is no address", text);
        Assert.Contains("listen[1] = 'nonsense': is no address", text);
        Assert.Contains("home.cluster = 'U S': is no name", text);
        Assert.Contains("home.servers: is missing", text);
        Assert.Contains("remotes.eu: has no address", text);
        Assert.Contains("remotes.ap.servers[1] = 'h:1': is listed twice", text);
        Assert.Contains("consistency = 'linear': is not known; allowed are none, sequential, ordered, switch", text);
        Assert.Contains("barrier = '1': is not known; allowed are quorum, sync, auto", text);
        Assert.Contains("maxFrame = '12': is out of range; allowed are 1024 to 67108864", text);
        Assert.Contains("timeouts.drain = 'soon': is no time in range", text);
        Assert.Contains("fourLetterWords[1] = 'kill': is no four-letter word", text);
        Assert.Contains("secret = '…': is no digest credential", text);
        Assert.DoesNotContain("nocolon", text);
        Assert.Contains("tls.key: is missing", text);
        Assert.Contains("otlp = 'collector': is no collector's address", text);
    }

    [Fact]
    public void An_observer_of_the_proxys_own_has_a_folder_a_login_and_addresses_that_may_be_found()
    {
        var password = Path.Combine(_folder, "password");
        File.WriteAllText(password, " hush\n");
        var config = Load(Good.Replace("""{ "servers": ["10.0.0.9:2181"] }""", $$"""
            { "servers": ["10.0.0.9:2181"], "quorum": "auto",
              "observer": { "data": "/var/zz", "user": "me", "passwordFile": "{{password}}" } }
            """, StringComparison.Ordinal)).Config!;

        Assert.True(config.Remotes[1].FindsQuorum);
        Assert.Empty(config.Remotes[1].Quorum);
        Assert.Equal("/var/zz", config.Remotes[1].Observer.Data);
        Assert.Equal(new QuorumCredentials("me", "hush"), config.Remotes[1].Observer.Login);
        Assert.False(config.Remotes[0].IsObserved);
    }

    [Fact]
    public void Home_is_observed_if_that_is_said_and_by_the_same_keys_as_a_remote()
    {
        var home = Load(Good.Replace("\"servers\": [\"127.0.0.1:2181\"]", """
            "servers": ["127.0.0.1:2181"], "observe": true, "quorum": ["zk1:2889", "zk2"], "sid": 77,
            "observer": { "data": "/var/home", "superDigest": "super:x" }
            """, StringComparison.Ordinal)).Config!.Home;

        Assert.Equal([new("zk1", 2889), new("zk2", 2888)], home.Quorum);
        Assert.Equal((77, "/var/home", "super:x"), (home.Sid, home.Observer.Data, home.Observer.SuperDigest));
        Assert.False(Load(Good).Config!.Home.IsObserved);
        Assert.Equal("false", Load(Good).Config!.Values.Single(v => v.Key == "home.observe").Text);
    }

    [Theory]
    [InlineData(""" "observe": true """, "quorum: is missing; 'observe' needs the quorum ports")]
    [InlineData(""" "quorum": "zk1" """, "quorum: is of no use without 'observe: true'")]
    [InlineData(""" "observe": true, "quorum": "127.0.0.1:2181" """, "is a quorum port and a client port")]
    [InlineData(""" "observe": true, "quorum": "auto", "observer": { "superDigest": "x" } """, "observer.superDigest = 'x': is no digest")]
    public void What_an_observer_of_home_can_not_do_with_is_an_error_of_its_key(string more, string message)
    {
        var errors = Load(Good.Replace("\"servers\": [\"127.0.0.1:2181\"]", $"\"servers\": [\"127.0.0.1:2181\"], {more}",
            StringComparison.Ordinal)).Errors;
        Assert.Contains(message, Assert.Single(errors).ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(""" "quorum": "auto" """, "quorum = 'auto': needs 'servers' to ask where the quorum ports are")]
    [InlineData(""" "servers": "h:1", "observer": { "data": "/x" } """, "observer: is of no use without 'quorum'")]
    [InlineData(""" "quorum": "h", "observer": { "user": "me" } """, "observer.passwordFile: is missing; a login by SASL needs")]
    [InlineData(""" "quorum": "h", "observer": { "user": "me", "passwordFile": "/no" } """, "observer.passwordFile = '/no': can't be read")]
    [InlineData(""" "quorum": "h", "observer": { "folder": "/x" } """, "observer.folder: is no configuration key")]
    public void What_an_observer_can_not_do_with_is_an_error_of_its_key(string remote, string message)
    {
        var errors = Load(Good.Replace("""{ "servers": ["10.0.0.9:2181"] }""", $"{{ {remote} }}", StringComparison.Ordinal)).Errors;
        Assert.Contains(errors, e => e.ToString().Contains($"remotes.zz.{message}", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("""{ "region": """, "is no JSON from line 1, byte ")]
    [InlineData("region: us\nlisten: 0.0.0.0:2281\n", "is no JSON from line 1, byte 1 on: 'r' is an invalid start of a value; a configuration is")]
    [InlineData("{\n  \"region\": \"us\",\n  listen: 1\n}", "is no JSON from line 3, byte 3 on: ")]
    [InlineData("""{ "region": "us", "region": "eu" }""", "can not be read")]
    [InlineData("[1]", "can not be read")]
    public void A_file_that_is_no_configuration_is_one_error(string json, string message)
    {
        var error = Assert.Single(Load(json).Errors);
        Assert.Contains(message, error.ToString());
    }

    [Fact]
    public void A_missing_file_is_one_error_that_names_it()
    {
        var error = Assert.Single(ProxyConfigLoader.Load("/no/such.json", null, new Dictionary<string, string>()).Errors);
        Assert.Contains("/no/such.json", error.ToString());
    }

    [Theory]
    [InlineData(""" "home": { "cluster": "us", "servers": ["127.0.0.1:2281"] } """, "is the address where this proxy listens, too")]
    [InlineData(""" "home": { "cluster": "us", "servers": ["h:1"] }, "remotes": { "eu": { "servers": ["h:1"] } } """, "is a server of 'us', too")]
    [InlineData(""" "home": { "cluster": "us", "servers": ["h:1"] }, "remotes": { "us": { "servers": ["h:2"] } } """, "has the name of the home cluster")]
    [InlineData(""" "home": { "cluster": "us", "servers": ["h:1"] }, "remotes": { "eu": { "servers": ["i:1"], "observers": ["i:1"] } } """, "is listed as observer and as server")]
    [InlineData(""" "home": { "cluster": "us", "servers": ["h:1"] }, "admin": "127.0.0.1:2281" """, "is where clients connect, too")]
    public void An_address_that_stands_for_two_things_is_refused(string rest, string message)
    {
        var result = Load($$"""{ "region": "us", "listen": "127.0.0.1:2281", "secret": "a:b", {{rest}} }""");

        Assert.Contains(message, Assert.Single(result.Errors).ToString());
    }

    [Fact]
    public void More_than_1023_remotes_are_refused()
    {
        var remotes = string.Join(',', Enumerable.Range(1, 1024).Select(i => $"\"r{i}\": {{ \"servers\": \"h{i}:1\" }}"));
        var result = Load($$"""{ "region": "us", "listen": "h:1", "secret": "a:b", "home": { "cluster": "us", "servers": "h:2" }, "remotes": { {{remotes}} } }""");

        Assert.Contains("at most 1023", Assert.Single(result.Errors).ToString());
    }

    [Fact]
    public void A_variable_that_is_no_key_is_a_warning_because_Kubernetes_makes_some()
    {
        var result = Load(Good, new() { ["ZOONET_PORT"] = "tcp://10.0.0.1:2181", ["ZOONET_CONFIG"] = "x" });

        Assert.Empty(result.Errors);
        Assert.Contains("ZOONET_PORT", Assert.Single(result.Warnings));
    }

    [Fact]
    public void Files_that_every_user_may_write_are_warned_of()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }
        var (secret, link) = (Path.Combine(_folder, "secret"), Path.Combine(_folder, "link"));
        File.WriteAllText(secret, "zoonet:x");
        File.CreateSymbolicLink(link, secret);
        var text = Good.Replace("\"secret\": \"zoonet:of-the-tests\"", $"\"secretFile\": \"{link}\"", StringComparison.Ordinal);
        Assert.Empty(Load(text).Warnings);

        File.SetUnixFileMode(secret, File.GetUnixFileMode(secret) | UnixFileMode.OtherWrite);

        Assert.Contains($"every user of this host can write {link}", Assert.Single(Load(text).Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ZOONET_CONFIG")]
    [InlineData("ZOONET_ADMIN_URL")]
    [InlineData("ZOONET_TOKEN_FILE")]
    [InlineData("ZOONET_ADMIN_AUTHORITY")]
    [InlineData("ZOONET_ADMIN_CERTIFICATE")]
    public void A_variable_of_the_commands_is_nothing_to_a_proxy(string name)
    {
        var result = Load(Good, new() { [name] = "http://127.0.0.1:9999" });

        Assert.Empty(result.Errors);
        Assert.Empty(result.Warnings);
        Assert.Equal(new HostPort("127.0.0.1", 9181), result.Config!.Admin);
    }

    [Fact]
    public void A_variable_with_a_bad_value_is_an_error_that_names_the_variable()
    {
        var error = Assert.Single(Load(Good, new() { ["ZOONET_TIMEOUTS__DRAIN"] = "1h" }).Errors);

        Assert.Equal("ZOONET_TIMEOUTS__DRAIN", error.Source);
        Assert.Equal("timeouts.drain", error.Key);
    }

    [Theory]
    [InlineData("500ms", 500)]
    [InlineData("7", 7_000)]
    [InlineData("1.5s", 1_500)]
    [InlineData("2m", 120_000)]
    public void Times_are_written_with_a_unit_or_in_seconds(string text, int milliseconds)
    {
        var config = Load(Good, new() { ["ZOONET_TIMEOUTS__DRAIN"] = text }).Config!;

        Assert.Equal(milliseconds, config.DrainTimeout.TotalMilliseconds);
    }

    [Theory]
    [InlineData("h:1", "h", 1)]
    [InlineData("h", "h", 2181)]
    [InlineData("[::1]:5", "::1", 5)]
    [InlineData("[fe80::1]", "fe80::1", 2181)]
    public void Addresses_are_read(string text, string host, int port) => Assert.Equal(new HostPort(host, port), HostPort.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("::1")]
    [InlineData("h:")]
    [InlineData("h:-1")]
    [InlineData("h:65536")]
    [InlineData("[::1")]
    [InlineData("[h]:1")]
    [InlineData("[::1]x")]
    [InlineData("h h:1")]
    public void What_is_no_address_is_not_read(string text) => Assert.False(HostPort.TryParse(text, 2181, out _));

    [Fact]
    public void A_proxy_with_remotes_needs_a_secret_that_not_everybody_knows()
    {
        var without = Good.Replace("\"secret\": \"zoonet:of-the-tests\",", "", StringComparison.Ordinal);
        var file = Path.Combine(_folder, "secret");
        File.WriteAllText(file, "zoonet:from-a-file\n");

        Assert.Contains("secret: is missing: with it a client could forge mounts", Assert.Single(Load(without).Errors).ToString());
        var known = Load(without, new() { ["ZOONET_SECRET"] = "zoonet:zoonet" });
        Assert.Contains("is the one that everybody knows", Assert.Single(known.Errors).ToString());
        Assert.Equal("zoonet:from-a-file", Load(without, new() { ["ZOONET_SECRET_FILE"] = file }).Config!.Secret);
        Assert.False(Load(without, new() { ["ZOONET_SECRETFILE"] = file }).Config!.IsInsecure);
        Assert.True(Load(without, new() { ["ZOONET_INSECURE"] = "true" }).Config!.IsInsecure);
        Assert.Equal("a:b", Load(Good, new() { ["ZOONET_ACCEPTEDSECRET"] = "a:b" }).Config!.AcceptedSecret);
    }

    [Theory]
    [InlineData("ZOONET_SECRET", "", "secret: is empty; give it a value, or leave it out (from ZOONET_SECRET)")]
    [InlineData("ZOONET_SECRET", "  ", "secret: is empty")]
    [InlineData("ZOONET_SECRET_FILE", "", "secretFile: is empty")]
    [InlineData("ZOONET_SECRET_FILE", "/nowhere/secret", "secretFile = '/nowhere/secret': and 'secret' are both given")]
    [InlineData("ZOONET_ACCEPTEDSECRETFILE", "/nowhere/secret", "acceptedSecretFile = '/nowhere/secret': can not be read: ")]
    [InlineData("ZOONET_INSECURE", "maybe", "insecure = 'maybe': is neither 'true' nor 'false'")]
    public void A_secret_that_is_no_secret_is_an_error_and_no_default(string variable, string value, string error) =>
        Assert.Contains(error, Assert.Single(Load(Good, new() { [variable] = value }).Errors).ToString());

    [Theory]
    [InlineData("outstandingBytes", "262144", "4095")]
    [InlineData("outstandingBytesInAll", "268435456", "65535")]
    public void What_may_wait_of_clients_requests_has_a_default_that_is_shown_and_a_range(string key, string byDefault, string tooLittle)
    {
        var variable = $"ZOONET_LIMITS__{key.ToUpperInvariant()}";
        Assert.Equal(byDefault, Load(Good).Config!.Values.Single(v => v.Key == $"limits.{key}").Text);
        Assert.StartsWith($"limits.{key} = '{tooLittle}':",
            Assert.Single(Load(Good, new() { [variable] = tooLittle }).Errors).ToString(), StringComparison.Ordinal);
        var written = Load(Good, new() { [variable] = "100000" }).Config!;
        Assert.Equal(100_000, key == "outstandingBytes" ? written.MaxOutstandingBytes : written.MaxOutstandingBytesInAll);
    }

    [Fact]
    public void A_secret_in_a_file_is_never_shown()
    {
        var file = Path.Combine(_folder, "secret");
        File.WriteAllText(file, "nocolon-hidden\n");
        var inFile = Good.Replace("\"secret\"", "\"secretFile\"", StringComparison.Ordinal);
        var error = Assert.Single(Load(inFile, new() { ["ZOONET_SECRETFILE"] = file }).Errors);
        Assert.Contains("has no digest credential in it", error.ToString());
        Assert.DoesNotContain("hidden", error.ToString());
    }

    private ConfigResult Load(string json, Dictionary<string, string>? variables = null, Dictionary<string, string>? flags = null)
    {
        var file = Path.Combine(_folder, "proxy.json");
        File.WriteAllText(file, json);
        return ProxyConfigLoader.Load(file, flags, variables ?? []);
    }
}
