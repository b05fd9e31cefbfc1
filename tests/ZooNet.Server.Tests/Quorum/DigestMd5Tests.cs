using System.Text;
using ZooNet.Server.Quorum;

namespace ZooNet.Server.Tests.Quorum;

/// <summary>The login that quorum connections may ask for, against the example of its RFC.</summary>
public sealed class DigestMd5Tests
{
    private const string Challenge = "realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",qop=\"auth\",algorithm=md5-sess,charset=utf-8";

    /// <summary>RFC 2831, section 4.</summary>
    [Fact]
    public void It_answers_as_the_example_of_the_RFC_does()
    {
        var digest = new DigestMd5(new QuorumCredentials("chris", "secret"), "imap/elwood.innosoft.com", "OA6MHXh6VqTrRk");

        var answer = Encoding.UTF8.GetString(digest.Answer(Encoding.UTF8.GetBytes(Challenge)));

        Assert.Contains("response=d388dad90d4bbd760a152321f2143af7", answer, StringComparison.Ordinal);
        Assert.Contains("nc=00000001", answer, StringComparison.Ordinal);
        Assert.Contains("username=\"chris\"", answer, StringComparison.Ordinal);
        Assert.True(digest.IsServer("rspauth=ea40f60335c427b5527b84dbabcdfffd"u8));
        Assert.False(digest.IsServer("rspauth=ea40f60335c427b5527b84dbabcdfffe"u8));
    }

    [Theory]
    [InlineData("")]
    [InlineData("=,=\"")]
    [InlineData("nonce=\"x\"")]
    [InlineData("nonce=\"x\",algorithm=md5-sess,qop=\"auth-conf\"")]
    public void What_is_no_challenge_that_it_can_answer_is_an_error(string challenge) =>
        Assert.Throws<InvalidDataException>(
            () => new DigestMd5(new QuorumCredentials("u", "p"), "a/b", "c").Answer(Encoding.UTF8.GetBytes(challenge)));

    [Fact]
    public void Quotes_in_a_name_stay_within_it()
    {
        var digest = new DigestMd5(new QuorumCredentials("a\"b\\c", "p"), "a/b", "c");
        var answer = Encoding.UTF8.GetString(digest.Answer(Encoding.UTF8.GetBytes(Challenge)));
        Assert.Contains("username=\"a\\\"b\\\\c\",", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void Nobody_sees_a_password_in_what_credentials_are_printed_as() =>
        Assert.DoesNotContain("secret", new QuorumCredentials("chris", "secret").ToString(), StringComparison.Ordinal);
}
