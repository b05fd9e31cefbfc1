using System.Diagnostics;

namespace ZooNet.Federation.Tests.Interest;

/// <summary>
/// docs/spec/activation.pml and copies.pml, checked by spin: no interleaving of the protocols ends in what must not be, and with one
/// ingredient left out spin finds it. Skipped where spin or a C compiler is missing, except in CI.
/// </summary>
public sealed class ActivationSpecTests
{
    [SkippableTheory]
    [InlineData("-DALONE -DFIRST0=0")]
    [InlineData("-DALONE -DFIRST0=1")]
    [InlineData("-DALONE -DUNMOUNT -DFIRST0=0")]
    [InlineData("-DALONE -DUNMOUNT -DFIRST0=1")]
    [InlineData("-DFIRST0=1")]
    [InlineData("-DSTART -DFIRST0=1")]
    public async Task No_interleaving_lets_a_read_skip_a_barrier_that_a_cycle_needs(string options)
    {
        NeedSpin();
        var result = await CheckAsync($"{options} -DMUTATION=0");
        Assert.Contains("errors: 0", result, StringComparison.Ordinal);
        Assert.DoesNotContain("Search not completed", result, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData(1, "-DALONE -DFIRST0=1")]
    [InlineData(2, "-DFIRST0=1")]
    [InlineData(3, "-DALONE -DUNMOUNT -DFIRST0=1")]
    [InlineData(4, "-DUNMOUNT -DFIRST0=1")]
    [InlineData(5, "-DSTART -DFIRST0=1")]
    [InlineData(6, "-DDIE -DFIRST0=1")]
    public async Task Without_any_one_ingredient_spin_finds_the_cycle(int mutation, string options)
    {
        NeedSpin();
        Assert.Contains("assertion violated", await CheckAsync($"{options} -DMUTATION={mutation}"), StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task No_interleaving_lets_proxies_of_a_region_read_two_copies_unawares()
    {
        NeedSpin();
        var result = await CheckAsync("-DN=2 -DCHANGES=3", "copies.pml");
        Assert.Contains("errors: 0", result, StringComparison.Ordinal);
        Assert.DoesNotContain("Search not completed", result, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public async Task Without_any_one_ingredient_spin_finds_that_they_do(int mutation)
    {
        NeedSpin();
        Assert.Contains("assertion violated", await CheckAsync($"-DN=2 -DMUTATION={mutation}", "copies.pml"), StringComparison.Ordinal);
    }

    private static void NeedSpin()
    {
        var found = OnPath("spin") && OnPath("gcc");
        Assert.True(found || Environment.GetEnvironmentVariable("CI") != "true", "spin and gcc are needed in CI");
        Skip.IfNot(found, "spin and gcc are not installed");
    }

    private static bool OnPath(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Any(folder => File.Exists(Path.Combine(folder, name)));

    private static async Task<string> CheckAsync(string options, string spec = "activation.pml")
    {
        var folder = Directory.CreateTempSubdirectory("zoonet-spin-");
        try
        {
            await RunAsync(folder.FullName, "spin", $"-a {options} {SpecPath(spec)}");
            await RunAsync(folder.FullName, "gcc", "-O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=4000 -o pan pan.c");
            return await RunAsync(folder.FullName, Path.Combine(folder.FullName, "pan"), "-m200000 -w24");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<string> RunAsync(string folder, string file, string arguments)
    {
        var start = new ProcessStartInfo(file, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        try
        {
            var error = process.StandardError.ReadToEndAsync(timeout.Token);
            var output = await process.StandardOutput.ReadToEndAsync(timeout.Token);
            await process.WaitForExitAsync(timeout.Token);
            return output + await error;
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    private static string SpecPath(string spec)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "ZooNet.sln")))
        {
            folder = folder.Parent;
        }
        return Path.Combine(folder!.FullName, "docs", "spec", spec);
    }
}
