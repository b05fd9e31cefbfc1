using System.Net;
using System.Text.RegularExpressions;
using ZooNet.Protocol.FourLetterWords;

namespace ZooNet.Protocol.Tests;

public sealed class FourLetterWordTests
{
    private static readonly ServerStatus Status = new()
    {
        Version = "3.8.0-zoonet-1.2.3",
        BuiltOn = new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.FromHours(2)),
        Mode = "observer",
        Zxid = 0x1_0000_00ff,
        Latency = new LatencyStatus(0, 1.25, 17),
        Received = 10,
        Sent = 11,
        NodeCount = 5,
        Connections =
        [
            new ConnectionStatus { Client = new IPEndPoint(IPAddress.Loopback, 4711), Received = 3, Sent = 4, SessionId = 0x1001, LastOperation = OpCode.GetData, TimeoutMs = 4000 },
            new ConnectionStatus { Client = new IPEndPoint(IPAddress.Loopback, 4712) },
        ],
        Watches = [("/a", [0x1001, 0x1002]), ("/b", [0x1001])],
        Ephemerals = [(0x1001, ["/e"])],
    };

    [Theory]
    [InlineData("ruok", "ruok")]
    [InlineData("mntr and more", "mntr")]
    [InlineData("mnt", null)]
    [InlineData("\0\0\0-", null)]
    [InlineData("RUOK", null)]
    public void A_word_is_told_by_the_first_four_bytes(string start, string? word) =>
        Assert.Equal(word, FourLetterWord.TryRead(System.Text.Encoding.ASCII.GetBytes(start)));

    [Fact]
    public void Srvr_is_laid_out_as_by_3_8() => Assert.Equal("""
        Zookeeper version: 3.8.0-zoonet-1.2.3, built on 03/04/2026 03:06 GMT
        Latency min/avg/max: 0/1.25/17
        Received: 10
        Sent: 11
        Connections: 2
        Outstanding: 0
        Zxid: 0x1000000ff
        Mode: observer
        Node count: 5

        """, FourLetterWord.Answer("srvr", Status));

    [Fact]
    public void Srvr_and_envi_match_what_clients_look_for()
    {
        // go-zookeeper's pattern of srvr, and kazoo's of envi.
        Assert.Matches(@"^Zookeeper version: ([A-Za-z0-9\.\-]+), built on (\d\d/\d\d/\d\d\d\d \d\d:\d\d [A-Za-z0-9:\+\-]+)", FourLetterWord.Answer("srvr", Status));
        Assert.Matches(new Regex(@"^zookeeper\.version=3\.8\.0", RegexOptions.Multiline), FourLetterWord.Answer("envi", Status));
    }

    [Fact]
    public void Stat_lists_the_clients_and_cons_tells_more_of_those_in_session()
    {
        Assert.Contains("Clients:\n /127.0.0.1:4711[1](queued=0,recved=3,sent=4)\n /127.0.0.1:4712[0](queued=0,recved=0,sent=0)\n\nLatency", FourLetterWord.Answer("stat", Status), StringComparison.Ordinal);
        Assert.Contains("recved=3,sent=4,sid=0x1001,lop=GETD,", FourLetterWord.Answer("cons", Status), StringComparison.Ordinal);
    }

    [Fact]
    public void Watches_are_told_by_path_and_by_session()
    {
        Assert.Equal("2 connections watching 2 paths\nTotal watches:3\n", FourLetterWord.Answer("wchs", Status));
        Assert.Equal("/a\n\t0x1001\n\t0x1002\n/b\n\t0x1001\n\n", FourLetterWord.Answer("wchp", Status));
        Assert.Equal("0x1001\n\t/a\n\t/b\n0x1002\n\t/a\n\n", FourLetterWord.Answer("wchc", Status));
    }

    [Fact]
    public void Ruok_and_isro_have_no_line_end()
    {
        Assert.Equal("imok", FourLetterWord.Answer("ruok", Status));
        Assert.Equal("rw", FourLetterWord.Answer("isro", Status));
        Assert.Equal("ro", FourLetterWord.Answer("isro", Status with { IsReadOnly = true }));
    }

    [Fact]
    public void A_server_without_a_quorum_says_so_but_is_alive()
    {
        var waiting = Status with { IsServing = false };
        Assert.Equal("imok", FourLetterWord.Answer("ruok", waiting));
        Assert.Equal("null", FourLetterWord.Answer("isro", waiting));
        Assert.All(["srvr", "stat", "mntr", "cons", "dump"], word => Assert.Equal(FourLetterWord.NotServing, FourLetterWord.Answer(word, waiting)));
    }

    [Fact]
    public void Mntr_is_keys_and_values_with_a_tab_between()
    {
        var lines = FourLetterWord.Answer("mntr", Status with { Learners = (2, 1) }).TrimEnd('\n').Split('\n').Select(l => l.Split('\t')).ToList();
        Assert.All(lines, parts => Assert.Equal(2, parts.Length));
        var values = lines.ToDictionary(p => p[0], p => p[1]);
        Assert.Equal(("observer", "2", "1", "1.25"), (values["zk_server_state"], values["zk_learners"], values["zk_ephemerals_count"], values["zk_avg_latency"]));
    }
}
