using System.Globalization;
using System.Text;
using System.Text.Json;
using ZooNet.Federation.Interest;
using ZooNet.Federation.Sessions;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Upstream;
using ZooNet.Tests;

namespace ZooNet.Proxy.Tests.Control;

/// <summary>
/// What a proxy reads of znodes and files, with bytes changed, cut out, doubled or cut off: records of mounts, views and sessions, an
/// ensemble's configuration, the proxy's own. Each is read or refused in its own way, and none that is other than it was counts as signed
/// or sealed. ZOONET_FUZZ is the number of each kind (2,000 without it), ZOONET_FUZZ_SEED makes them others.
/// </summary>
public sealed class RecordFuzzTests : IDisposable
{
    private const string Mount = "mnt-eu";
    private const long Home = 0x1000_0000_0051;

    private static readonly int Rounds = Number("ZOONET_FUZZ", 2_000);
    private static readonly int Seed = Number("ZOONET_FUZZ_SEED", 1896007972);
    private static readonly ProxySecret Secret = new("zoonet:of-the-tests");

    private static readonly ProxyConfig Config = new()
    {
        Region = "us",
        Listen = [],
        Home = new ClusterConfig("us", 0, [], [new HostPort("127.0.0.1", 1)]),
        Remotes = [new ClusterConfig("eu", 1, [], [new HostPort("127.0.0.1", 2)])],
    };

    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void A_mutated_mount_record_is_no_record_or_one_that_nobody_has_signed()
    {
        var written = new MountRecord
        {
            Path = "/mnt/eu",
            Cluster = "eu",
            RemotePath = "/apps",
            Options = "ro",
            State = MountState.Active,
            Held = true
        };
        var whole = written.ToJson(Mount, Secret);
        var original = MountRecord.Parse(whole);
        Assert.True(original.IsSigned(Mount, Secret));
        Throw(whole, bytes =>
        {
            try
            {
                var record = MountRecord.Parse(bytes);
                Assert.True(!record.IsSigned(Mount, Secret) || record with { Signature = original.Signature } == original,
                    Encoding.UTF8.GetString(bytes));
            }
            catch (JsonException)
            {
                // It is none.
            }
        });
    }

    [Fact]
    public void A_mutated_session_record_does_not_open_and_neither_does_one_in_another_place()
    {
        var record = new SessionRecord(new HomeSession(Home, [1, 2, 3], 10_000), new RemoteSessionRecord(1, 0x52, [4, 5, 6], true),
            "proxy-1");
        var whole = record.Seal(Secret, Config);
        Assert.NotNull(SessionRecord.Open(whole, Secret, Config, Home, Config.Remotes[0]));
        Assert.Null(SessionRecord.Open(whole, Secret, Config, Home + 1, Config.Remotes[0]));
        Throw(whole, bytes => Assert.True(
            bytes.AsSpan().SequenceEqual(whole) || SessionRecord.Open(bytes, Secret, Config, Home, Config.Remotes[0]) is null));
    }

    [Fact]
    public void A_mutated_view_record_is_read_within_its_bounds_or_refused_with_a_reason()
    {
        var view = new ViewRecord
        {
            View = "us",
            Region = "us",
            Home = "us",
            Version = 3,
            Revision = 4,
            Mounts = [new ViewMount("eu", "/apps", PublishedState.Active)],
            Proxies = [new ViewProxy("p1", new Dictionary<string, long> { ["eu"] = 2 })
                { Reads = new Dictionary<string, string> { ["eu"] = "a:1" } }],
        };
        Throw(ViewRecordJson.Format(view), bytes =>
        {
            var read = ViewRecordJson.TryParse(bytes, "us", out var error);
            Assert.True(read is null ? error is { Length: > 0 } : ViewRecordJson.Format(read).Length <= ViewRecordJson.MaxBytes);
        });
    }

    [Fact]
    public void A_mutated_configuration_of_an_ensemble_names_legal_addresses_or_none()
    {
        var whole = "server.1=zk1:2888:3888:participant;0.0.0.0:2181\nserver.2=[::1]:2888:3888;2181\nversion=100000000\n"u8.ToArray();
        Assert.Equal(2, EnsembleConfig.Parse(whole).Servers.Count);
        Throw(whole, bytes => Assert.All(EnsembleConfig.Parse(bytes).Servers, s => Assert.InRange(s.Port, 1, 65_535)));
    }

    [Fact]
    public void A_mutated_configuration_of_a_proxy_is_taken_or_each_error_says_what_is_wrong()
    {
        var whole = Encoding.UTF8.GetBytes("""
            { "region": "us", "listen": "127.0.0.1:2181", "home": { "cluster": "us", "servers": ["a:1", "b:2"] },
              "remotes": { "eu": { "observers": "o:1", "servers": ["c:3"], "srv": null, "follow": true }, "ap": { "quorum": ["d:4"],
                  "sid": 200 } },
              "rules": { "r": { "path": "/a", "allow": "read", "clients": ["10.0.0.0/8", "cn:x"] } }, "proxyProtocol": ["::1/128"],
              "limits": { "connections": 100, "watches": 5 }, "timeouts": { "session": "10s" }, "secret": "u:p", "consistency": "ordered" }
            """);
        Throw(whole, bytes =>
        {
            File.WriteAllBytes(_file, bytes);
            var result = ProxyConfigLoader.Load(_file, null, new Dictionary<string, string>());
            Assert.True(result.Config is not null || result.Errors.Count > 0);
            Assert.All(result.Errors, e => Assert.NotEmpty(e.Message));
        });
    }

    /// <summary>What means something in JSON.</summary>
    private const string Marks = "{}[]\",:0-e/.\\n\0";

    private static void Throw(byte[] whole, Action<byte[]> read)
    {
        read(whole);
        var found = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var growth = new Growth(Rounds);
        for (var round = 0; round < Rounds; round++)
        {
            growth.At(round);
            try
            {
                read(Mutation.Of(whole, new Random(unchecked(Seed + round)), Marks));
            }
            catch (Exception e)
            {
                found.TryAdd(e.StackTrace?.Split('\n')[0].Trim() ?? "", $"round {round}: {e.Message} {e.StackTrace}");
            }
        }
        Assert.True(found.Count == 0, $"seed {Seed}:\n{string.Join('\n', found.Values)}");
        growth.AssertNone();
    }

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var number) ? number : otherwise;
}
