using System.Net;
using System.Net.Security;

namespace ZooNet.Server.Quorum;

/// <summary>Whom a learner follows, and how.</summary>
public sealed record LearnerOptions
{
    /// <summary>
    /// The quorum ports of the ensemble's voters, in any order: <c>server.N=host:2888:3888</c>, the first of the two. Only the leader
    /// listens on its own.
    /// </summary>
    public required IReadOnlyList<DnsEndPoint> Quorum { get; init; }

    /// <summary>
    /// Finds the quorum ports, where they are not given by <see cref="Quorum"/>: asked at the start, and again, twice a minute at most,
    /// while no leader is found at those that it named last. It throws an <see cref="IOException"/> that says in a sentence why it can't.
    /// </summary>
    public Func<CancellationToken, Task<IReadOnlyList<DnsEndPoint>>>? FindQuorum { get; init; }

    /// <summary>
    /// The learner's number in the ensemble (sid), 1 to 255, which no server of the ensemble may have: a leader takes the word of its
    /// voters' numbers for theirs.
    /// </summary>
    public required byte ServerId { get; init; }

    /// <summary>
    /// True where all clients come from this very process, which has let them in: for ACLs they then have the address from which this
    /// machine reaches the leader, as if they were connected to a server there, and not that of loopback.
    /// </summary>
    public bool ForwardsClients { get; init; }

    /// <summary>
    /// Whether it listens at <see cref="EmbeddedServerOptions.Listen"/>. If not, clients come from within the process alone, by
    /// <see cref="LearningServer.Connect"/> and <see cref="LearningServer.Open"/>.
    /// </summary>
    public bool Listens { get; init; } = true;

    /// <summary>
    /// What to keep of the cluster: these znodes, with all below them, and /zookeeper. Of what is above them ACLs and Stats are kept;
    /// requests about anything else are answered <see cref="Protocol.ErrorCode.Unimplemented"/>, and close a connection from within the
    /// process. Null for everything. <see cref="LearningServer.KeepAsync"/> changes it later.
    /// </summary>
    public IReadOnlyList<string>? Roots { get; init; }

    /// <summary>
    /// Where to keep the state, so that a restart asks its leader only for what came since; null for nowhere. The folder is this learner's
    /// alone. It is written when the learner ends, and every <see cref="SaveEvery"/> where anything has changed.
    /// </summary>
    public string? DataDirectory { get; init; }

    /// <summary>How often the state is put on disk while it runs. Positive.</summary>
    public TimeSpan SaveEvery { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// What to ask of a leader by TLS, given its host as <see cref="Quorum"/> has it; called for each connection. Null for plain TCP.
    /// Ensembles ask for it with <c>sslQuorum</c>.
    /// </summary>
    public Func<string, SslClientAuthenticationOptions>? Tls { get; init; }

    /// <summary>As whom to log in by SASL; null where quorum connections do not ask for it.</summary>
    public QuorumCredentials? Credentials { get; init; }

    /// <summary>What is left out of the rules; nothing but in tests.</summary>
    internal LearnerOmissions Omissions { get; init; } = LearnerOmissions.None;

    /// <summary>How long a connection may take to be made, with TLS and login.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a leader may be silent. Leaders ping twice per tick; a new one may take a few ticks to begin.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The shortest and the longest pause between attempts; it doubles from one to the other.</summary>
    public (TimeSpan Shortest, TimeSpan Longest) Pause { get; init; } = (TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(5));
}
