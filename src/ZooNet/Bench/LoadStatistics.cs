using ZooNet.Protocol;

namespace ZooNet.Bench;

/// <summary>What one group of clients measured. Written by the generator's thread only.</summary>
internal sealed class LoadStatistics
{
    private readonly LatencyHistogram[] _latency = [new(), new(), new(), new()];
    private readonly long[] _replies = new long[4];
    private readonly List<long> _timeline = [];

    /// <summary>Errors by name: codes of reply headers, and ConnectionLoss for requests lost with their connection.</summary>
    public Dictionary<string, long> Errors { get; } = [];

    /// <summary>Connections lost.</summary>
    public long Disconnects { get; set; }

    /// <summary>Replies within the measured time, per kind.</summary>
    public IReadOnlyList<long> Replies => _replies;

    /// <summary>Latency of what was asked within the measured time, per kind.</summary>
    public IReadOnlyList<LatencyHistogram> Latency => _latency;

    /// <summary>Replies in each second of the measured time.</summary>
    public IReadOnlyList<long> Timeline => _timeline;

    public void Reply(RequestKind kind, TimeSpan sinceStart)
    {
        _replies[(int)kind]++;
        var second = (int)sinceStart.TotalSeconds;
        while (_timeline.Count <= second)
        {
            _timeline.Add(0);
        }
        _timeline[second]++;
    }

    public void Took(RequestKind kind, TimeSpan latency) => _latency[(int)kind].Record(latency);

    public void Failed(ErrorCode error, long count = 1) => Errors[error.ToString()] = Errors.GetValueOrDefault(error.ToString()) + count;
}
