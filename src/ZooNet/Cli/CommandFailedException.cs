namespace ZooNet.Cli;

/// <summary>A command could not do what it was asked. The message is one sentence: what was wrong, and what to do.</summary>
public sealed class CommandFailedException(string message, int exitCode = ExitCodes.Failed) : Exception(message)
{
    /// <summary>What the process ends with.</summary>
    public int ExitCode { get; } = exitCode;
}

/// <summary>What the process ends with, as zkCli's users know it.</summary>
public static class ExitCodes
{
    /// <summary>Done.</summary>
    public const int Ok = 0;
    /// <summary>Understood, and not done.</summary>
    public const int Failed = 1;
    /// <summary>Not understood: a flag, an argument, a configuration.</summary>
    public const int BadUsage = 2;
}
