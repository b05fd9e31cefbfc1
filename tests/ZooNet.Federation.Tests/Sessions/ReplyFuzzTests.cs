namespace ZooNet.Federation.Tests.Sessions;

/// <summary>
/// Servers whose frames have bytes changed, cut out, doubled or cut off: replies, events, handshakes, of home and of a mount. A session may
/// close its client's connection, or pass on what it can't judge, and nothing else: no exception, no reply out of order, nothing after the
/// end. ZOONET_FUZZ is the number of mutated frames (20,000 without it), ZOONET_FUZZ_SEED makes it others.
/// </summary>
public sealed class ReplyFuzzTests
{
    [Fact]
    public void A_mutated_frame_of_a_server_costs_a_connection_at_most_and_never_the_order() => FuzzedSession.PlayAll(mutatesRequests: false);
}
