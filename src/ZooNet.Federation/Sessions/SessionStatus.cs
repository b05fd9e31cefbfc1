using System.Text;

namespace ZooNet.Federation.Sessions;

/// <summary>What a session is doing, for an operator. Immutable.</summary>
/// <param name="WaitsFor">What the client's oldest unanswered request waits for; null while the client waits for nothing.</param>
/// <param name="Links">Its links, home first.</param>
public sealed record SessionStatus(string? WaitsFor, IReadOnlyList<LinkStatus> Links);

/// <summary>What one link of a session is doing, for an operator. Immutable.</summary>
/// <param name="Cluster">Ordinal of its cluster; 0 is home.</param>
/// <param name="Phase">Where it stands.</param>
/// <param name="Server">The server in use, as configured; null while there is none.</param>
/// <param name="SessionId">The session in that cluster; 0 until there is one.</param>
/// <param name="Outstanding">Requests that the server has not answered.</param>
/// <param name="Watches">Watches that the proxy keeps for the client; 0 at home, where the server alone keeps them.</param>
/// <param name="Ephemerals">Ephemeral znodes that the session is known to own; 0 at home, likewise.</param>
/// <param name="LastZxid">The largest zxid that the cluster has shown this client.</param>
public sealed record LinkStatus(
    int Cluster,
    LinkPhase Phase,
    string? Server,
    long SessionId,
    int Outstanding,
    int Watches,
    int Ephemerals,
    long LastZxid);

public sealed partial class FederatedSession
{
    /// <summary>How many requests were sent or answered; with <see cref="Answered"/> it tells how many of them wait, and which.</summary>
    public long Submitted => _replies.Order.Taken;

    /// <summary>How many requests the client has made: those of <see cref="Submitted"/>, and those that wait to be sent.</summary>
    public long Asked => _replies.Order.Taken + _blocked.Count;

    /// <summary>How many of them, the oldest, have been answered.</summary>
    public long Answered => _replies.Order.Answered;

    /// <summary>The request that the host times.</summary>
    public ref RequestMark Mark => ref _mark;

    /// <summary>What the session is doing now. Call it as every other member, one at a time.</summary>
    public SessionStatus Describe() => new(WaitsFor(), [.. _links.Select(link => new LinkStatus(
        link.Cluster,
        link.Phase,
        link.Server?.Address,
        link.SessionId,
        link.Outstanding,
        link.Book.Watches?.Count ?? 0,
        link.Book.EphemeralCount,
        link.LastZxid))]);

    private string? WaitsFor()
    {
        switch (_phase)
        {
            case SessionPhase.AwaitingConnect:
                return "the client's connect request";
            case SessionPhase.ConnectingHome:
                return $"{_region.ClusterNames[0]} to let the client in";
            case SessionPhase.TakingOver:
                return "its sessions in other clusters, which this proxy takes over";
            case SessionPhase.Closed:
                return null;
        }
        if (_solo is { } alone)
        {
            return $"{alone.Op}, which every cluster concerned has to answer";
        }
        return _blocked.IsEmpty ? AnswerOf("") : WhyHeadWaits();
    }

    private string? WhyHeadWaits()
    {
        var what = RequestRewriter.TryGetPath(_blocked.First, out var path) ? $" before {Encoding.UTF8.GetString(path)}" : "";
        if (_dispatcher.Head.Describe() is { } awaited)
        {
            return awaited + what;
        }
        if (_dispatcher.Head.On is { } link && link.Phase != LinkPhase.Ready)
        {
            return $"a link to {_region.ClusterNames[link.Cluster]}{what}";
        }
        if (_dispatcher.Head.On is { Record.IsBeingWritten: true } unrecorded)
        {
            return $"the record of its session in {_region.ClusterNames[unrecorded.Cluster]}{what}";
        }
        return AnswerOf(what) ?? $"its turn{what}";
    }

    private string? AnswerOf(string what)
    {
        foreach (var link in _links)
        {
            if (link.Outstanding > 0)
            {
                return $"an answer of {_region.ClusterNames[link.Cluster]}{what}";
            }
        }
        return null;
    }
}
