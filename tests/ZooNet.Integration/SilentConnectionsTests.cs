using System.Diagnostics;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Server;

namespace ZooNet.Integration;

/// <summary>A proxy that may open few files, and three times as many connections that say nothing.</summary>
public sealed partial class SilentConnectionsTests
{
    [Theory]
    [InlineData(256)]
    [InlineData(1024)]
    public async Task Three_times_as_many_silent_connections_as_files_stop_neither_the_proxy_nor_who_is_there_and_cost_nothing(int files)
    {
        await using var home = await EmbeddedServer.StartAsync(new EmbeddedServerOptions());
        await using var proxy = await StartAsync(home, files);
        using var http = new HttpClient { BaseAddress = proxy.Admin };
        var silent = new List<Socket>();
        try
        {
            await using (var good = await ConnectAsync(proxy))
            {
                await good.CreateAsync("/x");
                for (var i = 0; i < 3 * files; i++)
                {
                    var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                    silent.Add(socket);
                    await socket.ConnectAsync(proxy.Address.Host, proxy.Address.Port).WaitAsync(TimeSpan.FromSeconds(30));
                }
                await Eventually.Async(async () => Refused(await http.GetStringAsync("metrics")) > files, "they are refused");
                // Who tries to accept again and again takes a whole processor for ever; the runtime compiles for some seconds.
                await Eventually.Async(async () => await ShareAsync(proxy, http, good) < 0.05, "it rests", TimeSpan.FromMinutes(1));
            }
            silent.ForEach(s => s.Dispose());
            var again = await Eventually.AgainAsync(() => ConnectAsync(proxy));
            Assert.True((await again.ExistsAsync("/x")).Exists);
            await again.CloseAsync();
            await again.DisposeAsync();
        }
        finally
        {
            silent.ForEach(s => s.Dispose());
        }
        // Once in ten seconds, with how many were left out; and nothing was ever out of files.
        Assert.InRange(Regex.Count(proxy.Log, "a connection from .* was refused"), 1, 10);
        Assert.DoesNotContain("no connection can be accepted", proxy.Log, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(128)]
    [InlineData(250)]
    public async Task With_fewer_files_than_a_proxy_needs_it_says_so_and_does_not_start(int files)
    {
        await using var home = await EmbeddedServer.StartAsync(new EmbeddedServerOptions());
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(home, files));
        Assert.Contains($"the process may open {files} files, and a proxy needs 256 before the first client", error.Message,
            StringComparison.Ordinal);
        Assert.Contains("raise the hard limit (ulimit -H -n, LimitNOFILE)", error.Message, StringComparison.Ordinal);
    }

    private static Task<ProxyProcess> StartAsync(EmbeddedServer home, int files) => ProxyProcess.StartAsync(
        new ProxyCluster("us", [new ServerAddress("127.0.0.1", home.Address.Port)], []), [],
        launcher: ["bash", "-c", $"ulimit -n {files}; exec \"$0\" \"$@\""]);

    private static Task<ZooKeeperClient> ConnectAsync(ProxyProcess proxy) => ZooKeeperClient.ConnectAsync(
        new ZooKeeperClientOptions { Servers = [proxy.Address], SessionTimeout = TimeSpan.FromSeconds(40) });

    /// <summary>How much of a processor it takes, while it is looked at and its client asks something now and then.</summary>
    private static async Task<double> ShareAsync(ProxyProcess proxy, HttpClient http, ZooKeeperClient good)
    {
        var (began, cpu) = (Stopwatch.GetTimestamp(), CpuOf(proxy.ProcessId));
        for (var i = 0; i < 10; i++)
        {
            Assert.True((await http.GetAsync("live")).IsSuccessStatusCode);
            Assert.True((await good.ExistsAsync("/x")).Exists);
            await Task.Delay(TimeSpan.FromMilliseconds(300));
        }
        return (CpuOf(proxy.ProcessId) - cpu) / Stopwatch.GetElapsedTime(began);
    }

    private static TimeSpan CpuOf(int process)
    {
        using var running = Process.GetProcessById(process);
        return running.TotalProcessorTime;
    }

    private static double Refused(string metrics) => RefusedLines().Matches(metrics)
        .Sum(m => double.Parse(m.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture));

    [GeneratedRegex("^zoonet_connections_refused_total\\{[^}]*\\} ([0-9.e+]+)", RegexOptions.Multiline)]
    private static partial Regex RefusedLines();
}
