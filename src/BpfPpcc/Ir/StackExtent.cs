using BpfPpcc.Symbols;

namespace BpfPpcc.Ir;

/// <summary>How much BPF stack a function needs, from the accesses and the addresses that are left in its code.</summary>
public static class StackExtent
{
    /// <summary>RFC 9669 leaves the size to the platform; Linux gives every function 512 bytes (MAX_BPF_STACK).</summary>
    public const int Full = 512;

    /// <summary>Code that names stack below this is broken, and gets no more.</summary>
    private const int Limit = 16 * 1024;

    /// <summary>Sets <see cref="IrFunction.StackSize"/>.</summary>
    public static void Update(IrFunction function, SymbolTable symbols)
    {
        long lowest = 0;
        foreach (StackReference reference in StackReferences.Find(function, symbols))
        {
            lowest = Math.Min(lowest, reference.Use switch
            {
                StackUse.None => 0,
                StackUse.Access or StackUse.Object => reference.Low,
                StackUse.Anywhere => Math.Min(reference.Low, -function.StackReach),
            });
        }

        function.StackSize = (int)Math.Min(Limit, (-Math.Max(lowest, -Limit) + 7) & ~7L);
    }
}
