namespace ZooNet.Tests;

/// <summary>
/// Sees in a long run of a fuzz test that memory does not grow: from the first fifth of the rounds, by which everything that is made once
/// has been made, to the end, by a tenth at most. A short run says nothing of that, and nothing is looked at.
/// </summary>
/// <param name="rounds">How many there will be.</param>
internal sealed class Growth(long rounds)
{
    private const long Long = 50_000;

    private long _early;

    /// <summary>To be called now and then.</summary>
    /// <param name="done">Rounds so far.</param>
    public void At(long done)
    {
        if (_early == 0 && rounds >= Long && done >= rounds / 5)
        {
            _early = Heap();
        }
    }

    /// <summary>To be called at the end.</summary>
    public void AssertNone()
    {
        if (_early > 0)
        {
            var now = Heap();
            Assert.True(now < _early * 1.1, $"{_early} bytes after a fifth of {rounds} rounds, {now} at the end");
        }
    }

    private static long Heap() => GC.GetTotalMemory(forceFullCollection: true);
}
