using System.Text.RegularExpressions;
using k8s;

namespace ZooNet.Proxy.Tests.Tidy;

/// <summary>
/// The manifests in packaging/kubernetes are what Kubernetes takes: its official client, which is made from its schema, reads every object
/// and knows every key.
/// </summary>
public sealed partial class ManifestTests
{
    [Theory]
    [InlineData("region.yaml",
        "V1Secret V1ConfigMap V1Deployment V1Service V1Service V1PodDisruptionBudget V1NetworkPolicy ServiceMonitor")]
    [InlineData("sidecar.yaml", "V1Deployment")]
    public void Each_object_has_the_keys_of_its_kind_and_no_others(string file, string kinds) =>
        Assert.Equal(kinds, string.Join(' ', Read(Repository.Files["packaging/kubernetes/" + file])));

    [Fact]
    public void A_key_that_is_none_is_found()
    {
        var changed = Repository.Files["packaging/kubernetes/region.yaml"].Replace("minAvailable", "minAvailabel",
            StringComparison.Ordinal);
        Assert.ThrowsAny<Exception>(() => Read(changed).ToList());
    }

    private static IEnumerable<string> Read(string manifests)
    {
        foreach (var manifest in Separator.Split(manifests).Where(m => m.Contains("kind:", StringComparison.Ordinal)))
        {
            // It is of the Prometheus operator, whose schema Kubernetes' client does not have.
            if (manifest.Contains("kind: ServiceMonitor", StringComparison.Ordinal))
            {
                yield return "ServiceMonitor";
                continue;
            }
            foreach (var read in KubernetesYaml.LoadAllFromString(manifest, strict: true))
            {
                yield return read.GetType().Name;
            }
        }
    }

    [GeneratedRegex("^---\\s*$", RegexOptions.Multiline)]
    private static partial Regex Separator { get; }
}
