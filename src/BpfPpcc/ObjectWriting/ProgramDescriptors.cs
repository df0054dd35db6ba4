using BpfPpcc.Collections;
using BpfPpcc.Emission;
using BpfPpcc.Loading;

namespace BpfPpcc.ObjectWriting;

/// <summary>The section bpf_progs: one struct bpfppcc_prog per program, in input order (object-abi.md, Discovery).</summary>
internal sealed class ProgramDescriptors
{
    /// <summary>sizeof(struct bpfppcc_prog).</summary>
    public const int DescriptorSize = 96;

    private const uint MakesTailCalls = 1;

    private readonly BpfModule _module;
    private readonly OutputSections _sections;
    private readonly StringPool _strings;

    /// <summary>By index of the BPF function: number of the descriptor.</summary>
    private readonly Dictionary<int, int> _descriptors = [];

    public ProgramDescriptors(BpfModule module, OutputSections sections, StringPool strings)
    {
        _module = module;
        _sections = sections;
        _strings = strings;
        foreach (BpfFunction function in module.Functions)
        {
            if (function.Role == BpfFunctionRole.Program)
                _descriptors.Add(function.Index, _descriptors.Count);
        }
    }

    /// <summary>Number of descriptors.</summary>
    public int Count => _descriptors.Count;

    /// <summary>Where the descriptor of a BPF function is; false if the function is no program.</summary>
    public bool TryFind(int function, out Place descriptor)
    {
        bool isProgram = _descriptors.TryGetValue(function, out int number);
        descriptor = isProgram ? new Place(_sections.Programs, (long)number * DescriptorSize) : default;
        return isProgram;
    }

    public void Write(IReadOnlyList<CompiledFunction> functions, TextSection code)
    {
        foreach (BpfFunction program in _module.Functions)
        {
            if (program.Role == BpfFunctionRole.Program)
                WriteDescriptor(program, functions, code);
        }
    }

    private void WriteDescriptor(BpfFunction program, IReadOnlyList<CompiledFunction> functions, TextSection code)
    {
        SectionBuilder section = _sections.Programs;
        ByteWriter bytes = section.Bytes;
        int index = code.PublicFunction(program.Index);
        CompiledFunction function = functions[index];
        if (function.TailEntryOffset < 0)
            throw new InvalidOperationException($"the program {program.Name} has no tail entry");
        bytes.WriteUInt32(DescriptorSize);
        bytes.WriteUInt32(ModuleRecord.AbiVersion);
        bytes.WriteUInt32((uint)program.ProgramType);
        bytes.WriteUInt32((uint)program.AttachType);
        bytes.WriteUInt32(function.ReachesTailCall ? MakesTailCalls : 0);
        bytes.WriteUInt32((uint)function.BpfStackSize);
        bytes.WriteUInt32((uint)program.Instructions.Length);
        bytes.WriteUInt32((uint)function.CodeSize);
        section.WriteAddress(_strings.Add(program.Name));
        section.WriteAddress(_strings.Add(program.SectionName));
        section.WriteAddress(code.PointerTo(program.Index));
        section.WriteAddress(new Place(code.Section, code.StartOf(index) + function.TailEntryOffset));
        section.WriteAddressOrNull(program.AttachTarget is null ? null : _strings.Add(program.AttachTarget));
        section.WriteAddress(ModuleRecord.PlaceIn(_sections));
        bytes.WriteBytes(ProgramTag.Of(_module, program));
        bytes.WriteUInt64(0);
    }
}
