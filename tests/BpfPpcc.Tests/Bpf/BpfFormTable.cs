using Xunit;

namespace BpfPpcc.Tests.Bpf;

/// <summary>
/// Every form of instruction, written down from RFC 9669 and Linux's additions: text and the fields that it uses (d dst, s src,
/// o offset, i immediate). The others are reserved.
/// </summary>
internal static class BpfFormTable
{
    public static TheoryData<string, string> Rows()
    {
        var rows = new TheoryData<string, string>();
        foreach (char width in "rw")
        {
            foreach (string op in (string[])["+=", "-=", "*=", "|=", "&=", "^=", "<<=", ">>=", "s>>=", "="])
            {
                if (op != "=")
                    rows.Add($"{width}1 {op} {width}2", "ds");
                rows.Add($"{width}1 {op} 5", "di");
            }

            foreach (string op in (string[])["/=", "%=", "s/=", "s%="])
            {
                rows.Add($"{width}1 {op} {width}2", "dso");
                rows.Add($"{width}1 {op} 5", "dio");
            }

            foreach (string relation in (string[])["==", "!=", ">", ">=", "<", "<=", "s>", "s>=", "s<", "s<=", "&"])
            {
                rows.Add($"if {width}1 {relation} {width}2 goto +0", "dso");
                rows.Add($"if {width}1 {relation} 5 goto +0", "dio");
            }

            rows.Add($"{width}1 = {width}2", "dso");
            rows.Add($"{width}1 = (s8){width}2", "dso");
            rows.Add($"{width}1 = (s16){width}2", "dso");
            rows.Add($"{width}1 = -{width}1", "d");
        }

        rows.Add("r1 = (s32)r2", "dso");
        foreach (string order in (string[])["be16", "be32", "be64", "le16", "le32", "le64", "bswap16", "bswap32", "bswap64"])
            rows.Add($"r1 = {order} r1", "di");
        foreach (string size in (string[])["u8", "u16", "u32", "u64", "s8", "s16", "s32"])
            rows.Add($"r1 = *({size} *)(r2 + 8)", "dso");
        foreach (string size in (string[])["u8", "u16", "u32", "u64"])
        {
            rows.Add($"*({size} *)(r1 + 8) = r2", "dso");
            rows.Add($"*({size} *)(r1 + 8) = 5", "dio");
            rows.Add($"r1 = load_acquire(({size} *)(r2 + 8))", "dsoi");
            rows.Add($"store_release(({size} *)(r1 + 8), r2)", "dsoi");
        }

        foreach (string size in (string[])["u32", "u64"])
        {
            foreach (string op in (string[])["+", "|", "&", "^"])
                rows.Add($"lock *({size} *)(r1 + 8) {op}= r2", "dsoi");
            foreach (string op in (string[])["add", "or", "and", "xor"])
                rows.Add($"r2 = atomic_fetch_{op}(({size} *)(r1 + 8), r2)", "dsoi");
        }

        rows.Add("r2 = xchg_64(r1 + 8, r2)", "dsoi");
        rows.Add("w2 = xchg32_32(r1 + 8, w2)", "dsoi");
        rows.Add("r0 = cmpxchg_64(r1 + 8, r0, r2)", "dsoi");
        rows.Add("w0 = cmpxchg32_32(r1 + 8, w0, w2)", "dsoi");
        foreach (string size in (string[])["u8", "u16", "u32"])
        {
            rows.Add($"r0 = *({size} *)skb[4]", "i");
            rows.Add($"r0 = *({size} *)skb[r4]", "si");
        }

        rows.Add("goto +0", "o");
        rows.Add("gotol +0", "i");
        rows.Add("may_goto +0", "o");
        rows.Add("call 5", "si");
        rows.Add("callx r2", "d");
        rows.Add("exit", "");
        return rows;
    }
}
