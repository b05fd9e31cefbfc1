using System.Diagnostics;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Integration.Clients;

/// <summary>
/// One of the programs under tests/clients: it drives an unmodified ZooKeeper client and says what passed and what did not.
/// </summary>
/// <param name="Path">Its path below tests/clients.</param>
/// <param name="Needs">Files and programs that must be there; each with the Debian package that brings it.</param>
public sealed record ClientProgram(string Path, params (string File, string Package)[] Needs)
{
    /// <summary>How long a program may take. On an idle machine none takes more than a minute and a half.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(8);

    /// <summary>The repository, found from where the tests were built.</summary>
    private static string Root { get; } = FindRoot();

    /// <summary>Skips the test where something is missing, except where CI=true: there it fails.</summary>
    public void Require()
    {
        Jars.Require();
        foreach (var (file, package) in Needs)
        {
            var found = file.Contains('/') ? File.Exists(file) : FindOnPath(file);
            Assert.True(found || !Jars.IsCi, $"{file} is missing (apt install {package}), and CI=true demands it");
            Skip.IfNot(found, $"{file} is missing: apt install {package}");
        }
    }

    /// <summary>Runs it, and fails the test with what it said unless it ends with exit code 0.</summary>
    /// <returns>What it printed.</returns>
    public async Task<string> RunAsync(params IEnumerable<string> arguments)
    {
        var output = System.IO.Path.GetTempFileName();
        try
        {
            await using var process = ChildProcess.Start(output, System.IO.Path.Combine(Root, "tests", "clients", Path), arguments);
            try
            {
                await process.WaitForExitAsync().WaitAsync(Limit);
            }
            catch (TimeoutException)
            {
                Assert.Fail($"{Path} did not end within {Limit}:\n{process.Output}");
            }
            Assert.True(process.ExitCode == 0, $"{Path} ended with exit code {process.ExitCode}:\n{process.Output}");
            return process.Output;
        }
        finally
        {
            File.Delete(output);
        }
    }

    private static bool FindOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(System.IO.Path.Combine(folder, program)));

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(System.IO.Path.Combine(folder.FullName, "ZooNet.sln")))
        {
            folder = folder.Parent ?? throw new UnreachableException("the tests are not run from within the repository");
        }
        return folder.FullName;
    }
}
