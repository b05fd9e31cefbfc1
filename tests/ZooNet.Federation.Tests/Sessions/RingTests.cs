using ZooNet.Federation.Sessions;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>The queue in which a link's requests wait for their answers.</summary>
public sealed class RingTests
{
    private readonly Ring<(int Number, string? Text)> _ring = new();

    [Fact]
    public void What_is_put_in_first_comes_out_first_however_often_it_goes_round_and_grows()
    {
        var (put, taken) = (0, 0);
        foreach (var steps in (int[])[3, -2, 5, -4, 40, -30, 7, -19])
        {
            for (var i = 0; i < Math.Abs(steps); i++)
            {
                if (steps > 0)
                {
                    _ring.Enqueue() = (put++, "x");
                }
                else
                {
                    Assert.Equal(taken++, _ring.Peek().Number);
                    _ring.Dequeue();
                }
            }
            Assert.Equal(put - taken, _ring.Count);
            Assert.Equal(Enumerable.Range(taken, _ring.Count), Enumerable.Range(0, _ring.Count).Select(i => _ring[i].Number));
        }
        Assert.Equal(0, _ring.Count);
    }

    [Fact]
    public void An_item_is_handed_out_as_it_lies_there_and_a_slot_that_is_used_again_is_empty()
    {
        _ring.Enqueue().Text = "first";
        _ring.Peek().Number = 7;
        Assert.Equal((7, "first"), _ring[0]);
        _ring.Dequeue();
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal((0, null), _ring.Enqueue());
        }
    }

    [Fact]
    public void Whether_any_fits_is_asked_of_what_is_in_it_only()
    {
        _ring.Enqueue() = (1, "gone");
        _ring.Enqueue() = (2, "there");
        _ring.Dequeue();
        Assert.True(_ring.Any((ref (int Number, string? Text) item) => item.Text == "there"));
        Assert.False(_ring.Any((ref (int Number, string? Text) item) => item.Text == "gone"));
    }
}
