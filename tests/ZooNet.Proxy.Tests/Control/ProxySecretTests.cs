using ZooNet.Protocol;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Tests.Control;

/// <summary>Keys from the secret, and a change of secret.</summary>
public sealed class ProxySecretTests
{
    private static readonly byte[] Plain = "what nobody must read"u8.ToArray();

    private readonly ProxySecret _old = new("zoonet:the-old-one");
    private readonly ProxySecret _both = new("zoonet:the-new-one", "zoonet:the-old-one");
    private readonly ProxySecret _new = new("zoonet:the-new-one");

    [Fact]
    public void What_is_sealed_opens_for_the_same_purpose_and_context_only()
    {
        var content = _old.Seal("record", "us/1@eu", Plain);

        Assert.Equal(Plain, _old.Open("record", "us/1@eu", content));
        Assert.Equal(Plain, new ProxySecret("zoonet:the-old-one").Open("record", "us/1@eu", content));
        Assert.Null(_old.Open("mount", "us/1@eu", content));
        Assert.Null(_old.Open("record", "us/2@eu", content));
        Assert.Null(_new.Open("record", "us/1@eu", content));
    }

    [Fact]
    public void Sealed_twice_the_same_looks_different_and_shows_nothing_of_it()
    {
        var one = _old.Seal("record", "x", Plain);

        Assert.NotEqual(one, _old.Seal("record", "x", Plain));
        Assert.Equal(-1, one.AsSpan().IndexOf(Plain.AsSpan(0, 4)));
    }

    [Fact]
    public void No_byte_of_it_can_be_changed_and_none_left_out()
    {
        var content = _old.Seal("record", "x", Plain);
        for (var i = 0; i < content.Length; i++)
        {
            var changed = (byte[])content.Clone();
            changed[i] ^= 1;
            Assert.Null(_old.Open("record", "x", changed));
            Assert.Null(_old.Open("record", "x", content.AsSpan(0, i)));
        }
    }

    [Fact]
    public void While_the_secret_changes_both_are_read_and_the_new_one_is_written()
    {
        Assert.Equal(Plain, _both.Open("record", "x", _old.Seal("record", "x", Plain)));
        Assert.Equal(Plain, _new.Open("record", "x", _both.Seal("record", "x", Plain)));
        Assert.True(_both.IsSigned("mount", "text", _old.Sign("mount", "text")));
        Assert.True(_new.IsSigned("mount", "text", _both.Sign("mount", "text")));
        Assert.Equal(2, _both.Credentials.Count);
        Assert.True(_both.IsOurs(_old.Acl[0]) && _both.IsOurs(_new.Acl[0]) && !_old.IsOurs(_new.Acl[0]));
        Assert.Equal(_new.Acl, _both.Acl);
    }

    [Fact]
    public void A_signature_is_of_one_text_and_one_purpose()
    {
        var signature = _old.Sign("mount", "text");

        Assert.True(_old.IsSigned("mount", "text", signature));
        Assert.False(_old.IsSigned("mount", "text ", signature));
        Assert.False(_old.IsSigned("record", "text", signature));
        Assert.False(_new.IsSigned("mount", "text", signature));
        Assert.False(_old.IsSigned("mount", "text", null));
        Assert.False(_old.IsSigned("mount", "text", "x"));
    }

    [Fact]
    public void The_digest_is_ZooKeepers()
    {
        Assert.Equal("super:D/InIHSb7yEEbrWz8b9l71RjZJU=", ProxySecret.DigestOf("super:test"));
        Assert.Equal([new Acl(Permissions.All, "digest", "super:D/InIHSb7yEEbrWz8b9l71RjZJU="), new Acl(Permissions.Read, "world", "anyone")], new ProxySecret("super:test").Acl);
    }
}
