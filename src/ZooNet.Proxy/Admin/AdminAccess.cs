using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Http;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Admin;

/// <summary>
/// Decides who may ask the admin endpoint what. From this host's loopback and by the Unix-domain socket everything is allowed without a
/// token; from anywhere else a bearer token is needed, or a client certificate whose name has a role: <c>view</c> or <c>admin</c>.
/// Requests that a page in somebody's browser makes are refused: a foreign Origin, and where no token is needed a Host that is no
/// address, which is how a name that was bound anew gets there. Thread-safe.
/// </summary>
/// <param name="config">The tokens and names.</param>
/// <param name="audit">Where refusals are told.</param>
public sealed class AdminAccess(ConfigInForce config, AuditLog audit)
{
    /// <summary>The role of who may look at everything.</summary>
    public const string Viewer = "view";

    /// <summary>The role of who may mount and unmount, too.</summary>
    public const string Administrator = "admin";

    /// <summary>The header of every answer that says which role the asker has.</summary>
    public const string RoleHeader = "ZooNet-Role";

    private Tokens _tokens = new(config.Current);

    /// <summary>Whether what a probe asks is to be answered without what only those may know who may look at everything.</summary>
    public static bool IsStranger(HttpContext context) => !context.Items.ContainsKey(typeof(AdminAccess));

    /// <summary>The common name of the certificate that a request's sender has shown; null for none.</summary>
    public static string? NameOf(HttpContext context) =>
        context.Connection.ClientCertificate?.GetNameInfo(X509NameType.SimpleName, forIssuer: false);

    /// <summary>Middleware: answers 401 or 403, or goes on.</summary>
    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var request = context.Request;
        var (role, refusal) = RoleOf(context);
        var changes = !HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method);
        var isProbe = request.Path.Value is "/live" or "/ready";
        if (isProbe && refusal is { Status: StatusCodes.Status401Unauthorized })
        {
            refusal = null;
        }
        if (refusal is null && role is null && !isProbe)
        {
            context.Response.Headers.WWWAuthenticate = "Bearer";
            refusal = (StatusCodes.Status401Unauthorized, Known().Length == 0
                ? "from other hosts the admin endpoint needs a token, and none is configured: "
                    + "ask on the proxy's own host, or configure 'adminTokens'"
                : "from other hosts the admin endpoint needs a token: give one of those in the files that 'adminTokens' names, as "
                    + "'Authorization: Bearer …', or let ZOONET_TOKEN_FILE name a file with it");
        }
        if (refusal is null && changes && role != Administrator)
        {
            var shown = request.Headers.Authorization.Count > 0 ? "token" : "certificate";
            refusal = (StatusCodes.Status403Forbidden,
                $"this {shown} is one to look, not to change anything; take one of the role 'admin'");
        }
        if (refusal is { } refused)
        {
            if (changes || refused.Status == StatusCodes.Status403Forbidden)
            {
                audit.Refused(context, refused.Why);
            }
            await Results.Problem(refused.Why, statusCode: refused.Status).ExecuteAsync(context);
            return;
        }
        if (role is not null)
        {
            context.Items[typeof(AdminAccess)] = role;
            context.Response.Headers[RoleHeader] = role;
        }
        await next(context);
    }

    private (string? Role, (int Status, string Why)? Refusal) RoleOf(HttpContext context)
    {
        var request = context.Request;
        // A browser names the page that asks. Only pages of this endpoint's own may.
        if (request.Headers.Origin.ToString() is { Length: > 0 } origin
            && !origin.Equals($"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase))
        {
            return (null, (StatusCodes.Status403Forbidden, "pages of other sites may not ask the admin endpoint"));
        }
        if (request.Headers.Authorization.ToString() is { Length: > 0 } authorization)
        {
            return TokenRole(authorization) is { } role
                ? (role, null)
                : (null, (StatusCodes.Status401Unauthorized, "the token is none of those that are configured"));
        }
        if (NameOf(context) is { } name && NameRole(name) is { } named)
        {
            return (named, null);
        }
        // A Unix-domain socket has no addresses; the file's rights have let the asker in.
        var isLocal = context.Connection.RemoteIpAddress is not { } from || IPAddress.IsLoopback(from);
        if (!isLocal && !config.Current.Insecure)
        {
            return (null, null);
        }
        return IsOurs(request.Host.Host, isLocal)
            ? (Administrator, null)
            : (null, (StatusCodes.Status403Forbidden, $"'{request.Host.Host}' is no name of this endpoint: a name that somebody else gives "
                + "may lead here, too; ask an address or localhost, or give a token"));
    }

    /// <summary>
    /// Whether no page of somebody else's can have asked under this name. Its own name he may bind to any address, here too, and the
    /// browser then takes us for his site. Names without a dot are given by who runs this network, or this host.
    /// </summary>
    private static bool IsOurs(string host, bool isLocal) => host.Length == 0
        || host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || IPAddress.TryParse(host.Trim('[', ']'), out _)
        || (!isLocal && !host.Contains('.', StringComparison.Ordinal));

    /// <summary>The role of a certificate's common name; the handshake has seen to it that the certificate is good.</summary>
    private string? NameRole(string name) => config.Current.AdminNames.Contains(name, StringComparer.Ordinal) ? Administrator
        : config.Current.ViewNames.Contains(name, StringComparer.Ordinal) ? Viewer : null;

    /// <summary>Compares with every token, in a time that says nothing of them.</summary>
    private string? TokenRole(string authorization)
    {
        const string Scheme = "Bearer ";
        if (!authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }
        var hash = Hash(authorization[Scheme.Length..].Trim());
        string? found = null;
        foreach (var (known, role) in Known())
        {
            if (CryptographicOperations.FixedTimeEquals(hash, known))
            {
                found ??= role;
            }
        }
        return found;
    }

    /// <summary>The tokens as they are configured now.</summary>
    private (byte[] Hash, string Role)[] Known()
    {
        var tokens = Volatile.Read(ref _tokens);
        if (!ReferenceEquals(tokens.Config, config.Current))
        {
            Volatile.Write(ref _tokens, tokens = new Tokens(config.Current));
        }
        return tokens.Hashes;
    }

    private static byte[] Hash(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));

    private sealed class Tokens(ProxyConfig config)
    {
        public ProxyConfig Config => config;

        public (byte[] Hash, string Role)[] Hashes { get; } =
        [
            .. config.AdminTokens.Select(t => (Hash(t), Administrator)),
            .. config.ViewTokens.Select(t => (Hash(t), Viewer)),
        ];
    }
}
