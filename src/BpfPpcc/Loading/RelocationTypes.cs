namespace BpfPpcc.Loading;

/// <summary>Relocation types of EM_BPF (kernel documentation, bpf/llvm_reloc.rst).</summary>
internal static class RelocationTypes
{
    public const uint R_BPF_NONE = 0;

    /// <summary>The 64-bit immediate of LD_IMM64; before LLVM 13 also a 64-bit word of data.</summary>
    public const uint R_BPF_64_64 = 1;

    /// <summary>A 64-bit word of data.</summary>
    public const uint R_BPF_64_ABS64 = 2;

    /// <summary>A 32-bit word of data.</summary>
    public const uint R_BPF_64_ABS32 = 3;

    /// <summary>A 32-bit word of .BTF and .BTF.ext.</summary>
    public const uint R_BPF_64_NODYLD32 = 4;

    /// <summary>The immediate of CALL; before LLVM 13 also a 32-bit word of data.</summary>
    public const uint R_BPF_64_32 = 10;
}
