using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace ZooNet.Proxy.Transport;

/// <summary>
/// A certificate's subject as ZooKeeper writes it in ids of the scheme <c>x509</c>: by RFC 2253, as Java's <c>X500Principal.getName()</c>.
/// </summary>
internal static class CertificateSubject
{
    /// <summary>Characters that mean something in such a name.</summary>
    private const string Special = ",=+<>#;\"\\";

    private static readonly Dictionary<string, string> Keywords = new(StringComparer.Ordinal)
    {
        ["2.5.4.3"] = "CN",
        ["2.5.4.6"] = "C",
        ["2.5.4.7"] = "L",
        ["2.5.4.8"] = "ST",
        ["2.5.4.9"] = "STREET",
        ["2.5.4.10"] = "O",
        ["2.5.4.11"] = "OU",
        ["0.9.2342.19200300.100.1.1"] = "UID",
        ["0.9.2342.19200300.100.1.25"] = "DC",
    };

    /// <summary>The subject's name; null if it has none, or none that can be read.</summary>
    public static string? Of(X509Certificate2 certificate)
    {
        try
        {
            var parts = new List<string>();
            var names = new AsnReader(certificate.SubjectName.RawData, AsnEncodingRules.DER).ReadSequence();
            while (names.HasData)
            {
                var values = names.ReadSetOf();
                var texts = new List<string>();
                while (values.HasData)
                {
                    texts.Add(ValueOf(values.ReadSequence()));
                }
                parts.Add(string.Join('+', texts));
            }
            // The most particular comes first.
            parts.Reverse();
            return parts.Count == 0 ? null : string.Join(',', parts);
        }
        catch (Exception e) when (e is AsnContentException or CryptographicException)
        {
            return null;
        }
    }

    private static string ValueOf(AsnReader pair)
    {
        var type = pair.ReadObjectIdentifier();
        var tag = pair.PeekTag();
        var isText = tag.TagClass == TagClass.Universal && (UniversalTagNumber)tag.TagValue is UniversalTagNumber.UTF8String
            or UniversalTagNumber.PrintableString or UniversalTagNumber.IA5String
            or UniversalTagNumber.BMPString or UniversalTagNumber.T61String;
        return Keywords.TryGetValue(type, out var keyword) && isText
            ? $"{keyword}={Escaped(pair.ReadCharacterString((UniversalTagNumber)tag.TagValue))}"
            : $"{keyword ?? type}=#{Convert.ToHexStringLower(pair.ReadEncodedValue().Span)}";
    }

    private static string Escaped(string value)
    {
        var text = new StringBuilder(value.Length);
        var (begin, end) = (value.Length - value.TrimStart(' ', '\r').Length, value.TrimEnd(' ', '\r').Length);
        for (var i = 0; i < value.Length; i++)
        {
            if (value[i] == '\0')
            {
                text.Append("\\00");
                continue;
            }
            if (Special.Contains(value[i], StringComparison.Ordinal) || i < begin || i >= end)
            {
                text.Append('\\');
            }
            text.Append(value[i]);
        }
        return text.ToString();
    }
}
