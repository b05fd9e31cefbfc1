namespace ZooNet.Server.Quorum;

/// <summary>
/// Who the learner is where quorum connections ask for SASL (<c>quorum.auth.enableSasl</c>): an entry <c>user_NAME="PASSWORD"</c> of the
/// servers' login context <c>QuorumServer</c>.
/// </summary>
/// <param name="Name">The user, at most 1,000 characters.</param>
/// <param name="Password">Its password, at most 1,000 characters.</param>
public sealed record QuorumCredentials(string Name, string Password)
{
    /// <summary>Without the password, so that no log has it.</summary>
    public override string ToString() => Name;
}
