using System.Text.RegularExpressions;

namespace ZooNet.Proxy.Tests.Tidy;

/// <summary>What documents and code say of each other is true, and nothing in the repository is about one machine.</summary>
public sealed partial class TidyTests
{
    private static readonly string[] Tops = [.. Directory.EnumerateDirectories(Repository.Root).Select(d => Path.GetFileName(d)!).Where(d => d != ".git")];

    [Fact]
    public void Every_link_of_a_document_leads_somewhere()
    {
        var broken = from document in Repository.Documents
                     from Match link in Link().Matches(WithoutCodeBlocks(document.Value))
                     let target = link.Groups[1].Value.Split('#')[0]
                     where target.Length > 0 && !target.Contains(':', StringComparison.Ordinal)
                     let path = Path.GetRelativePath(Repository.Root, Path.Combine(Repository.Root, Path.GetDirectoryName(document.Key)!, target))
                     where !Repository.Has(path)
                     select $"{document.Key}: {target}";
        Assert.Empty(broken);
    }

    [Fact]
    public void Every_path_that_a_document_names_exists()
    {
        var missing = from document in Repository.Documents
                      from Match code in Code().Matches(WithoutCodeBlocks(document.Value))
                      let path = code.Groups[1].Value.Split(' ')[0].TrimEnd('/')
                      // Paths from the top, or from the document's own folder; patterns and placeholders are none.
                      where Tops.Contains(path.Split('/')[0]) && path.Contains('/', StringComparison.Ordinal) && RealPath().IsMatch(path)
                      where !Repository.Has(path) && !Repository.Has(Path.Combine(Path.GetDirectoryName(document.Key)!, path))
                      select $"{document.Key}: {path}";
        Assert.Empty(missing);
    }

    [Fact]
    public void Every_type_that_a_document_names_is_in_the_code()
    {
        var words = Repository.Sources.Where(s => !s.Key.Contains("/Tidy/", StringComparison.Ordinal)).SelectMany(s => Word().Matches(s.Value).Select(m => m.Value)).ToHashSet();
        // These tests are left out of the words, and one of them may still be named in a document.
        var missing = from document in Repository.Documents
                      where document.Key.StartsWith("docs/", StringComparison.Ordinal) || !document.Key.Contains('/', StringComparison.Ordinal)
                      from Match code in Code().Matches(WithoutCodeBlocks(document.Value))
                      where TypeName().IsMatch(code.Groups[1].Value)
                      from name in code.Groups[1].Value.Split('.')
                      where !words.Contains(name) && name != nameof(TidyTests)
                      select $"{document.Key}: {name}";
        Assert.Empty(missing);
    }

    [Fact]
    public void Every_method_that_a_document_names_is_in_the_file_that_it_names()
    {
        var named = (from document in Repository.Documents
                     from Match method in FileAndMethod().Matches(document.Value)
                     select (Document: document.Key, File: method.Groups[1].Value, Method: method.Groups[2].Value)).ToList();
        Assert.NotEmpty(named);
        var missing = from n in named
                      let files = Repository.Sources.Where(s => Path.GetFileName(s.Key) == n.File).ToList()
                      where !files.Exists(f => Regex.IsMatch(f.Value, $@"\b{n.Method}(<\w+>)?\("))
                      select $"{n.Document}: {n.File}:{n.Method}";
        Assert.Empty(missing);
    }

    [Fact]
    public void The_steps_in_the_code_are_those_of_the_architecture()
    {
        var told = Step().Matches(Repository.Files["docs/architecture.md"]).Select(m => m.Groups[1].Value + m.Groups[2].Value).ToHashSet();
        var coded = Repository.Sources.Where(s => s.Key.StartsWith("src/", StringComparison.Ordinal))
            .SelectMany(s => StepInCode().Matches(s.Value).Select(m => m.Groups[1].Value)).ToHashSet();
        Assert.Equal(told.Order(), coded.Order());
    }

    [Fact]
    public void Ids_of_log_messages_are_unique()
    {
        var ids = (from source in Repository.Sources
                   where source.Key.StartsWith("src/", StringComparison.Ordinal)
                   from Match message in LogMessage().Matches(source.Value)
                   select (Id: int.Parse(message.Groups[1].Value), source.Key)).ToList();
        Assert.NotEmpty(ids);
        Assert.Empty(ids.GroupBy(i => i.Id).Where(g => g.Count() > 1).Select(g => $"{g.Key}: {string.Join(", ", g.Select(i => i.Key))}"));
    }

    [Fact]
    public void Every_log_message_has_an_id_that_this_test_can_read()
    {
        var without = from source in Repository.Sources
                      where source.Key.StartsWith("src/", StringComparison.Ordinal)
                      let attributes = AnyLogMessage().Count(source.Value)
                      where attributes != LogMessage().Count(source.Value)
                      select source.Key;
        Assert.Empty(without);
    }

    [Fact]
    public void No_file_is_about_one_machine()
    {
        // Written in two parts, so that this file does not find itself.
        string[] unwanted = ["/wo" + "rk/", "/ho" + "me/", "C:" + @"\Users\", "nug" + "et.org", "npm" + "js.", "py" + "pi.", "crat" + "es.io", "maven" + ".org", "go" + "lang.org", "arti" + "factory"];
        var found = from file in Repository.Files
                    from text in unwanted
                    where file.Value.Contains(text, StringComparison.OrdinalIgnoreCase)
                    select $"{file.Key}: {text}";
        Assert.Empty(found);
    }

    /// <summary>A ratchet: the numbers only go down. Whoever shortens lines lowers them; who adds a long one breaks another.</summary>
    [Theory]
    [InlineData(".cs", 140, 913)]
    [InlineData(".md", 120, 90)]
    public void There_are_no_more_long_lines_than_there_were(string ending, int columns, int limit)
    {
        var longLines = (from file in Repository.Files
                         where file.Key.EndsWith(ending, StringComparison.Ordinal)
                         // A row of a table can't be broken, and what a program printed is shown as it was printed.
                         let text = ending == ".md" ? WithoutCodeBlocks(file.Value) : file.Value
                         from line in text.Split('\n')
                         where line.Length > columns && !(ending == ".md" && line.StartsWith('|'))
                         select $"{file.Key}: {line}").ToList();
        Assert.True(longLines.Count <= limit,
            $"{longLines.Count} lines of {ending} files are longer than {columns} columns, and {limit} were: break the one that you added");
    }

    [Fact]
    public void No_source_file_is_longer_than_800_lines_but_the_session_that_ADR_13_names()
    {
        var tooLong = from source in Repository.Sources
                      where source.Key.StartsWith("src/", StringComparison.Ordinal)
                      let lines = source.Value.Count(c => c == '\n')
                      where lines > (Path.GetFileName(source.Key) == "FederatedSession.cs" ? 999 : 800)
                      select $"{source.Key}: {lines}";
        Assert.Empty(tooLong);
    }

    private static string WithoutCodeBlocks(string markdown) => CodeBlock().Replace(markdown, "");

    [GeneratedRegex(@"^(```|~~~).*?^\1[ \t]*$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex CodeBlock();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"`([^`\n]+)`")]
    private static partial Regex Code();

    [GeneratedRegex(@"^[\w./-]+$")]
    private static partial Regex RealPath();

    /// <summary>Two humps or more: a word with one is as likely to be somebody else's.</summary>
    [GeneratedRegex(@"^[A-Z][a-z0-9]+([A-Z][a-z0-9]+)+(\.[A-Z][A-Za-z0-9]+)?$")]
    private static partial Regex TypeName();

    [GeneratedRegex(@"\w+")]
    private static partial Regex Word();

    [GeneratedRegex(@"`(\w+\.cs):(\w+)`")]
    private static partial Regex FileAndMethod();

    [GeneratedRegex(@"^(?:(\d)\. |   - (\d[a-z])\. )", RegexOptions.Multiline)]
    private static partial Regex Step();

    [GeneratedRegex(@"\bStep (\d[a-z]?)\b")]
    private static partial Regex StepInCode();

    [GeneratedRegex(@"\[LoggerMessage\((?:EventId = )?(\d+)\b")]
    private static partial Regex LogMessage();

    [GeneratedRegex(@"\[LoggerMessage\b")]
    private static partial Regex AnyLogMessage();
}
