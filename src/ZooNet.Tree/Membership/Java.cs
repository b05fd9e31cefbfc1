using System.Globalization;

namespace ZooNet.Tree.Membership;

/// <summary>Text taken apart as Java does it, since that decides which input a real server takes.</summary>
internal static class Java
{
    /// <summary>As <c>String.split</c>: empty parts at the end don't count.</summary>
    public static string[] Split(string text, char separator)
    {
        var parts = text.Split(separator);
        var count = parts.Length;
        while (count > 0 && parts[count - 1].Length == 0)
        {
            count--;
        }
        return parts[..count];
    }

    /// <summary>As ZooKeeper's <c>StringUtils.split</c>: trimmed, without empty parts.</summary>
    public static string[] SplitList(string text, char separator) =>
        text.Split(separator, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>As <c>Integer.parseInt</c>: a sign is fine, spaces are not.</summary>
    public static bool TryParseInt(string text, out int value) => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);

    /// <summary>As <c>Long.parseLong</c>.</summary>
    public static bool TryParseLong(string text, out long value) => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);

    /// <summary>
    /// The lines of a property file: comments left out, a key ends at the first '=', ':' or space. Escapes are not known.
    /// </summary>
    public static IEnumerable<(string Key, string Value)> Properties(string text)
    {
        foreach (var line in text.Split('\n', '\r').Select(l => l.Trim()))
        {
            if (line.Length == 0 || line[0] is '#' or '!')
            {
                continue;
            }
            var end = line.IndexOfAny(['=', ':', ' ', '\t']);
            yield return end < 0 ? (line, "") : (line[..end], line[end..].TrimStart(' ', '\t') is ['=' or ':', ..] rest ? rest[1..].Trim() : line[end..].Trim());
        }
    }
}
