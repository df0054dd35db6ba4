namespace BpfPpcc.Loading;

/// <summary>
/// Names under CO-RE: what stands behind three underscores ("task_struct___old") tells definitions of one type apart and is no part of the
/// type's name in the target (libbpf documentation, "BPF CO-RE", type flavors).
/// </summary>
internal static class CoreNames
{
    private const int SeparatorLength = 3;

    /// <summary>The name without its flavor.</summary>
    public static ReadOnlySpan<char> Essential(ReadOnlySpan<char> name)
    {
        for (int i = name.Length - SeparatorLength - 2; i >= 0; i--)
        {
            if (IsSeparator(name[i..]))
                return name[..(i + 1)];
        }

        return name;
    }

    public static bool AreEssentiallyEqual(ReadOnlySpan<char> a, ReadOnlySpan<char> b) => Essential(a).SequenceEqual(Essential(b));

    /// <summary>Exactly three underscores between two other characters.</summary>
    private static bool IsSeparator(ReadOnlySpan<char> name) =>
        name[0] != '_' && name.Slice(1, SeparatorLength) is "___" && name[SeparatorLength + 1] != '_';
}
