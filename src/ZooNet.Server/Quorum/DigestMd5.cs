using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace ZooNet.Server.Quorum;

/// <summary>
/// The client's side of SASL DIGEST-MD5 (RFC 2831), as much of it as quorum connections use: one exchange, no protection of what follows.
/// One owner.
/// </summary>
/// <param name="credentials">Who logs in.</param>
/// <param name="uri">The service and host that both sides name: digest-uri.</param>
/// <param name="clientNonce">Text of the client's choosing, different each time.</param>
[SuppressMessage("Security", "CA5351", Justification = "The protocol asks for MD5. TLS is what protects a quorum connection.")]
internal sealed class DigestMd5(QuorumCredentials credentials, string uri, string clientNonce)
{
    private const string Count = "00000001";

    private string? _expected;

    /// <summary>Answers the server's challenge.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public byte[] Answer(ReadOnlySpan<byte> challenge)
    {
        var fields = Parse(Encoding.UTF8.GetString(challenge));
        if (!fields.TryGetValue("nonce", out var nonce) || fields.GetValueOrDefault("algorithm") != "md5-sess")
        {
            throw new InvalidDataException("its challenge is not one of DIGEST-MD5");
        }
        if (fields.TryGetValue("qop", out var qop) && !qop.Split(',', StringSplitOptions.TrimEntries).Contains("auth"))
        {
            throw new InvalidDataException($"it asks for the protection '{qop}', and only 'auth' is spoken");
        }
        var realm = fields.GetValueOrDefault("realm", "");
        var secret = MD5.HashData(Text($"{credentials.Name}:{realm}:{credentials.Password}"));
        var session = Hex(MD5.HashData([.. secret, .. Encoding.UTF8.GetBytes($":{nonce}:{clientNonce}")]));
        _expected = Digest($":{uri}");
        return Encoding.UTF8.GetBytes($"charset=utf-8,username={Quote(credentials.Name)},realm={Quote(realm)},nonce={Quote(nonce)},"
            + $"nc={Count},cnonce={Quote(clientNonce)},digest-uri={Quote(uri)},maxbuf=65536,"
            + $"response={Digest($"AUTHENTICATE:{uri}")},qop=auth");

        string Digest(string what) => Md5($"{session}:{nonce}:{Count}:{clientNonce}:auth:{Md5(what)}");
    }

    /// <summary>Whether the server's last word proves that it knows the password, too.</summary>
    public bool IsServer(ReadOnlySpan<byte> last) =>
        _expected is not null && Parse(Encoding.UTF8.GetString(last)).GetValueOrDefault("rspauth") == _expected;

    private static string Md5(string text) => Hex(MD5.HashData(Encoding.UTF8.GetBytes(text)));

    private static string Hex(byte[] hash) => Convert.ToHexStringLower(hash);

    private static string Quote(string text) =>
        $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";

    /// <summary>As the RFC has it: in ISO 8859-1 where that has all the characters.</summary>
    private static byte[] Text(string text) => (text.Any(c => c > 0xff) ? Encoding.UTF8 : Encoding.Latin1).GetBytes(text);

    /// <summary>Reads <c>name=value,name="value"</c>. Of a name that comes twice the first one counts.</summary>
    private static Dictionary<string, string> Parse(string text)
    {
        var fields = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var at = 0;
        while (at < text.Length && text.IndexOf('=', at) is > 0 and var equals)
        {
            var name = text[at..equals].Trim(' ', '\t', ',');
            var value = new StringBuilder();
            at = equals + 1;
            if (at < text.Length && text[at] == '"')
            {
                for (at++; at < text.Length && text[at] != '"'; at++)
                {
                    if (text[at] == '\\' && at + 1 < text.Length)
                    {
                        at++;
                    }
                    value.Append(text[at]);
                }
                at++;
            }
            else
            {
                for (; at < text.Length && text[at] != ','; at++)
                {
                    value.Append(text[at]);
                }
            }
            fields.TryAdd(name, value.ToString());
        }
        return fields;
    }
}
