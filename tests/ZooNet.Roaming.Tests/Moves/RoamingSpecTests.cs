using System.Diagnostics;

namespace ZooNet.Roaming.Tests.Moves;

/// <summary>
/// docs/spec/roaming.pml, checked by spin: no interleaving of moves commits two entries at one index, and with one ingredient left out
/// spin finds
/// one that does. Skipped where spin or a C compiler is missing, except in CI.
/// </summary>
public sealed class RoamingSpecTests
{
    [SkippableFact]
    public async Task No_interleaving_of_moves_loses_an_entry_or_commits_two_at_one_index()
    {
        var result = await CheckAsync(mutation: 0);
        Assert.Contains("errors: 0", result, StringComparison.Ordinal);
        Assert.DoesNotContain("Search not completed", result, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public async Task Without_any_one_ingredient_spin_finds_one_that_does(int mutation) =>
        Assert.Contains("assertion violated", await CheckAsync(mutation), StringComparison.Ordinal);

    private static async Task<string> CheckAsync(int mutation)
    {
        var found = OnPath("spin") && OnPath("gcc");
        Assert.True(found || Environment.GetEnvironmentVariable("CI") != "true", "spin and gcc are needed in CI");
        Skip.IfNot(found, "spin and gcc are not installed");
        var folder = Directory.CreateTempSubdirectory("zoonet-spin-");
        try
        {
            await RunAsync(folder.FullName, "spin", $"-a -DN=2 -DEPOCHS=3 -DENTRIES=2 -DMUTATION={mutation} {SpecPath()}");
            await RunAsync(folder.FullName, "gcc", "-O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=4000 -o pan pan.c");
            return await RunAsync(folder.FullName, Path.Combine(folder.FullName, "pan"), "-m200000 -w22");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static bool OnPath(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Any(folder => File.Exists(Path.Combine(folder, name)));

    private static async Task<string> RunAsync(string folder, string file, string arguments)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true
        };
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

    private static string SpecPath()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "ZooNet.sln")))
        {
            folder = folder.Parent;
        }
        return Path.Combine(folder!.FullName, "docs", "spec", "roaming.pml");
    }
}
