using System.Globalization;

namespace ZooNet.Proxy.Configuration;

/// <summary>Lists every key of a configuration, with what is in force and where it was written.</summary>
internal static class ConfigListing
{
    private const string Hidden = "…";
    private const string None = "none";

    /// <summary>All keys that exist, in the order of the schema; those of a remote once for each remote.</summary>
    public static IReadOnlyList<ConfigValue> Of(ProxyConfig config, ConfigReader reader) =>
    [
        .. ConfigSchema.Root.Leaves(reader.Names).Select(key => reader.Written(key) is { } written
            ? new ConfigValue(ConfigReader.Display(key), IsSecret(key) ? Hidden : written.Text, written.Source)
            : new ConfigValue(ConfigReader.Display(key), DefaultOf(key, config), ConfigValue.Default)),
    ];

    private static bool IsSecret(string key) => key is "secret" or "acceptedSecret";

    /// <summary>What a key that nobody wrote is in force as: read from the configuration itself, so that it can't differ.</summary>
    private static string DefaultOf(string key, ProxyConfig config) => key switch
    {
        "admin" => config.Admin.ToString(),
        "console" => Text(false),
        "insecure" => Text(config.Insecure),
        "consistency" => Text(config.Consistency),
        "barrier" => Text(config.Barrier),
        "barrierGap" => "a tenth of what a barrier takes at the server",
        "maxFrame" => Text(config.MaxFrame),
        "maxReply" => Text(config.MaxReply),
        "limits:connections" => "as many as the limit of open files allows",
        "limits:connectionsPerAddress" => "half of all",
        "limits:watches" => Text(config.MaxWatches),
        "limits:watchBytes" => Text(config.MaxWatchBytes),
        "limits:credentials" => Text(config.MaxCredentials),
        "limits:credentialBytes" => Text(config.MaxCredentialBytes),
        "limits:replyParts" => Text(config.MaxReplyParts),
        "limits:outstandingBytes" => Text(config.MaxOutstandingBytes),
        "limits:outstandingBytesInAll" => Text(config.MaxOutstandingBytesInAll),
        "timeouts:drain" => Text(config.DrainTimeout),
        "timeouts:connect" => Text(config.ConnectTimeout),
        "timeouts:session" => Text(config.SessionTimeout),
        "fourLetterWords" => string.Join(", ", config.FourLetterWords.Order(StringComparer.Ordinal)),
        "tls:clients" => Text(ClientCertificates.None),
        "logLevel" => Text(config.LogLevel),
        "logFormat" => Text(config.LogFormat),
        "proxyId" => config.ProxyId,
        _ when key.EndsWith(":sid", StringComparison.Ordinal) => "random",
        _ when key.EndsWith(":verifyHost", StringComparison.Ordinal) => Text(true),
        _ when key.EndsWith(":follow", StringComparison.Ordinal) => Text(false),
        "home:observe" => Text(false),
        _ => None,
    };

    private static string Text(object value) => Convert.ToString(value, CultureInfo.InvariantCulture)!.ToLowerInvariant();

    private static string Text(TimeSpan value) => $"{value.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture)}s";
}
