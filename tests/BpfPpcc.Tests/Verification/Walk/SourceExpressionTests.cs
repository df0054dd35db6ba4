using BpfPpcc.Verification.Walk;
using Xunit;

namespace BpfPpcc.Tests.Verification.Walk;

/// <summary>Which C expression a line and a column point to. The column of each case is that of the '^' in front of it.</summary>
public sealed class SourceExpressionTests
{
    [Theory]
    [InlineData("    ^c->packets++;", "c", null, null)]
    [InlineData("    c->packets^++;", "c->packets", "c", null)]
    [InlineData("    if (eth->^h_proto == bpf_htons(ETH_P_IPV6))", "eth->h_proto", "eth", null)]
    [InlineData("    h->^ports[slot] = ctx->rx_queue_index;", "h->ports[slot]", "h", "slot")]
    [InlineData("    h->ports[slot] ^= ctx->rx_queue_index;", "h->ports[slot]", "h", "slot")]
    [InlineData("    *rest ^-= 1;", "*rest", "rest", null)]
    [InlineData("    ^*rest -= 1;", "*rest", "rest", null)]
    [InlineData("    x = a *b->^c;", "b->c", "b", null)]
    [InlineData("    if (^data[12] == 8)", "data[12]", "data", null)]
    [InlineData("    sum += a.b[i].^c;", "a.b[i].c", null, null)]
    [InlineData("    p->next->^value = 3;", "p->next->value", "p->next", null)]
    [InlineData("    y = ^f(x);", null, null, null)]
    [InlineData("    y = g(x)->^z;", null, null, null)]
    [InlineData("    ^++n;", "n", null, null)]
    [InlineData("    q->a[i + 1] ^+= 1;", "q->a[i + 1]", "q", null)]
    [InlineData("    ^(void)x;", null, null, null)]
    [InlineData("^", null, null, null)]
    public void Names_are_found(string marked, string? expression, string? pointer, string? index)
    {
        int column = marked.IndexOf('^', StringComparison.Ordinal);
        string? found = SourceExpression.At(marked.Remove(column, 1), column + 1);
        Assert.Equal((expression, pointer, index), (found, SourceExpression.PointerOf(found), SourceExpression.IndexOf(found)));
    }

    [Fact]
    public void No_line_makes_it_throw()
    {
        var random = new Random(7);
        const string Characters = "ab->.[]()*&=+- ;,?:1_";
        for (int i = 0; i < 50_000; i++)
        {
            char[] line = new char[random.Next(0, 20)];
            for (int j = 0; j < line.Length; j++)
                line[j] = Characters[random.Next(Characters.Length)];
            string? found = SourceExpression.At(new string(line), random.Next(-1, 24));
            SourceExpression.PointerOf(found);
            SourceExpression.IndexOf(found);
        }
    }
}
