using System.CommandLine;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using ZooNet.Proxy.Admin;

namespace ZooNet.Cli;

/// <summary>
/// Asks a proxy's admin endpoint. A refusal becomes a <see cref="CommandFailedException"/> with the proxy's own sentence.
/// </summary>
internal sealed class AdminClient : IDisposable
{
    /// <summary>Where a proxy listens that was told nothing else.</summary>
    public const string DefaultUrl = "http://127.0.0.1:9181";

    /// <summary>The variable that names the endpoint. A proxy's own, <c>ZOONET_ADMIN</c>, is nothing to a command.</summary>
    private const string UrlVariable = "ZOONET_ADMIN_URL";

    /// <summary>The variable that names a file with the token to show: never a flag, which others on the host can read.</summary>
    private const string TokenFile = "ZOONET_TOKEN_FILE";

    /// <summary>The variable that names a PEM file with those who sign the certificate of an endpoint that speaks TLS.</summary>
    private const string AuthorityFile = "ZOONET_ADMIN_AUTHORITY";

    /// <summary>The variable that names a PEM file with the certificate to show, and its key.</summary>
    private const string CertificateFile = "ZOONET_ADMIN_CERTIFICATE";

    /// <summary>What an address begins with that is the file of a Unix-domain socket.</summary>
    private const string UnixScheme = "unix";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Uri _url;
    private readonly string _source;
    private readonly HttpClient _http;

    private AdminClient(Uri url, string source)
    {
        _url = url;
        _source = source;
        // A mount may wait for other regions' acknowledgements; the proxy itself gives up before this.
        _http = new HttpClient(HandlerFor(url))
        {
            BaseAddress = url.Scheme == UnixScheme ? new Uri("http://localhost") : url,
            Timeout = TimeSpan.FromSeconds(60),
        };
    }

    /// <summary>The option that says which proxy is asked.</summary>
    public static Option<string?> AdminOption() => new("--admin", "-a")
    {
        Description = $"Admin endpoint of the proxy to ask, a URL, host:port, or unix:FILE. Default: {UrlVariable}, or {DefaultUrl}.",
        HelpName = "URL",
    };

    /// <summary>Makes a client for what the option, or else the variable, says.</summary>
    public static AdminClient For(string? option)
    {
        var text = option ?? Environment.GetEnvironmentVariable(UrlVariable);
        // What nobody typed just now is told, so that it can be found.
        var source = option is not null || string.IsNullOrWhiteSpace(text) ? "" : $" (from {UrlVariable})";
        text = string.IsNullOrWhiteSpace(text) ? DefaultUrl : text;
        if (text.StartsWith(UnixScheme + ":/", StringComparison.Ordinal) && !text.StartsWith(UnixScheme + "://", StringComparison.Ordinal))
        {
            text = UnixScheme + "://" + text[(UnixScheme.Length + 1)..];
        }
        if (!text.Contains("://", StringComparison.Ordinal))
        {
            text = "http://" + text;
        }
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https" or UnixScheme))
        {
            throw new CommandFailedException(
                $"'{text}'{source} is no admin endpoint; write http://host:port, or unix:/run/zoonet/admin.sock", ExitCodes.BadUsage);
        }
        var client = new AdminClient(url, source);
        if (Environment.GetEnvironmentVariable(TokenFile) is { Length: > 0 } file)
        {
            client._http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", ReadToken(file));
        }
        return client;
    }

    /// <summary>Trusts whom the host trusts, or those in the file that <see cref="AuthorityFile"/> names.</summary>
    private static SocketsHttpHandler HandlerFor(Uri url)
    {
        var handler = new SocketsHttpHandler();
        if (url.Scheme == UnixScheme)
        {
            handler.ConnectCallback = (_, cancellationToken) => ConnectAsync(url.LocalPath, cancellationToken);
        }
        if (url.Scheme != "https")
        {
            return handler;
        }
        if (Environment.GetEnvironmentVariable(CertificateFile) is { Length: > 0 } own)
        {
            handler.SslOptions.ClientCertificates = [ReadCertificate(own)];
        }
        if (Environment.GetEnvironmentVariable(AuthorityFile) is not { Length: > 0 } file)
        {
            return handler;
        }
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        try
        {
            policy.CustomTrustStore.ImportFromPemFile(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new CommandFailedException($"the file that {AuthorityFile} names can't be read: {e.Message}", ExitCodes.BadUsage);
        }
        handler.SslOptions.CertificateChainPolicy = policy;
        return handler;
    }

    private static async ValueTask<Stream> ConnectAsync(string file, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(file), cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static X509Certificate2 ReadCertificate(string file)
    {
        try
        {
            return X509Certificate2.CreateFromPemFile(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new CommandFailedException(
                $"the file that {CertificateFile} names holds no certificate with its key, or can't be read: {e.Message}",
                ExitCodes.BadUsage);
        }
    }

    private static string ReadToken(string file)
    {
        try
        {
            return File.ReadLines(file).FirstOrDefault()?.Trim() is { Length: > 0 } token
                ? token
                : throw new CommandFailedException($"'{file}', which {TokenFile} names, has no token in it", ExitCodes.BadUsage);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"the file that {TokenFile} names can't be read: {e.Message}", ExitCodes.BadUsage);
        }
    }

    public Task<T> GetAsync<T>(string path, CancellationToken cancellationToken) => SendAsync<T>(HttpMethod.Get, path, null, cancellationToken);

    public Task<T> PostAsync<T>(string path, object body, CancellationToken cancellationToken) => SendAsync<T>(HttpMethod.Post, path, body, cancellationToken);

    public Task<T> DeleteAsync<T>(string path, CancellationToken cancellationToken) => SendAsync<T>(HttpMethod.Delete, path, null, cancellationToken);

    /// <summary>An answer that goes on until it is disposed of.</summary>
    public async Task<Stream> StreamAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            var response = await _http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            return response.IsSuccessStatusCode
                ? await response.Content.ReadAsStreamAsync(cancellationToken)
                : throw new CommandFailedException(await RefusalDetail.ReadAsync(response, cancellationToken)
                    ?? $"{_url} answered {(int)response.StatusCode}; is it a proxy's admin endpoint?");
        }
        catch (HttpRequestException e)
        {
            throw new CommandFailedException(NobodyAnswers(e));
        }
    }

    /// <summary>The path of a mount in the API.</summary>
    public static string MountUrl(string mountPoint) => "/api/v1/mounts" + string.Join('/', mountPoint.Split('/').Select(Uri.EscapeDataString));

    /// <summary>An answer as JSON for scripts.</summary>
    public static string ToJson<T>(T value) => JsonSerializer.Serialize(value, Json);

    public void Dispose() => _http.Dispose();

    private string NobodyAnswers(HttpRequestException e) =>
        $"no proxy answers at {_url}{_source}: {e.InnerException?.Message ?? e.Message}; "
            + "start one with 'zoonet proxy', or name another with --admin";

    private async Task<T> SendAsync<T>(HttpMethod method, string path, object? body, CancellationToken cancellationToken)
    {
        try
        {
            using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body, options: Json) };
            using var response = await _http.SendAsync(request, cancellationToken);
            if (response.IsSuccessStatusCode)
            {
                return await response.Content.ReadFromJsonAsync<T>(Json, cancellationToken)
                    ?? throw new CommandFailedException($"the answer of {_url} is empty; is it a proxy's admin endpoint?");
            }
            var problem = await RefusalDetail.ReadAsync(response, cancellationToken);
            throw new CommandFailedException(
                problem ?? $"{_url} answered {(int)response.StatusCode}; is it a proxy's admin endpoint?",
                response.StatusCode == HttpStatusCode.BadRequest ? ExitCodes.BadUsage : ExitCodes.Failed);
        }
        catch (HttpRequestException e)
        {
            var why = _url.Scheme != UnixScheme && await ClientPort.WhatListensAsync(_url) is { } found
                ? $"{_url.Authority}{_source} is {found}; name the proxy's admin endpoint with --admin: "
                    + $"{DefaultUrl} unless configured otherwise"
                : NobodyAnswers(e);
            throw new CommandFailedException(why);
        }
        catch (TaskCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandFailedException($"the proxy at {_url} did not answer within {_http.Timeout.TotalSeconds} s; 'zoonet status' may tell why");
        }
        catch (JsonException e)
        {
            throw new CommandFailedException($"the answer of {_url} is not understood ({e.Message}); is it a proxy's admin endpoint, of this version?");
        }
    }
}
