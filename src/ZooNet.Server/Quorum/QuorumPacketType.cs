namespace ZooNet.Server.Quorum;

/// <summary>
/// What a packet of the quorum protocol is (source: <c>org.apache.zookeeper.server.quorum.Leader</c>). The numbers are on the wire.
/// </summary>
internal enum QuorumPacketType
{
    /// <summary>Learner: a client's write, or sync.</summary>
    Request = 1,
    /// <summary>Leader: a transaction that is not committed yet. An observer gets one only while it catches up.</summary>
    Proposal = 2,
    /// <summary>Learner: it has taken what came so far.</summary>
    Ack = 3,
    /// <summary>Leader: the transaction proposed at this zxid is committed.</summary>
    Commit = 4,
    /// <summary>Both: a sign of life. The learner's says which sessions were heard of.</summary>
    Ping = 5,
    /// <summary>Both: a client brings a session to this learner.</summary>
    Revalidate = 6,
    /// <summary>Leader: a sync is done. In one queue with the transactions.</summary>
    Sync = 7,
    /// <summary>Leader: a committed transaction, for observers.</summary>
    Inform = 8,
    /// <summary>Leader: as <see cref="Commit"/>, of a reconfiguration.</summary>
    CommitAndActivate = 9,
    /// <summary>Leader: the learner has all that this leader's epoch begins with.</summary>
    NewLeader = 10,
    /// <summary>Follower: its first packet.</summary>
    FollowerInfo = 11,
    /// <summary>Leader: the learner may serve clients.</summary>
    UpToDate = 12,
    /// <summary>Leader: what the learner lacks follows as transactions.</summary>
    Diff = 13,
    /// <summary>Leader: the learner is ahead and has to go back to this zxid.</summary>
    Trunc = 14,
    /// <summary>Leader: the whole state follows.</summary>
    Snap = 15,
    /// <summary>Observer: its first packet.</summary>
    ObserverInfo = 16,
    /// <summary>Leader: the epoch that it leads.</summary>
    LeaderInfo = 17,
    /// <summary>Learner: it accepts the epoch, and how far it is.</summary>
    AckEpoch = 18,
    /// <summary>Leader: as <see cref="Inform"/>, of a reconfiguration.</summary>
    InformAndActivate = 19,
}
