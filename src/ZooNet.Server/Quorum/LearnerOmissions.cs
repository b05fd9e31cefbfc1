namespace ZooNet.Server.Quorum;

/// <summary>
/// Ingredients of the learner's rules that can be left out, so that tests show of each that it is needed. A learner leaves out none.
/// Immutable.
/// </summary>
internal sealed record LearnerOmissions
{
    /// <summary>Nothing is left out.</summary>
    public static LearnerOmissions None { get; } = new();

    /// <summary>Left out: that a vote must have come back before anybody is served.</summary>
    public bool ServesAtOnce { get; init; }

    /// <summary>Left out: that nobody is answered while there is no leader.</summary>
    public bool AnswersWithoutLeader { get; init; }

    /// <summary>Left out: that whoever keeps what an observer covered must hear when it is behind that.</summary>
    public bool TellsNobodyOfGoingBack { get; init; }

    /// <summary>Left out: that a session's read waits behind its own writes.</summary>
    public bool ReadsAtOnce { get; init; }

    /// <summary>Left out: that a session is told to live only while its client is heard.</summary>
    public bool TouchesForEver { get; init; }

    /// <summary>Left out: that a leader must show that a state from disk is its own.</summary>
    public bool TrustsTheDisk { get; init; }
}
