using System.Text;
using ZooNet.Protocol;

namespace ZooNet.WebConsole;

/// <summary>A znode as its page shows it. Immutable.</summary>
/// <param name="Data">Its bytes.</param>
/// <param name="Stat">Its Stat.</param>
/// <param name="Children">Their names, in order.</param>
/// <param name="Acl">Its ACL in words; null where it may not be read.</param>
public sealed record ZnodeView(byte[] Data, Stat Stat, IReadOnlyList<string> Children, string? Acl)
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <summary>The data as text; null where it is none.</summary>
    public string? Text
    {
        get
        {
            try
            {
                var text = Strict.GetString(Data);
                return text.Any(c => char.IsControl(c) && c is not ('\n' or '\r' or '\t')) ? null : text;
            }
            catch (DecoderFallbackException)
            {
                return null;
            }
        }
    }
}
