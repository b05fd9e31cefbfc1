namespace ZooNet.Tests;

/// <summary>Damages bytes in the ways in which rubbish, liars and broken disks do, for fuzz tests. Pure: a random makes what it makes.</summary>
internal static class Mutation
{
    private static readonly int[] Numbers = [-1, int.MinValue, int.MaxValue, 0, 0x7fffff];

    /// <summary>Damages bytes in one to three places; an empty answer is possible.</summary>
    /// <param name="whole">What is right.</param>
    /// <param name="random">Says where and how.</param>
    /// <param name="marks">For text: bytes that mean something there. Else numbers are put in, which as a length or a count are none.</param>
    public static byte[] Of(ReadOnlySpan<byte> whole, Random random, string? marks = null)
    {
        var bytes = new List<byte>();
        bytes.AddRange(whole);
        for (var times = random.Next(1, 4); times > 0 && bytes.Count > 1; times--)
        {
            var at = random.Next(bytes.Count);
            var length = Math.Min(random.Next(1, 9), bytes.Count - at);
            switch (random.Next(7))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    bytes.RemoveRange(at, length);
                    break;
                case 3:
                    bytes.InsertRange(at, bytes.GetRange(at, length));
                    break;
                case 4:
                    bytes.InsertRange(at, bytes.GetRange(random.Next(bytes.Count - length + 1), length));
                    break;
                case 5 when marks is not null:
                    bytes[at] = (byte)marks[random.Next(marks.Length)];
                    break;
                case 5:
                    var number = Numbers[random.Next(Numbers.Length)];
                    for (var i = 0; i < 4 && at + i < bytes.Count; i++)
                    {
                        bytes[at + i] = (byte)(number >> (24 - (8 * i)));
                    }
                    break;
                default:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
            }
        }
        return [.. bytes];
    }
}
