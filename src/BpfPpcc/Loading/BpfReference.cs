namespace BpfPpcc.Loading;

/// <summary>What a relocation resolves to.</summary>
public abstract record BpfReference
{
    private BpfReference()
    {
    }

    /// <summary>LD_IMM64: address of a map's descriptor.</summary>
    public sealed record MapAddress(int Map) : BpfReference;

    /// <summary>LD_IMM64: address of a byte of a data section.</summary>
    public sealed record DataAddress(int Section, long Offset) : BpfReference;

    /// <summary>LD_IMM64: address of a function of this object (a callback).</summary>
    public sealed record FunctionAddress(int Function) : BpfReference;

    /// <summary>CALL: a function of this object.</summary>
    public sealed record FunctionCall(int Function) : BpfReference;

    /// <summary>CALL: an undefined function, with its BTF prototype if there is one.</summary>
    public sealed record ExternCall(string Name, BpfPrototype? Prototype) : BpfReference
    {
        /// <summary>The symbol is weak: it may stay undefined when the output is linked.</summary>
        public bool IsWeak { get; init; }
    }

    /// <summary>CALL: a helper of the host, by its number.</summary>
    public sealed record HostCall(HostHelper Helper) : BpfReference;

    /// <summary>LD_IMM64: address of an undefined object or function.</summary>
    public sealed record ExternAddress(string Name) : BpfReference
    {
        /// <summary>The symbol is weak: it may stay undefined when the output is linked, and its address is 0 then.</summary>
        public bool IsWeak { get; init; }
    }

    /// <summary>
    /// Any instruction: it has no meaning on the target, because its CO-RE relocation failed, and no path may lead to it. What it does
    /// otherwise is that of the object's own types.
    /// </summary>
    /// <param name="Reason">What the target lacks: "the target has no field 'a' of 'struct s'".</param>
    public sealed record Poisoned(string Reason) : BpfReference;
}
