using System.Security.Cryptography;

namespace ZooNet.Proxy.Control;

/// <summary>This run of this proxy. Unlike the configured name it is never another proxy's, and never used again.</summary>
public sealed class ProxyInstance
{
    /// <summary>16 hexadecimal digits.</summary>
    public string Id { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
}
