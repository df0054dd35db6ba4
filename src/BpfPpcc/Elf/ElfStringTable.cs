using System.Text;

namespace BpfPpcc.Elf;

/// <summary>
/// Builds a string table (System V gABI, chapter 4, String Table) in which a string that ends another one shares its bytes. The bytes
/// depend on the set of strings only, not on the order in which they were added.
/// </summary>
internal sealed class ElfStringTable
{
    private readonly SortedDictionary<string, uint> _offsets = new(ReversedComparer.Instance) { [""] = 0 };

    /// <summary>The strings, NUL-terminated, after a first NUL. Empty before <see cref="Build"/>.</summary>
    public byte[] Bytes { get; private set; } = [];

    public void Add(string text) => _offsets[text] = 0;

    /// <summary>Lays out the strings added so far. To be called once, before <see cref="OffsetOf"/>.</summary>
    public void Build()
    {
        var bytes = new MemoryStream();
        bytes.WriteByte(0);
        string previous = "";
        uint previousEnd = 0;
        foreach (string text in _offsets.Keys.ToArray())
        {
            if (text.Length == 0)
                continue;
            byte[] encoded = Encoding.UTF8.GetBytes(text);
            if (!previous.EndsWith(text, StringComparison.Ordinal))
            {
                bytes.Write(encoded);
                previous = text;
                previousEnd = (uint)bytes.Length;
                bytes.WriteByte(0);
            }

            _offsets[text] = previousEnd - (uint)encoded.Length;
        }

        Bytes = bytes.ToArray();
    }

    public uint OffsetOf(string text) => _offsets[text];

    /// <summary>
    /// Orders by the characters from the last to the first, longer strings first, so that a string follows those that end in it.
    /// </summary>
    private sealed class ReversedComparer : IComparer<string>
    {
        public static readonly ReversedComparer Instance = new();

        public int Compare(string? x, string? y)
        {
            int i = x!.Length, j = y!.Length;
            while (i > 0 && j > 0)
            {
                int order = x[--i].CompareTo(y[--j]);
                if (order != 0)
                    return order;
            }

            return j - i;
        }
    }
}
