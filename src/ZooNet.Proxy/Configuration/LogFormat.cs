namespace ZooNet.Proxy.Configuration;

/// <summary>How the log is written.</summary>
public enum LogFormat
{
    /// <summary>A line of text for people.</summary>
    Text,
    /// <summary>A line of JSON for programs.</summary>
    Json,
}
