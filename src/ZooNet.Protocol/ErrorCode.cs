namespace ZooNet.Protocol;

/// <summary>
/// Error codes of reply headers and multi results (source: <c>KeeperException.Code</c>). An error code is
/// data, passed on as it came; codes not named here are legal too.
/// </summary>
public enum ErrorCode
{
    /// <summary>No error.</summary>
    Ok = 0,
    /// <summary>System error of the server.</summary>
    SystemError = -1,
    /// <summary>In a failed multi: an operation after the one that failed.</summary>
    RuntimeInconsistency = -2,
    /// <summary>Data inconsistency.</summary>
    DataInconsistency = -3,
    /// <summary>The connection to the server was lost.</summary>
    ConnectionLoss = -4,
    /// <summary>The request could not be decoded.</summary>
    MarshallingError = -5,
    /// <summary>The operation is not known, or not enabled.</summary>
    Unimplemented = -6,
    /// <summary>The operation timed out.</summary>
    OperationTimeout = -7,
    /// <summary>An argument is not legal.</summary>
    BadArguments = -8,
    /// <summary>No quorum of the new configuration is connected.</summary>
    NewConfigNoQuorum = -13,
    /// <summary>Another reconfiguration is going on.</summary>
    ReconfigInProgress = -14,
    /// <summary>Unknown session (server-internal).</summary>
    UnknownSession = -12,
    /// <summary>There is no such znode.</summary>
    NoNode = -101,
    /// <summary>Not authorised.</summary>
    NoAuth = -102,
    /// <summary>The version does not match.</summary>
    BadVersion = -103,
    /// <summary>An ephemeral znode can't have children.</summary>
    NoChildrenForEphemerals = -108,
    /// <summary>The znode exists already.</summary>
    NodeExists = -110,
    /// <summary>The znode has children.</summary>
    NotEmpty = -111,
    /// <summary>The session has expired.</summary>
    SessionExpired = -112,
    /// <summary>Invalid callback (client-side).</summary>
    InvalidCallback = -113,
    /// <summary>The ACL is not legal.</summary>
    InvalidAcl = -114,
    /// <summary>Authentication failed.</summary>
    AuthFailed = -115,
    /// <summary>The session moved to another server (never reaches a client).</summary>
    SessionMoved = -118,
    /// <summary>The server is read-only and the request writes.</summary>
    NotReadOnly = -119,
    /// <summary>A local session may not own ephemeral znodes.</summary>
    EphemeralOnLocalSession = -120,
    /// <summary>There is no such watch.</summary>
    NoWatcher = -121,
    /// <summary>reconfig is disabled.</summary>
    ReconfigDisabled = -123,
    /// <summary>The server demands SASL.</summary>
    SessionClosedRequireSasl = -124,
    /// <summary>A quota is exceeded.</summary>
    QuotaExceeded = -125,
    /// <summary>The request was throttled.</summary>
    Throttled = -127,
}
