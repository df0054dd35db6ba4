using System.Globalization;

namespace BpfPpcc.Ppc64;

/// <summary>A general-purpose register, 0..31 (Power ISA book I, 3.2.1).</summary>
public readonly record struct Gpr(byte Number)
{
    public static readonly Gpr R0 = new(0);

    /// <summary>Stack pointer.</summary>
    public static readonly Gpr R1 = new(1);

    /// <summary>TOC pointer.</summary>
    public static readonly Gpr R2 = new(2);

    /// <summary>First argument, result.</summary>
    public static readonly Gpr R3 = new(3);

    /// <summary>Carries the pointer to the tail-call count into subprograms (object-abi.md, Entry, exit and tail calls).</summary>
    public static readonly Gpr R8 = new(8);

    public static readonly Gpr R11 = new(11);

    /// <summary>Address of the callee in an indirect call (ELFv2 2.3.2).</summary>
    public static readonly Gpr R12 = new(12);

    /// <summary>Preserved across calls: r14..r31 (r1, r2 and r13 have rules of their own).</summary>
    public bool IsCalleeSaved => Number >= 14;

    public override string ToString() => "r" + Number.ToString(CultureInfo.InvariantCulture);
}
