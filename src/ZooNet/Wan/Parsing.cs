using System.CommandLine.Parsing;

namespace ZooNet.Wan;

/// <summary>Turns a parser that throws into one for a command line: bad usage is reported with the parser's own words.</summary>
internal static class Parsing
{
    /// <summary>A parser of one token.</summary>
    public static Func<ArgumentResult, T?> Of<T>(Func<string, T> parse) => result =>
    {
        try
        {
            return parse(result.Tokens[0].Value);
        }
        catch (FormatException e)
        {
            result.AddError(e.Message);
            return default;
        }
    };

    /// <summary>A parser of an option that may be given several times.</summary>
    public static Func<ArgumentResult, T[]?> All<T>(Func<string, T> parse) => result =>
    {
        try
        {
            return [.. result.Tokens.Select(token => parse(token.Value))];
        }
        catch (FormatException e)
        {
            result.AddError(e.Message);
            return null;
        }
    };
}
