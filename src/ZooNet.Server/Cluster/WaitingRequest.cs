using ZooNet.Protocol;
using ZooNet.Server.Connections;
using ZooNet.Tree.Requests;
using ZooNet.Tree.Transactions;

namespace ZooNet.Server.Cluster;

/// <summary>A request of an observer's client that waits: for the leader, or behind one that does.</summary>
/// <param name="Connection">Who asked.</param>
/// <param name="Header">What, and under which xid.</param>
/// <param name="Body">The request's body, copied.</param>
/// <param name="Identities">Who the client was when it asked.</param>
/// <param name="ForLeader">True where the leader's answer ends the wait; false for a read that waits in its place.</param>
internal sealed record WaitingRequest(ServerConnection Connection, RequestHeader Header, byte[] Body, IReadOnlyList<Identity> Identities, bool ForLeader);

/// <summary>What a leader tells an observer.</summary>
/// <param name="Header">The transaction's header.</param>
/// <param name="Txn">A transaction; null where only a sync is answered.</param>
/// <param name="Origin">The request that it answers, where it came through this observer.</param>
/// <param name="Digest">The leader's digest of its tree afterwards; null where it is not told.</param>
internal readonly record struct Commit(TxnHeader Header, Txn? Txn, WaitingRequest? Origin, long? Digest = null);
