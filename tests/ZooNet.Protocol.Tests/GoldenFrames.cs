namespace ZooNet.Protocol.Tests;

/// <summary>A frame that went over the wire between a client and a real ZooKeeper.</summary>
/// <param name="Direction">&gt; to the server, &lt; from it.</param>
/// <param name="Name">What it is, as Golden/capture.py calls it.</param>
/// <param name="Payload">Its bytes without the length prefix.</param>
/// <param name="Op">The operation that it asks for, or answers.</param>
internal sealed record GoldenFrame(char Direction, string Name, byte[] Payload, OpCode Op);

/// <summary>What Golden/capture.py saw of each release.</summary>
internal static class GoldenFrames
{
    /// <summary>The releases, oldest first.</summary>
    public static readonly string[] Versions = ["3.5.10", "3.6.4", "3.7.2", "3.8.0", "3.8.4", "3.9.5"];

    /// <summary>The lines of a release: direction, name, what follows in hex.</summary>
    public static IEnumerable<(char Kind, string Name, byte[] Payload)> Lines(string version) =>
        from line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Golden", version + ".txt"))
        let parts = line.Split(' ')
        select (parts[0][0], parts[1], parts.Length > 2 ? Convert.FromHexString(parts[2]) : []);

    /// <summary>The frames of a release, in their order.</summary>
    public static IReadOnlyList<GoldenFrame> Of(string version)
    {
        var frames = new List<GoldenFrame>();
        var asked = OpCode.Notification;
        foreach (var (kind, name, payload) in Lines(version))
        {
            if (kind == '>')
            {
                var reader = new JuteReader(payload);
                asked = name == "connect" ? OpCode.CreateSession : RequestHeader.Read(ref reader).Op;
            }
            if (kind is '>' or '<')
            {
                frames.Add(new GoldenFrame(kind, name, payload, name == "event" ? OpCode.Notification : asked));
            }
        }
        return frames;
    }
}
