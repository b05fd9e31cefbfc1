using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Integration;

/// <summary>What a shell and an operator's scripts see of the executable.</summary>
public sealed class ShellTests
{
    [Fact]
    public async Task Bash_completes_commands_and_the_options_of_a_command()
    {
        var script = (await Zoonet.RunAsync(null, "completion", "bash")).Output;

        Assert.Equal("proxy", await CompleteAsync(script, "zoonet", "pro"));
        Assert.Equal("mount mounts", await CompleteAsync(script, "zoonet", "moun"));
        Assert.Equal("--consistency", await CompleteAsync(script, "zoonet", "proxy", "--cons"));
        Assert.Equal("bash", await CompleteAsync(script, "zoonet", "completion", "ba"));
    }

    [Theory]
    [InlineData("zsh", "#compdef zoonet")]
    [InlineData("fish", "complete -c zoonet -n __fish_use_subcommand -a proxy")]
    public async Task Other_shells_have_a_script_that_names_every_command(string shell, string line)
    {
        var result = await Zoonet.RunAsync(null, "completion", shell);

        Assert.Equal(0, result.ExitCode);
        Assert.Contains(line, result.Output);
        Assert.All(["proxy", "mount", "unmount", "mounts", "resolve", "status", "top", "events", "console", "server", "wan", "bench",
            "demo"],
            command => Assert.Contains(command, result.Output));
    }

    [Fact]
    public async Task There_is_a_manual_page_for_each_command_with_its_options_and_examples()
    {
        var folder = OwnedFolder.Create("man");
        try
        {
            var result = await Zoonet.RunAsync(null, "man", folder);

            Assert.Equal(new CommandResult(0, "", ""), result);
            var page = await File.ReadAllTextAsync(Path.Combine(folder, "zoonet-mount.1"));
            Assert.StartsWith(".TH ZOONET-MOUNT 1", page);
            Assert.Contains("\\-\\-force", page);
            Assert.Contains("zoonet mount eu:/apps /mnt/eu", page);
            Assert.Contains("zoonet\\-proxy(1)", await File.ReadAllTextAsync(Path.Combine(folder, "zoonet.1")));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task The_wan_command_relays_several_links_and_cuts_and_heals_them_together()
    {
        using var first = new TcpListener(IPAddress.Loopback, 0);
        using var second = new TcpListener(IPAddress.Loopback, 0);
        first.Start();
        second.Start();
        int[] ports = [FreePorts.Take(), FreePorts.Take(), FreePorts.Take()];
        var folder = OwnedFolder.Create("wan");
        await using var wan = ChildProcess.Start(Path.Combine(folder, "log"), Zoonet.Program, ["wan", "--rtt", "2ms", "--admin", $"127.0.0.1:{ports[2]}",
            "--listen", $"127.0.0.1:{ports[0]}", "--to", first.LocalEndpoint.ToString()!, "--listen", $"127.0.0.1:{ports[1]}", "--to", second.LocalEndpoint.ToString()!]);
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{ports[2]}") };
        await Eventually.Async(async () => await StatusAsync(http) is not null, "the relay listens");

        Assert.Equal("one", await PassAsync(first, ports[0], "one"));
        Assert.Equal("two", await PassAsync(second, ports[1], "two"));
        await http.PostAsync("/cut", null);
        Assert.Equal(["Reset", "Reset"], (await StatusAsync(http))!.Value.EnumerateArray().Select(link => link.GetProperty("cut").GetString()));
        await http.PostAsync("/heal", null);
        Assert.Equal("again", await PassAsync(second, ports[1], "again"));
        await wan.KillAsync();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Every_link_needs_both_ends()
    {
        var result = await Zoonet.RunAsync(null, "wan", "--listen", "127.0.0.1:1", "--to", "127.0.0.1:2", "--listen", "127.0.0.1:3");

        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--listen and --to must be given equally often", result.Error);
    }

    [Fact]
    public async Task A_health_check_fails_with_a_sentence_while_home_is_down_and_prints_nothing_else()
    {
        var (clients, admin, home) = (FreePorts.Take(), FreePorts.Take(), FreePorts.Take());
        var folder = OwnedFolder.Create("health");
        await using var proxy = ChildProcess.Start(Path.Combine(folder, "log"), Zoonet.Program, ["proxy", "--region", "us", "--listen", $"127.0.0.1:{clients}",
            "--admin", $"127.0.0.1:{admin}", "--home-cluster", "us", "--home-servers", $"127.0.0.1:{home}"]);
        var url = $"http://127.0.0.1:{admin}";
        CommandResult? result = null;
        await Eventually.Async(async () => !(result = await Zoonet.RunAsync(url, "status", "--ready")).Error.Contains("no proxy answers"), "the admin endpoint answers");

        Assert.Equal((1, ""), (result!.ExitCode, result.Output));
        Assert.Matches("proxy .* is not ready: home cluster us is down", result.Error);
        await proxy.KillAsync();
        Directory.Delete(folder, recursive: true);
    }

    private static async Task<JsonElement?> StatusAsync(HttpClient http)
    {
        try
        {
            return JsonDocument.Parse(await http.GetStringAsync("/status")).RootElement;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>Sends a text to a relay's port and returns what arrives at the other end.</summary>
    private static async Task<string> PassAsync(TcpListener target, int port, string text)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port, limit.Token);
        using var arrived = await target.AcceptTcpClientAsync(limit.Token);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(text), limit.Token);
        var received = new byte[text.Length];
        await arrived.GetStream().ReadExactlyAsync(received, limit.Token);
        return Encoding.ASCII.GetString(received);
    }

    /// <summary>What bash offers for the last word.</summary>
    private static async Task<string> CompleteAsync(string script, params string[] words)
    {
        var line = string.Join(' ', words.Select(word => $"'{word}'"));
        var info = new ProcessStartInfo("bash", ["-c", $"{script}\nCOMP_WORDS=({line}); COMP_CWORD={words.Length - 1}; _zoonet; echo \"${{COMPREPLY[@]}}\""]) { RedirectStandardOutput = true };
        using var bash = Process.Start(info)!;
        var offered = await bash.StandardOutput.ReadToEndAsync();
        await bash.WaitForExitAsync();
        return offered.Trim();
    }
}
