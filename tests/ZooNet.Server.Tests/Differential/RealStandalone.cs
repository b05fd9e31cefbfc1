using System.Net;
using System.Net.Sockets;
using System.Text;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Server.Tests.Differential;

/// <summary>
/// A real stand-alone ZooKeeper 3.8.0 on a free port. It dies with this process, however that ends, and its folder goes on disposal.
/// </summary>
internal sealed class RealStandalone : IAsyncDisposable
{
    private const string Prefix = "zoonet-standalone-";

    private readonly string _folder;
    private readonly ChildProcess _process;

    private RealStandalone(string folder, ChildProcess process, IPEndPoint address)
    {
        _folder = folder;
        _process = process;
        Address = address;
    }

    public IPEndPoint Address { get; }

    /// <summary>What it has logged.</summary>
    public string Log => _process.Output;

    /// <summary>Starts a server and waits until it serves.</summary>
    /// <param name="config">Further lines of zoo.cfg.</param>
    /// <param name="jvm">Further flags of the Java machine.</param>
    public static async Task<RealStandalone> StartAsync(IEnumerable<string> config, IEnumerable<string> jvm)
    {
        RemoveLeftFolders();
        var folder = Directory.CreateTempSubdirectory($"{Prefix}{Environment.ProcessId}-").FullName;
        var address = new IPEndPoint(IPAddress.Loopback, FreePorts.Take());
        await File.WriteAllLinesAsync(Path.Combine(folder, "zoo.cfg"),
        [
            $"dataDir={folder}/data", $"clientPort={address.Port}", "clientPortAddress=127.0.0.1", "tickTime=2000", "maxClientCnxns=0",
            "admin.enableServer=false", "4lw.commands.whitelist=*", .. config,
        ]);
        var process = ChildProcess.Start(Path.Combine(folder, "log"), "java",
        [
            "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
            "-Dzookeeper.forceSync=no", "-Dzookeeper.preAllocSize=1024", "-Dzookeeper.extendedTypesEnabled=true", .. jvm,
            "-cp", JavaZooKeeper.ClassPath, "org.apache.zookeeper.server.quorum.QuorumPeerMain", Path.Combine(folder, "zoo.cfg"),
        ]);
        var server = new RealStandalone(folder, process, address);
        var began = TimeProvider.System.GetTimestamp();
        while (!(await AskAsync(address, "srvr")).Contains("Mode: ", StringComparison.Ordinal))
        {
            if (process.HasExited || TimeProvider.System.GetElapsedTime(began) > TimeSpan.FromSeconds(60))
            {
                var log = server.Log;
                await server.DisposeAsync();
                throw new InvalidOperationException($"ZooKeeper does not start:\n{log}");
            }
            await Task.Delay(50);
        }
        return server;
    }

    /// <summary>Sends a four-letter word.</summary>
    /// <returns>The answer; empty where nobody listens, or where no answer comes: a server that is asked while it starts may forget to
    /// close.</returns>
    public static async Task<string> AskAsync(IPEndPoint address, string word)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(address, limit.Token);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(word), limit.Token);
            using var reader = new StreamReader(client.GetStream());
            return await reader.ReadToEndAsync(limit.Token);
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
        {
            return "";
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>A killed test process can't remove its folder: the next one does. The process id is in the name.</summary>
    private static void RemoveLeftFolders()
    {
        foreach (var folder in Directory.EnumerateDirectories(Path.GetTempPath(), Prefix + "*"))
        {
            if (!Directory.Exists($"/proc/{Path.GetFileName(folder)[Prefix.Length..].Split('-')[0]}"))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }
}
