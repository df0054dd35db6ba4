using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;

namespace BpfPpcc.Loading;

/// <summary>
/// A loaded BPF object: everything that later stages need to know of it, with every relocation resolved to a <see cref="BpfReference"/>.
/// No stage after loading sees ELF input.
/// </summary>
public sealed class BpfModule
{
    /// <summary>Input file, as the user named it ("-" for standard input).</summary>
    public required string SourceName { get; init; }

    /// <summary>SHA-256 of the input file.</summary>
    public required ImmutableArray<byte> Sha256 { get; init; }

    public required bool IsBigEndian { get; init; }

    /// <summary>Contents of the section "license", "" if absent.</summary>
    public required string Licence { get; init; }

    /// <summary>Contents of the section "version", 0 if absent.</summary>
    public required uint KernelVersion { get; init; }

    /// <summary>All functions, programs and subprograms, by section in file order and by address within a section.</summary>
    public required ImmutableArray<BpfFunction> Functions { get; init; }

    /// <summary>All maps that the user defined, in input order. Data sections are not among them.</summary>
    public required ImmutableArray<BpfMap> Maps { get; init; }

    public required ImmutableArray<BpfDataSection> DataSections { get; init; }

    /// <summary>Parsed .BTF, or null.</summary>
    public required BtfTypes? Btf { get; init; }

    /// <summary>Contents of .BTF and .BTF.ext as they were, for pass-through; empty if absent.</summary>
    public required ImmutableArray<byte> RawBtf { get; init; }

    public required ImmutableArray<byte> RawBtfExt { get; init; }
}

/// <summary>What a function is to the outside.</summary>
public enum BpfFunctionRole
{
    /// <summary>An entry point: it has a row in bpf_progs and takes a context.</summary>
    Program,

    /// <summary>Called by other functions of the object, or by the host if it is global.</summary>
    Subprogram,
}

/// <summary>One BPF function: a program or a subprogram.</summary>
public sealed class BpfFunction
{
    /// <summary>Index in <see cref="BpfModule.Functions"/>.</summary>
    public required int Index { get; init; }

    public required string Name { get; init; }

    /// <summary>ELF section, as it is ("xdp", "?tc", ".text").</summary>
    public required string SectionName { get; init; }

    public required BpfFunctionRole Role { get; init; }

    /// <summary>STB_LOCAL: the symbol is not for other objects.</summary>
    public required bool IsStatic { get; init; }

    /// <summary>enum bpf_prog_type, 0 (UNSPEC) where the section name says nothing.</summary>
    public required BpfProgramType ProgramType { get; init; }

    /// <summary>enum bpf_attach_type, 0 where it has none.</summary>
    public required int AttachType { get; init; }

    /// <summary>What follows the '/' of the section name, or null.</summary>
    public required string? AttachTarget { get; init; }

    /// <summary>Slots; immediates of relocated instructions are as in the file and mean nothing: <see cref="References"/> counts.</summary>
    public required ImmutableArray<BpfInstruction> Instructions { get; init; }

    /// <summary>By slot index: what a relocated or call instruction refers to. A map only of slots that have one.</summary>
    public required ImmutableDictionary<int, BpfReference> References { get; init; }

    /// <summary>By ascending slot index: where in the C source an instruction comes from (.BTF.ext line_info). Empty without BTF.</summary>
    public required ImmutableArray<BpfLineInfo> Lines { get; init; }

    /// <summary>The C prototype from BTF func_info, or null.</summary>
    public required BpfPrototype? Prototype { get; init; }

    /// <summary>The C source position of a slot: that of the last line entry at or before it; null without line information.</summary>
    public SourcePosition? PositionOf(int slot)
    {
        int low = 0, high = Lines.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (Lines[middle].Slot <= slot)
                low = middle + 1;
            else
                high = middle;
        }

        return low == 0 ? null : Lines[low - 1].Position;
    }
}

/// <summary>The source position of the instructions from <paramref name="Slot"/> on.</summary>
public readonly record struct BpfLineInfo(int Slot, SourcePosition Position);

/// <summary>A C prototype as far as code generation needs it (object-abi.md, Programs and Helpers).</summary>
/// <param name="Result">How the result is passed; null for void.</param>
/// <param name="Parameters">The parameters, at most five used.</param>
public sealed record BpfPrototype(BpfScalar? Result, ImmutableArray<BpfScalar> Parameters);

/// <summary>A value in a register: size in bytes (1, 2, 4, 8) and whether narrower values are sign-extended. Pointers are 8, unsigned.</summary>
/// <param name="PointeeStruct">For a pointer to a struct or union: its name (struct xdp_md -> "xdp_md"), else null.</param>
public sealed record BpfScalar(int Bytes, bool IsSigned, string? PointeeStruct = null);

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
    public sealed record ExternCall(string Name, BpfPrototype? Prototype) : BpfReference;

    /// <summary>LD_IMM64: address of an undefined object or function.</summary>
    public sealed record ExternAddress(string Name) : BpfReference;
}

/// <summary>A map definition. Sizes are bytes; all numbers as in the UAPI's union bpf_attr.</summary>
public sealed record BpfMap
{
    /// <summary>Index in <see cref="BpfModule.Maps"/>.</summary>
    public required int Index { get; init; }

    public required string Name { get; init; }

    public required BpfMapType Type { get; init; }

    public uint KeySize { get; init; }

    public uint ValueSize { get; init; }

    public uint MaxEntries { get; init; }

    public uint Flags { get; init; }

    public uint Pinning { get; init; }

    public uint NumaNode { get; init; }

    public ulong Extra { get; init; }

    public uint BtfKeyType { get; init; }

    public uint BtfValueType { get; init; }

    /// <summary>Template of a map-in-map, or null. Its <see cref="Index"/> is -1: it is no map of the module.</summary>
    public BpfMap? Inner { get; init; }

    /// <summary>Initial contents of a prog array (function indices) or map-in-map (map indices) from `.values`; -1 where a slot is empty.</summary>
    public ImmutableArray<int> InitialValues { get; init; } = [];
}

/// <summary>A section of global variables.</summary>
public sealed class BpfDataSection
{
    /// <summary>Index in <see cref="BpfModule.DataSections"/>.</summary>
    public required int Index { get; init; }

    /// <summary>ELF section name: .rodata, .data, .bss, .rodata.str1.1, .data.foo ...</summary>
    public required string Name { get; init; }

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
