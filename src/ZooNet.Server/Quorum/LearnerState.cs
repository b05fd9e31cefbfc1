namespace ZooNet.Server.Quorum;

/// <summary>Where a learner stands.</summary>
public enum LearnerState
{
    /// <summary>It looks for the leader among the addresses that it was given.</summary>
    Looking,
    /// <summary>A leader has answered; the epoch is agreed on.</summary>
    Handshake,
    /// <summary>The whole state is coming.</summary>
    Snapshot,
    /// <summary>The transactions that it lacks are coming.</summary>
    Diff,
    /// <summary>It has the leader's state, and makes sure by a vote that nothing is missing.</summary>
    CatchingUp,
    /// <summary>It follows, and serves clients.</summary>
    Following,
    /// <summary>It has been stopped.</summary>
    Stopped,
}
