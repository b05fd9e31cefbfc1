namespace ZooNet.Bench;

/// <summary>The four kinds of requests that are told apart.</summary>
public enum RequestKind
{
    /// <summary>getData of a local znode.</summary>
    LocalRead,
    /// <summary>setData of a local znode.</summary>
    LocalUpdate,
    /// <summary>getData of a remote znode.</summary>
    RemoteRead,
    /// <summary>setData of a remote znode.</summary>
    RemoteUpdate,
}
