using System.Text;

namespace ZooNet.Federation.Tests.Scenarios;

/// <summary>
/// The files beside this one show the rules to a reader: what a client and the servers do, and below a line of dashes what the session
/// makes of it. They are run as they stand. With ZOONET_REWRITE=1 in the environment the expected output is written anew; read the
/// difference before you keep it.
/// </summary>
public sealed class ScenarioTests
{
    private static readonly string Folder = FindFolder();

    public static TheoryData<string> Files => [.. Directory.EnumerateFiles(Folder, "*.txt").Select(f => Path.GetFileName(f)!).Order()];

    [Theory]
    [MemberData(nameof(Files))]
    public void A_scenario_happens_as_it_is_written(string file)
    {
        var path = Path.Combine(Folder, file);
        var written = File.ReadAllText(path);
        var happened = Run(written);
        if (Environment.GetEnvironmentVariable("ZOONET_REWRITE") == "1")
        {
            File.WriteAllText(path, happened);
            return;
        }
        Assert.Equal(written, happened, ignoreLineEndingDifferences: true);
    }

    /// <summary>Runs a file and returns it with the output that there was.</summary>
    private static string Run(string text)
    {
        var scenario = new Scenario();
        var (result, commands) = (new StringBuilder(), new List<string>());
        var isOutput = false;
        foreach (var line in text.TrimEnd('\n').Split('\n').Append(""))
        {
            if (isOutput)
            {
                // What was expected is left out; a blank line ends it.
                isOutput = line.Length > 0;
                if (!isOutput)
                {
                    result.Append('\n');
                }
                continue;
            }
            result.Append(line).Append('\n');
            if (line == "----")
            {
                commands.ForEach(scenario.Do);
                commands.Clear();
                scenario.TakeOutput().ForEach(o => result.Append(o).Append('\n'));
                isOutput = true;
            }
            else if (line.Length > 0 && line[0] != '#')
            {
                commands.Add(line);
            }
        }
        Assert.Empty(commands);
        return result.ToString().TrimEnd('\n') + "\n";
    }

    private static string FindFolder()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "ZooNet.sln")))
        {
            root = root.Parent ?? throw new DirectoryNotFoundException("the tests do not run below the project's root");
        }
        return Path.Combine(root.FullName, "tests", "ZooNet.Federation.Tests", "Scenarios");
    }
}
