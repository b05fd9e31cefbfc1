namespace ZooNet.Proxy.Downstream;

/// <summary>What the data path asks of parts that are made after it, because they look at it. Thread-safe.</summary>
/// <param name="AnswerWord">Answers a four-letter word; null for a word that it does not know.</param>
/// <param name="TableRead">
/// Completes when the mount table has been read: before, a mount point would read as the empty znode that stands for it.
/// </param>
public sealed record LateParts(Func<string, Task<string?>> AnswerWord, Func<Task> TableRead);
