using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace ZooNet.Protocol.Tests;

/// <summary>docs/compatibility.md says of each release what was captured from it.</summary>
public sealed class CompatibilityTests
{
    [Fact]
    public void The_table_of_what_differs_by_version_is_what_the_servers_answered()
    {
        var page = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "compatibility.md"));

        Assert.Contains(Table(), page, StringComparison.Ordinal);
    }

    /// <summary>A row for each request to which not all releases gave the same answer.</summary>
    private static string Table()
    {
        var answers = GoldenFrames.Versions.ToDictionary(version => version, Answers);
        var page = new StringBuilder("| request | ").AppendJoin(" | ", GoldenFrames.Versions).Append(" |\n|---|");
        page.Insert(page.Length, "---|", GoldenFrames.Versions.Length).Append('\n');
        foreach (var name in answers["3.8.0"].Keys)
        {
            var row = GoldenFrames.Versions.Select(version => answers[version].GetValueOrDefault(name, "-")).ToList();
            if (row.Distinct().Count() > 1)
            {
                page.Append("| ").Append(name).Append(" | ").AppendJoin(" | ", row).Append(" |\n");
            }
        }
        return page.ToString();
    }

    /// <summary>How a release answered each request: an error, the length of what was shown, events, a closed connection.</summary>
    private static Dictionary<string, string> Answers(string version)
    {
        var answers = new Dictionary<string, string>();
        var asked = "";
        foreach (var (kind, name, payload) in GoldenFrames.Lines(version))
        {
            if (kind == '>')
            {
                asked = name;
                answers[asked] = "";
            }
            else if (name != "connect" && kind is '<' or 'x')
            {
                var what = kind == 'x' ? "closed" : name == "event" ? Event(payload) : Reply(payload);
                answers[asked] = answers[asked].Length == 0 ? what : $"{answers[asked]}, {what}";
            }
        }
        return answers;
    }

    private static string Event(byte[] payload) =>
        BinaryPrimitives.ReadInt64BigEndian(payload.AsSpan(4)) < 0 ? "event" : "event with zxid";

    private static string Reply(byte[] payload)
    {
        var error = BinaryPrimitives.ReadInt32BigEndian(payload.AsSpan(12));
        return error == 0 ? $"{payload.Length - 16} bytes" : error.ToString(CultureInfo.InvariantCulture);
    }
}
