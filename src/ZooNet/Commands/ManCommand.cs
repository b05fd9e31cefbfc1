using System.CommandLine;
using ZooNet.Cli;

namespace ZooNet.Commands;

/// <summary><c>zoonet man</c>: writes the manual pages.</summary>
public static class ManCommand
{
    /// <summary>Builds the command.</summary>
    /// <param name="root">The command line to describe.</param>
    public static Command Create(Command root)
    {
        var folder = new Argument<string>("folder") { Description = "Where the pages go; made if it is not there.", HelpName = "FOLDER" };
        var command = new Command("man", "Write the manual pages, one for each command.") { folder };
        command.SetAction(parsed =>
        {
            var into = parsed.GetValue(folder)!;
            try
            {
                Directory.CreateDirectory(into);
                foreach (var (name, page) in ManPages.Of(root))
                {
                    File.WriteAllText(Path.Combine(into, name), page);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CommandFailedException($"can't write to {into}: {e.Message}");
            }
            return ExitCodes.Ok;
        });
        return command.WithExamples("""
            Examples:
              zoonet man /usr/local/share/man/man1 && man zoonet-proxy

            """);
    }
}
