using System.Net.Http.Json;
using System.Text.Json;

namespace ZooNet.Proxy.Admin;

/// <summary>What a proxy's admin endpoint says in a refusal, for whoever asked it. Stateless.</summary>
public static class RefusalDetail
{
    /// <summary>
    /// Reads the sentence of a refusal (<c>detail</c> of its problem details); null if there is none, or the answer is no JSON.
    /// </summary>
    /// <param name="response">The refusal.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public static async Task<string?> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            var problem = await response.Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
            return problem.TryGetProperty("detail", out var detail) ? detail.GetString() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
