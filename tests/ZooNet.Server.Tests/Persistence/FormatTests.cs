using ZooNet.Client;
using static ZooNet.Server.Tests.EmbeddedServerTests;

namespace ZooNet.Server.Tests.Persistence;

/// <summary>The layout of the files is a promise: a folder written by an older build must be read by a newer one.</summary>
public sealed class FormatTests : IDisposable
{
    /// <summary>
    /// Written down by a program of its own from the layouts that LogFile, LogRecord and TxnCodec describe, not by the code under test.
    /// </summary>
    private const string Golden =
        "5A4E4C4F4700000100000000000000000000002C34843CE20000000000000010019259F9DC0000000000000000000000000000010000019259F9DC00"
        + "FFFFFFF6000027100000005ED523AED80000000000000044019259F9DC0000000000000100000000000000020000019259F9DC000000000100000002"
        + "2F610000000178000000010000001F00000005776F726C6400000006616E796F6E65000000000000000000000000000000010000004C167F12250000"
        + "0000000000AA019259F9DC0000000000000200000000000000030000019259F9DC000000000E0000000300000005000000022F61FFFFFFFF00000001"
        + "0000000D00000002000000022F6100000028B8DCB4DA00000000000000FE019259F9DC0000000000000300000000000000040000019259F9DC00FFFF"
        + "FFF5";

    private readonly string _folder = Directory.CreateTempSubdirectory("zoonet-format-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_log_has_the_bytes_it_always_had()
    {
        await using (var server = await EmbeddedServer.StartAsync(new EmbeddedServerOptions { DataDirectory = _folder, Time = new ManualTime() }))
        {
            await using var client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [At(server.Address)] });
            await client.CreateAsync("/a", "x"u8.ToArray());
            await client.MultiAsync([MultiOp.SetData("/a", null), MultiOp.Check("/a"), MultiOp.Delete("/a")]);
        }
        var log = await File.ReadAllBytesAsync(Path.Combine(_folder, "log.0000000000000000"));
        Assert.True(Golden == Convert.ToHexString(log), $"the bytes are {Convert.ToHexString(log)}");
    }
}
