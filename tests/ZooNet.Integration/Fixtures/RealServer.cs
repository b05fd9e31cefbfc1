using System.Net;
using System.Net.Sockets;
using System.Text;
using ZooNet.Client;
using ZooNet.Wan;

namespace ZooNet.Integration.Fixtures;

/// <summary>One ZooKeeper server process of a <see cref="RealEnsemble"/>. It keeps its data and its ports over a restart.</summary>
public sealed class RealServer : IAsyncDisposable
{
    private static readonly string[] JvmFlags = ["-Xmx96m", "-Xss256k", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-XX:-UsePerfData",
        "-Dzookeeper.jmx.log4j.disable=true", "-Dzookeeper.admin.enableServer=false", "-Dzookeeper.forceSync=no", "-Dzookeeper.preAllocSize=1024",
        "-Dzookeeper.extendedTypesEnabled=true", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"];

    private readonly string _folder;
    private readonly IReadOnlyList<string> _jvm;
    private readonly IReadOnlyList<string> _launcher;
    private ChildProcess? _process;

    internal RealServer(int id, bool isObserver, int clientPort, int quorumPort, string folder, IReadOnlyList<string> launcher,
        IReadOnlyList<string> jvm, IReadOnlyList<WanRelay> relays)
    {
        Id = id;
        IsObserver = isObserver;
        ClientPort = clientPort;
        QuorumPort = quorumPort;
        Relays = relays;
        _folder = folder;
        _jvm = jvm;
        _launcher = launcher;
    }

    /// <summary>Its number in the ensemble.</summary>
    public int Id { get; }

    /// <summary>Whether it is an observer.</summary>
    public bool IsObserver { get; }

    /// <summary>Where clients connect, on 127.0.0.1.</summary>
    public int ClientPort { get; }

    /// <summary>Where learners connect while it leads, on 127.0.0.1.</summary>
    public int QuorumPort { get; }

    /// <summary>Where clients connect.</summary>
    public ServerAddress Address => new("127.0.0.1", ClientPort);

    /// <summary>The process id; 0 while it is down.</summary>
    public int ProcessId => _process is { HasExited: false } process ? process.Id : 0;

    /// <summary>
    /// The WAN between this observer and the voters: one relay for each voter's port. Empty for a server on the voters' side.
    /// </summary>
    public IReadOnlyList<WanRelay> Relays { get; }

    /// <summary>Where its snapshots and transaction logs are.</summary>
    public string DataFolder => Path.Combine(_folder, "data", "version-2");

    /// <summary>What it has logged.</summary>
    public string Log => _process?.Output ?? "";

    /// <summary>Cuts the WAN behind this observer; see <see cref="WanRelay.Cut"/>.</summary>
    public void CutWan()
    {
        foreach (var relay in Relays)
        {
            relay.Cut();
        }
    }

    /// <summary>Ends <see cref="CutWan"/>.</summary>
    public void HealWan()
    {
        foreach (var relay in Relays)
        {
            relay.Heal();
        }
    }

    /// <summary>Kills the process and waits until it is gone; its data stays.</summary>
    public async Task KillAsync()
    {
        if (_process is { } process)
        {
            await process.DisposeAsync();
            _process = null;
        }
    }

    /// <summary>Kills the process, takes its data away, and starts it again: an operator who set the server up anew.</summary>
    public async Task WipeAsync()
    {
        await KillAsync();
        Directory.Delete(DataFolder, recursive: true);
        await RestartAsync();
    }

    /// <summary>Stops the process without ending it: its connections stay open and silent.</summary>
    public void Pause() => _process?.Signal("STOP");

    /// <summary>Ends <see cref="Pause"/>.</summary>
    public void Resume() => _process?.Signal("CONT");

    /// <summary>Starts it again after <see cref="KillAsync"/>, and waits until it serves.</summary>
    public async Task RestartAsync()
    {
        await KillAsync();
        StartProcess();
        await WaitServingAsync(TimeSpan.FromSeconds(60));
    }

    /// <summary>Sends a four-letter word.</summary>
    /// <returns>The answer; empty where the server is down.</returns>
    public async Task<string> FourLetterWordAsync(string word)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, ClientPort, limit.Token);
            var stream = client.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes(word), limit.Token);
            using var reader = new StreamReader(stream);
            return await reader.ReadToEndAsync(limit.Token);
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
        {
            return "";
        }
    }

    /// <summary>Its mode as it says itself: leader, follower, observer or standalone; null while it is not serving.</summary>
    public async Task<string?> ModeAsync()
    {
        var lines = (await FourLetterWordAsync("srvr")).Split('\n');
        return lines.FirstOrDefault(line => line.StartsWith("Mode: ", StringComparison.Ordinal))?["Mode: ".Length..].Trim();
    }

    /// <summary>Waits until it serves clients.</summary>
    /// <exception cref="InvalidOperationException">It has ended; the message holds its log.</exception>
    /// <exception cref="TimeoutException">It does not in time; the message holds its log.</exception>
    public async Task WaitServingAsync(TimeSpan limit)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (await ModeAsync() is null)
        {
            if (_process is null or { HasExited: true })
            {
                throw new InvalidOperationException($"server {Id} ended:\n{Log}");
            }
            if (TimeProvider.System.GetElapsedTime(began) > limit)
            {
                throw new TimeoutException($"server {Id} does not serve after {limit}:\n{Log}");
            }
            await Task.Delay(50);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        foreach (var relay in Relays)
        {
            await relay.DisposeAsync();
        }
    }

    internal void StartProcess()
    {
        IReadOnlyList<string> command = [.. _launcher, "java", .. JvmFlags, .. _jvm, "-cp", JavaZooKeeper.ClassPath,
            "org.apache.zookeeper.server.quorum.QuorumPeerMain", Path.Combine(_folder, "zoo.cfg")];
        _process = ChildProcess.Start(Path.Combine(_folder, "log"), command[0], command.Skip(1));
    }
}
