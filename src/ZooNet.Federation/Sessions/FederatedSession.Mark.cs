namespace ZooNet.Federation.Sessions;

/// <summary>What a host asks that times requests.</summary>
public sealed partial class FederatedSession
{
    /// <summary>How many requests the client has made: those of <see cref="Submitted"/>, and those that wait to be sent.</summary>
    public long Asked => _replies.Order.Taken + _blocked.Count;

    /// <summary>The request, counted from 1, for which <see cref="MarkedBy"/> is to be remembered; 0 for none.</summary>
    public long Marked { get; set; }

    /// <summary>Ordinal of the cluster that answered the marked request; -1 where that was the proxy, or several clusters.</summary>
    public int MarkedBy { get; private set; } = -1;

    /// <summary>Remembers who answers the marked request.</summary>
    private long Noted(SessionLink? link, long place)
    {
        if (place >= 0 && place == Marked - 1)
        {
            MarkedBy = link?.Cluster ?? -1;
        }
        return place;
    }
}
