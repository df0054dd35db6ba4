using System.Collections.Immutable;

namespace BpfPpcc.Loading;

/// <summary>A section of global variables.</summary>
public sealed class BpfDataSection
{
    /// <summary>Index in <see cref="BpfModule.DataSections"/>.</summary>
    public required int Index { get; init; }

    /// <summary>ELF section name: .rodata, .data, .bss, .rodata.str1.1, .data.foo ...</summary>
    public required string Name { get; init; }

    /// <summary>Clang puts the variables of address space 1 (arenas of the Linux kernel) into a section of their own.</summary>
    public bool IsArena => Name == ".addr_space.1";

    /// <summary>The variable in which a byte lies, or null.</summary>
    public BpfVariable? VariableAt(long offset) =>
        Variables.FirstOrDefault(variable => variable.Offset <= offset && offset - variable.Offset < Math.Max(1, variable.Size));

    /// <summary>SHF_WRITE is clear.</summary>
    public required bool IsReadOnly { get; init; }

    /// <summary>Size in bytes.</summary>
    public required long Size { get; init; }

    /// <summary>Alignment in bytes, a power of two.</summary>
    public required long Alignment { get; init; }

    /// <summary>Contents; empty for SHT_NOBITS.</summary>
    public required ImmutableArray<byte> Contents { get; init; }

    /// <summary>Named variables, by offset.</summary>
    public required ImmutableArray<BpfVariable> Variables { get; init; }

    /// <summary>64-bit words that hold addresses (R_BPF_64_ABS64), by offset.</summary>
    public required ImmutableArray<BpfDataRelocation> Relocations { get; init; }
}

/// <summary>A global or static variable.</summary>
public sealed record BpfVariable(string Name, long Offset, long Size, bool IsStatic, bool IsWeak, bool IsHidden);

/// <summary>A 64-bit word of a data section that holds an address.</summary>
public sealed record BpfDataRelocation(long Offset, BpfReference Target, long Addend);
