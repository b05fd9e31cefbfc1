#:property PublishAot=false
#:property AssemblyName=BillOfMaterials
// Prints what the product is made of, as CycloneDX 1.5:
//
//   dotnet run eng/bill_of_materials.cs -- VERSION EPOCH PROJECT.ASSETS.JSON
//
// The source is NuGet's own record of what it restored. EPOCH 0 leaves the time out.
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

var (version, epoch) = (args[0], long.Parse(args[1], CultureInfo.InvariantCulture));
var assets = JsonNode.Parse(File.ReadAllText(args[2]))!;
var components = new JsonArray();
foreach (var (key, library) in assets["libraries"]!.AsObject().OrderBy(entry => entry.Key, StringComparer.Ordinal))
{
    var (name, itsVersion) = (key[..key.IndexOf('/')], key[(key.IndexOf('/') + 1)..]);
    if ((string?)library!["type"] != "package" || name == "MinVer")
    {
        continue;
    }
    var hash = Convert.ToHexStringLower(Convert.FromBase64String((string)library["sha512"]!));
    components.Add(new JsonObject
    {
        ["type"] = "library",
        ["name"] = name,
        ["version"] = itsVersion,
        ["purl"] = $"pkg:nuget/{name}@{itsVersion}",
        ["hashes"] = new JsonArray(new JsonObject { ["alg"] = "SHA-512", ["content"] = hash }),
    });
}
var metadata = new JsonObject
{
    ["component"] = new JsonObject
    {
        ["type"] = "application",
        ["name"] = "zoonet",
        ["version"] = version,
        ["licenses"] = new JsonArray(new JsonObject { ["license"] = new JsonObject { ["id"] = "Apache-2.0" } }),
    },
};
if (epoch != 0)
{
    metadata["timestamp"] = DateTimeOffset.FromUnixTimeSeconds(epoch).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
var bom = new JsonObject
{
    ["bomFormat"] = "CycloneDX",
    ["specVersion"] = "1.5",
    ["version"] = 1,
    ["metadata"] = metadata,
    ["components"] = components,
};
Console.WriteLine(bom.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
