using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;

namespace ZooNet.Proxy.Configuration;

/// <summary>
/// Reads typed values out of layers of configuration (file, variables, flags; the last one that has a key wins) and collects
/// what is wrong instead of stopping at it. A list is taken whole from one layer: half a list from each would be nobody's wish.
/// Used by one thread.
/// </summary>
internal sealed partial class ConfigReader(IReadOnlyList<ConfigLayer> layers)
{
    private readonly List<ConfigError> _errors = [];

    public IReadOnlyList<ConfigError> Errors => _errors;

    public List<string> Warnings { get; } = [];

    /// <summary>Warns of a file whose writer says what the proxy does, or who may ask it, if that may be any user of this host.</summary>
    /// <exception cref="IOException">It can't be opened; or <see cref="UnauthorizedAccessException"/>.</exception>
    public void CheckWriters(string file)
    {
        // By its handle: mounted secrets are links, whose own mode says nothing.
        using var handle = File.OpenHandle(file);
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(handle) & UnixFileMode.OtherWrite) != 0)
        {
            Warnings.Add($"every user of this host can write {file}; take that right away: chmod o-w {file}");
        }
    }

    public void Fail(string key, string? value, string message, string? source) => _errors.Add(new(Display(key), value, message, source));

    /// <summary>The value of a key and the layer that it comes from; null where no layer has it, or it is empty.</summary>
    public (string Value, string Source)? Text(string key)
    {
        for (var i = layers.Count - 1; i >= 0; i--)
        {
            if (layers[i].Provider.TryGet(key, out var value) && !string.IsNullOrWhiteSpace(value))
            {
                return (value.Trim(), layers[i].SourceOf(key));
            }
        }
        return null;
    }

    /// <summary>What was written for a key, be it a value or a list, and where; null where no layer has it.</summary>
    public (string Text, string Source)? Written(string key) =>
        List(key) is [var first, ..] items ? (string.Join(", ", items.Select(i => i.Value)), first.Source) : null;

    /// <summary>Where a key was written with nothing in it, which <see cref="Text"/> takes for not written; null if it was not.</summary>
    public string? EmptyAt(string key)
    {
        for (var i = layers.Count - 1; i >= 0; i--)
        {
            if (layers[i].Provider.TryGet(key, out var value))
            {
                return string.IsNullOrWhiteSpace(value) ? layers[i].SourceOf(key) : null;
            }
        }
        return null;
    }

    public bool Flag(string key)
    {
        if (Text(key) is not { } found)
        {
            return false;
        }
        if (bool.TryParse(found.Value, out var value))
        {
            return value;
        }
        Fail(key, found.Value, "is neither 'true' nor 'false'", found.Source);
        return false;
    }

    /// <summary>The items of a list, each with its key and source; null where no layer has it.</summary>
    public IReadOnlyList<(string Key, string Value, string Source)>? List(string key)
    {
        for (var i = layers.Count - 1; i >= 0; i--)
        {
            var layer = layers[i];
            var indexes = layer.Provider.GetChildKeys([], key).Distinct().Where(k => int.TryParse(k, out _)).OrderBy(int.Parse).ToList();
            if (indexes.Count > 0)
            {
                return [.. indexes.Select(index =>
                {
                    var itemKey = $"{key}:{index}";
                    layer.Provider.TryGet(itemKey, out var item);
                    return (itemKey, item?.Trim() ?? "", layer.SourceOf(itemKey));
                })];
            }
            if (layer.Provider.TryGet(key, out var text))
            {
                var items = (text ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
                return [.. items.Select(item => (key, item, layer.SourceOf(key)))];
            }
        }
        return null;
    }

    /// <summary>The names below a key, as the first layer that has them spells them, in lower case and in ordinal order.</summary>
    public IReadOnlyList<string> Names(string key) =>
        [.. layers.SelectMany(l => l.Provider.GetChildKeys([], key)).Select(n => n.ToLowerInvariant()).Distinct().Order(StringComparer.Ordinal)];

    public string? Name(string key, bool required)
    {
        if (Text(key) is not { } found)
        {
            if (required)
            {
                Fail(key, null, "is missing; give it a name of lower-case letters, digits, '-', '_' and '.'", null);
            }
            return null;
        }
        var name = found.Value.ToLowerInvariant();
        if (NamePattern.IsMatch(name))
        {
            return name;
        }
        Fail(key, found.Value, NameRule, found.Source);
        return null;
    }

    public IReadOnlyList<HostPort> Addresses(string key, bool required, int? defaultPort = HostPort.DefaultPort, bool allowPortZero = false)
    {
        var items = List(key);
        if (items is null or { Count: 0 })
        {
            if (required)
            {
                Fail(key, null, "is missing; give one address 'host:port' or a list of them", null);
            }
            return [];
        }
        var result = new List<HostPort>();
        foreach (var (itemKey, value, source) in items)
        {
            if (Address(itemKey, value, source, defaultPort, allowPortZero) is not { } address)
            {
                continue;
            }
            if (result.Contains(address) && address.Port != 0)
            {
                Fail(itemKey, value, "is listed twice; name each address once", source);
                continue;
            }
            result.Add(address);
        }
        return result;
    }

    public HostPort? Address(string key, string value, string source, int? defaultPort, bool allowPortZero)
    {
        if (HostPort.TryParse(value, defaultPort, out var address) && (allowPortZero || address.Port > 0))
        {
            return address;
        }
        Fail(key, value, $"is no address; write 'host:port' with a port from {(allowPortZero ? 0 : 1)} to 65535, IPv6 in brackets: '[::1]:2181'", source);
        return null;
    }

    public T Choice<T>(string key, T otherwise) where T : struct, Enum
    {
        if (Text(key) is not { } found)
        {
            return otherwise;
        }
        if (!int.TryParse(found.Value, out _) && Enum.TryParse<T>(found.Value, ignoreCase: true, out var value))
        {
            return value;
        }
        Fail(key, found.Value, $"is not known; allowed are {string.Join(", ", Enum.GetNames<T>().Select(n => n.ToLowerInvariant()))}", found.Source);
        return otherwise;
    }

    public int Number(string key, int otherwise, int min, int max)
    {
        if (Text(key) is not { } found)
        {
            return otherwise;
        }
        var isHex = found.Value.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        if (int.TryParse(isHex ? found.Value[2..] : found.Value, isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            && value >= min && value <= max)
        {
            return value;
        }
        Fail(key, found.Value, $"is out of range; allowed are {min} to {max}", found.Source);
        return otherwise;
    }

    public TimeSpan Duration(string key, TimeSpan otherwise, TimeSpan min, TimeSpan max)
    {
        if (Text(key) is not { } found)
        {
            return otherwise;
        }
        var match = DurationPattern.Match(found.Value);
        if (match.Success && double.TryParse(match.Groups[1].Value, CultureInfo.InvariantCulture, out var number))
        {
            var milliseconds = number * match.Groups[2].Value switch { "ms" => 1, "m" => 60_000, _ => 1_000 };
            if (milliseconds >= min.TotalMilliseconds && milliseconds <= max.TotalMilliseconds)
            {
                return TimeSpan.FromMilliseconds(milliseconds);
            }
        }
        Fail(key, found.Value, $"is no time in range; allowed are {min.TotalSeconds:0.###}s to {max.TotalSeconds:0.###}s, written '500ms', '10s' or '2m'", found.Source);
        return otherwise;
    }

    /// <summary>A key as the file has it: <c>home.servers[0]</c> for <c>home:servers:0</c>.</summary>
    public static string Display(string key)
    {
        var parts = key.Split(':');
        return parts[0] + string.Concat(parts.Skip(1).Select(p => int.TryParse(p, out _) ? $"[{p}]" : $".{p}"));
    }

    public const string NameRule = "is no name; allowed are up to 64 lower-case letters, digits, '-', '_' and '.', the first one a letter or digit";

    [GeneratedRegex(@"^[a-z0-9][a-z0-9_.-]{0,63}$")]
    public static partial Regex NamePattern { get; }

    [GeneratedRegex(@"^(\d+(?:\.\d+)?)\s*(ms|s|m)?$")]
    private static partial Regex DurationPattern { get; }
}

/// <summary>One source of configuration.</summary>
/// <param name="Provider">Its values.</param>
/// <param name="SourceOf">Says where a key of it was written, for a message.</param>
internal sealed record ConfigLayer(IConfigurationProvider Provider, Func<string, string> SourceOf);
