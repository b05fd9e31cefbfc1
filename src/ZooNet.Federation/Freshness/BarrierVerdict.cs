namespace ZooNet.Federation.Freshness;

/// <summary>Why a read needs a barrier, or why it needs none.</summary>
public enum BarrierVerdict
{
    /// <summary>The session has learned nothing of any other cluster.</summary>
    NothingElsewhere,
    /// <summary>What it learned elsewhere is of clusters that are not coupled to this one.</summary>
    NotCoupled,
    /// <summary>The server was refreshed after everything that the session learned elsewhere.</summary>
    Covered,
    /// <summary>What it learned at home and is not covered is private: nobody outside the view can see it.</summary>
    NoInterestChange,
    /// <summary>A barrier is needed.</summary>
    Needed,
}

/// <summary>What may be asked, a short way, before a barrier is made, a long way. As a mask: what has been asked.</summary>
[Flags]
internal enum Question : byte
{
    /// <summary>Nothing would save the barrier.</summary>
    Nothing = 0,
    /// <summary>The watermark of home must see further.</summary>
    Watermark = 1,
    /// <summary>What the session saw without being told since when must be dated.</summary>
    Dates = 2,
}

/// <summary>What the freshness rule says of a read.</summary>
/// <param name="Verdict">What is counted, where nothing is asked first.</param>
/// <param name="Ask">If the verdict is that a barrier is needed: what may save it. Then the rule is asked again.</param>
internal readonly record struct Judgement(BarrierVerdict Verdict, Question Ask = Question.Nothing)
{
    /// <summary>Whether nothing can save the barrier.</summary>
    public bool IsFinal => Verdict == BarrierVerdict.Needed && Ask == Question.Nothing;
}
