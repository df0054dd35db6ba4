using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;

namespace BpfPpcc.Loading;

/// <summary>What a function is to the outside.</summary>
public enum BpfFunctionRole
{
    /// <summary>An entry point: it has a row in bpf_progs and takes a context.</summary>
    Program,

    /// <summary>Called by other functions of the object, or by the host if it is global.</summary>
    Subprogram,
}

/// <summary>One BPF function: a program or a subprogram.</summary>
public sealed record BpfFunction
{
    /// <summary>Index in <see cref="BpfModule.Functions"/>.</summary>
    public required int Index { get; init; }

    public required string Name { get; init; }

    /// <summary>ELF section, as it is ("xdp", "?tc", ".text").</summary>
    public required string SectionName { get; init; }

    public required BpfFunctionRole Role { get; init; }

    /// <summary>STB_LOCAL: the symbol is not for other objects.</summary>
    public required bool IsStatic { get; init; }

    /// <summary>STB_WEAK: another object may define it instead.</summary>
    public bool IsWeak { get; init; }

    /// <summary>STV_HIDDEN: for other objects of the same link only.</summary>
    public bool IsHidden { get; init; }

    /// <summary>Further global names of the function.</summary>
    public ImmutableArray<string> Aliases { get; init; } = [];

    /// <summary>enum bpf_prog_type, 0 (UNSPEC) where the section name says nothing.</summary>
    public required BpfProgramType ProgramType { get; init; }

    /// <summary>enum bpf_attach_type, 0 where it has none.</summary>
    public required int AttachType { get; init; }

    /// <summary>What follows the '/' of the section name, or null.</summary>
    public required string? AttachTarget { get; init; }

    /// <summary>Slots, with CO-RE relocations applied; immediates of otherwise relocated instructions are as in the file and mean nothing: <see cref="References"/> counts.</summary>
    public required ImmutableArray<BpfInstruction> Instructions { get; init; }

    /// <summary>By slot index: what a relocated or call instruction refers to. A map only of slots that have one.</summary>
    public required IReadOnlyDictionary<int, BpfReference> References { get; init; }

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
