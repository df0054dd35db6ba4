namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// The lattice of <see cref="AllocationChecker"/>: by location the numbers of virtual registers, ascending, in arrays that are never changed.
/// </summary>
internal static class RegisterSets
{
    public static readonly int[] Nothing = [];

    public static int[] Intersection(int[] a, int[] b)
    {
        if (ReferenceEquals(a, b) || a.AsSpan().SequenceEqual(b))
        {
            return a;
        }

        var both = new List<int>();
        foreach (int register in a)
        {
            if (Array.BinarySearch(b, register) >= 0)
            {
                both.Add(register);
            }
        }

        return both.Count == 0 ? Nothing : both.ToArray();
    }

    public static void Forget(int register, int[][] state)
    {
        for (int location = 0; location < state.Length; location++)
        {
            int[] set = state[location];
            if (set.Length > 0 && Array.BinarySearch(set, register) >= 0)
            {
                state[location] = Array.FindAll(set, other => other != register);
            }
        }
    }

    public static void AddWhereverIs(int source, int copy, int[][] state)
    {
        for (int location = 0; location < state.Length; location++)
        {
            int[] set = state[location];
            if (set.Length > 0 && Array.BinarySearch(set, source) >= 0 && Array.BinarySearch(set, copy) < 0)
            {
                int[] larger = [.. set, copy];
                Array.Sort(larger);
                state[location] = larger;
            }
        }
    }
}
