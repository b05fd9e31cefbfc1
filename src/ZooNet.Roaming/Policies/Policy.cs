using System.Globalization;
using System.Text.RegularExpressions;

namespace ZooNet.Roaming.Policies;

/// <summary>
/// What a tree's operator asks for: <c>pinned</c>; <c>majority</c> with <c>window=</c>, <c>windows=</c>, <c>margin=</c>, <c>hold=</c>,
/// <c>longest=</c>, <c>writes=</c>; or <c>consecutive=N</c> with <c>center=</c>, <c>hold=</c>, <c>longest=</c>; separated by commas.
/// Immutable.
/// </summary>
internal sealed partial class Policy
{
    /// <summary>The longest text, in characters.</summary>
    public const int MaxLength = 200;

    /// <summary>The text of the default.</summary>
    public const string Default = "pinned";

    private readonly Func<Placement> _make;

    private Policy(Func<Placement> make) => _make = make;

    /// <summary>A placement that has seen nothing yet.</summary>
    public Placement Create() => _make();

    /// <summary>Reads a policy.</summary>
    /// <param name="text">What the operator wrote; null for the default.</param>
    /// <param name="zones">The tree's zones.</param>
    /// <param name="arbiter">The centre where none is named.</param>
    /// <exception cref="RoamingDataException">It is none: what is wrong, and what can be said.</exception>
    public static Policy Parse(string? text, IReadOnlyList<string> zones, string arbiter)
    {
        text ??= Default;
        if (text.Length > MaxLength)
        {
            throw new RoamingDataException($"the policy has {text.Length} characters, and {MaxLength} are the most");
        }
        var parts = text.Split(',', StringSplitOptions.TrimEntries).Select(p => p.Split('=', 2, StringSplitOptions.TrimEntries)).ToList();
        var words = new Words(text, parts[0][0]);
        foreach (var part in parts.Skip(1))
        {
            words.Add(part);
        }
        var policy = (parts[0][0], parts[0].Length) switch
        {
            ("pinned", 1) => new Policy(static () => new Pinned()),
            ("majority", 1) => MajorityOf(words),
            ("consecutive", 2) => ConsecutiveOf(words, parts[0][1], zones, arbiter),
            _ => throw new RoamingDataException($"the policy '{text}' is unknown; there are pinned, majority and consecutive=N, each "
                + "followed by what it takes: 'majority,window=20s', 'consecutive=3,center=us'"),
        };
        words.CheckUsed();
        _ = policy.Create();
        return policy;
    }

    private static Policy MajorityOf(Words words)
    {
        var usual = new MajorityOptions();
        var options = new MajorityOptions(words.Duration("window", usual.WindowMs), words.Count("windows", usual.Windows),
            words.Fraction("margin", usual.Margin), words.Duration("hold", usual.HoldOffMs), words.Duration("longest", usual.MaxHoldOffMs),
            words.Count("writes", usual.LeastWrites));
        return new Policy(() => new Majority(options));
    }

    private static Policy ConsecutiveOf(Words words, string needed, IReadOnlyList<string> zones, string arbiter)
    {
        var center = words.Take("center") ?? arbiter;
        if (!zones.Contains(center))
        {
            throw new RoamingDataException($"the center '{center}' is none of the zones {string.Join(", ", zones)}; name one of them");
        }
        var (hold, longest) = (words.Duration("hold", 10_000), words.Duration("longest", 3_600_000));
        var count = words.Number("consecutive", needed);
        return new Policy(() => new Consecutive(count, center, hold, longest));
    }

    [GeneratedRegex("^([0-9]{1,6})(s|m|h)$")]
    private static partial Regex DurationPattern { get; }

    /// <summary>What a policy's name is followed by.</summary>
    private sealed class Words(string text, string policy)
    {
        private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);

        public void Add(string[] part)
        {
            if (part.Length != 2 || !_values.TryAdd(part[0], part[1]))
            {
                throw new RoamingDataException($"'{string.Join('=', part)}' in the policy '{text}' is no NAME=VALUE, or its name comes "
                    + "twice");
            }
        }

        public string? Take(string name) => _values.Remove(name, out var value) ? value : null;

        public long Duration(string name, long usual)
        {
            if (Take(name) is not { } value)
            {
                return usual;
            }
            var found = DurationPattern.Match(value);
            return !found.Success ? throw Wrong(name, value, "a duration such as 20s, 10m or 24h")
                : long.Parse(found.Groups[1].Value, CultureInfo.InvariantCulture)
                    * (found.Groups[2].Value switch { "s" => 1000, "m" => 60_000, _ => 3_600_000 });
        }

        public int Count(string name, int usual) => Take(name) is { } value ? Number(name, value) : usual;

        public int Number(string name, string value) =>
            int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
                : throw Wrong(name, value, "a number");

        public double Fraction(string name, double usual) => Take(name) is not { } value ? usual
            : double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) ? number
            : throw Wrong(name, value, "a part of one such as 0.1");

        public void CheckUsed()
        {
            if (_values.Count > 0)
            {
                throw new RoamingDataException($"'{_values.Keys.First()}' in the policy '{text}' is nothing that {policy} knows");
            }
        }

        private RoamingDataException Wrong(string name, string value, string what) =>
            new($"'{name}={value}' in the policy '{text}' is not {what}");
    }
}
