using System.Buffers;
using System.Buffers.Binary;

namespace ZooNet.Protocol.Tests;

/// <summary>Frames: found whole, refused when their length is not legal.</summary>
public sealed class FramingTests
{
    [Fact]
    public void A_frame_is_found_only_once_all_of_it_is_there()
    {
        var frame = new byte[4 + 10];
        BinaryPrimitives.WriteInt32BigEndian(frame, 10);
        for (var length = 0; length < frame.Length; length++)
        {
            Assert.Equal(OperationStatus.NeedMoreData, Framing.TryReadFrame(frame.AsSpan(0, length), 100, out var needed));
            Assert.Equal(length < 4 ? 4 : frame.Length, needed);
        }
        Assert.Equal(OperationStatus.Done, Framing.TryReadFrame([.. frame, 1, 2, 3], 100, out var found));
        Assert.Equal(frame.Length, found);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    [InlineData(int.MaxValue)]
    [InlineData(Framing.DefaultMaxLength + 1)]
    public void A_length_of_zero_below_it_or_beyond_the_limit_is_refused(int length)
    {
        var prefix = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(prefix, length);
        Assert.Equal(OperationStatus.InvalidData, Framing.TryReadFrame(prefix, Framing.DefaultMaxLength, out var reported));
        Assert.Equal(length, reported);
    }

    [Fact]
    public void The_longest_legal_frame_is_legal()
    {
        var prefix = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(prefix, Framing.DefaultMaxLength);
        Assert.Equal(OperationStatus.NeedMoreData, Framing.TryReadFrame(prefix, Framing.DefaultMaxLength, out _));
    }

    [Theory]
    [InlineData(0x1000031877b0000L)]
    [InlineData(-0x7000031877b0001L)]
    [InlineData(1L)]
    public void Passwords_have_sixteen_bytes_and_depend_on_the_id(long id)
    {
        Assert.Equal(SessionPassword.Length, SessionPassword.Of(id).Length);
        Assert.NotEqual(SessionPassword.Of(id), SessionPassword.Of(id + 1));
    }

    /// <summary>From the connect response in Golden/3.8.0.txt.</summary>
    [Fact]
    public void The_password_of_a_captured_session_is_what_the_real_server_gave_it()
    {
        var line = File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Golden", "3.8.0.txt")).First(l => l.StartsWith("< connect", StringComparison.Ordinal));
        var response = ConnectResponse.TryRead(Convert.FromHexString(line.Split(' ')[2]))!;
        Assert.Equal(response.Password, SessionPassword.Of(response.SessionId));
    }

    [Theory]
    [InlineData("/", null)]
    [InlineData("/a/b.c/..d", null)]
    [InlineData("", "empty")]
    [InlineData("a", "start with")]
    [InlineData("/a/", "end with")]
    [InlineData("/a//b", "empty node name")]
    [InlineData("/a/./b", "relative")]
    [InlineData("/a/..", "relative")]
    [InlineData("/a\u0001", "illegal character")]
    public void Paths_are_judged_as_ZooKeepers_clients_judge_them(string path, string? why)
    {
        if (why is null)
        {
            Assert.Null(ZnodePath.Validate(path));
        }
        else
        {
            Assert.Contains(why, ZnodePath.Validate(path), StringComparison.Ordinal);
        }
    }
}
