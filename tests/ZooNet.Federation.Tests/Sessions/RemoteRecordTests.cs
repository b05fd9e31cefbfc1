using ZooNet.Federation.Sessions;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>A remote session is on record before its client writes there.</summary>
public sealed class RemoteRecordTests
{
    private RemoteRecord _record;

    [Fact]
    public void A_write_waits_until_the_record_is_written_and_the_next_ones_go()
    {
        Assert.True(_record.IsNone);
        Assert.Equal(RecordStep.Save, _record.Require(strict: false));
        Assert.Equal(RecordStep.Wait, _record.Require(strict: false));
        Assert.True(_record.IsBeingWritten);
        _record.Written(saved: true);
        Assert.Equal(RecordStep.Go, _record.Require(strict: false));
    }

    [Fact]
    public void A_write_whose_record_fails_fails_and_the_next_one_tries_again()
    {
        _record.Require(strict: false);
        _record.Written(saved: false);
        Assert.False(_record.IsNone);
        Assert.Equal(RecordStep.Fail, _record.Require(strict: false));
        Assert.Equal(RecordStep.Save, _record.Require(strict: false));
    }

    [Fact]
    public void What_needs_a_strict_record_has_it_written_anew()
    {
        _record.Require(strict: false);
        _record.Written(saved: true);
        Assert.Equal(RecordStep.Save, _record.Require(strict: true));
        _record.Written(saved: true);
        Assert.Equal(RecordStep.Go, _record.Require(strict: true));
        Assert.Equal(RecordStep.Go, _record.Require(strict: false));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_strict_record_is_relaxed_when_nothing_strict_is_owned_and_stays_strict_if_that_fails(bool saved)
    {
        Assert.False(_record.TryRelax(ownsStrict: false));
        _record.Found(strict: true);
        Assert.True(_record.MustBeTakenOver);
        Assert.False(_record.TryRelax(ownsStrict: true));
        Assert.True(_record.TryRelax(ownsStrict: false));
        Assert.Equal(RecordStep.Wait, _record.Require(strict: true));
        _record.Written(saved);
        Assert.Equal(!saved, _record.IsStrict);
        Assert.Equal(saved ? RecordStep.Save : RecordStep.Go, _record.Require(strict: true));
    }

    [Fact]
    public void An_answer_about_a_session_that_has_ended_says_nothing_of_the_next_one()
    {
        _record.Require(strict: false);
        _record.SessionEnded();
        Assert.True(_record.IsNone);
        Assert.Equal(RecordStep.Save, _record.Require(strict: false));
        _record.Written(saved: true);
        Assert.Equal(RecordStep.Wait, _record.Require(strict: false));
        _record.Written(saved: true);
        Assert.Equal(RecordStep.Go, _record.Require(strict: false));
    }
}
