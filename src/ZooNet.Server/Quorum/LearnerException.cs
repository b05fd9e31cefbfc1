namespace ZooNet.Server.Quorum;

/// <summary>Why a leader can't be followed, in a sentence for operators. The learner tries again.</summary>
public sealed class LearnerException : IOException
{
    /// <summary>Makes one.</summary>
    public LearnerException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
