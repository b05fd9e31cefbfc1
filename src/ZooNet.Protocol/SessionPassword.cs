using System.Buffers.Binary;

namespace ZooNet.Protocol;

/// <summary>
/// The password that ZooKeeper gives a session: the first 16 bytes of <c>java.util.Random</c> seeded with the id
/// (source: <c>ZooKeeperServer.generatePasswd</c>). It is derivable from the id: whoever knows the id may attach.
/// </summary>
public static class SessionPassword
{
    /// <summary>Bytes of a password.</summary>
    public const int Length = 16;

    /// <summary>Computes the password of a session.</summary>
    public static byte[] Of(long sessionId)
    {
        // ZooKeeper's superSecret is written 0XB3415C00L: a positive long.
        var state = ((sessionId ^ 0xB3415C00L) ^ 0x5DEECE66DL) & ((1L << 48) - 1);
        var password = new byte[Length];
        for (var i = 0; i < Length; i += 4)
        {
            state = (state * 0x5DEECE66DL + 0xBL) & ((1L << 48) - 1);
            // nextBytes takes each int from its low byte up.
            BinaryPrimitives.WriteInt32LittleEndian(password.AsSpan(i), (int)(state >> 16));
        }
        return password;
    }
}
