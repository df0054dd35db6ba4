using BpfPpcc.Bpf;
using BpfPpcc.Collections;
using BpfPpcc.Loading;

namespace BpfPpcc.ObjectWriting;

/// <summary>
/// The tag by which Linux names a program: the first eight bytes of a SHA-1 over its instructions, with the subprograms that it calls behind
/// it as libbpf puts them there, and with zeros where the address of a map or of data would stand.
/// </summary>
internal sealed class ProgramTag
{
    public const int Size = 8;

    private readonly BpfModule _module;

    /// <summary>Functions in the order in which they are laid out, the program first, and the first slot of each by function index.</summary>
    private readonly List<BpfFunction> _layout = [];
    private readonly Dictionary<int, int> _starts = [];
    private int _slots;

    private ProgramTag(BpfModule module, BpfFunction program)
    {
        _module = module;
        Append(program);
        PlaceCallees(program);
    }

    public static byte[] Of(BpfModule module, BpfFunction program) => new ProgramTag(module, program).Compute();

    /// <summary>A function is appended when it is first referred to, and what it refers to right behind it. Call depth is bounded by verification.</summary>
    private void PlaceCallees(BpfFunction function)
    {
        for (int slot = 0; slot < function.Instructions.Length; slot++)
        {
            int callee = CalleeAt(function, slot);
            if (callee < 0 || _starts.ContainsKey(callee))
                continue;
            Append(_module.Functions[callee]);
            PlaceCallees(_module.Functions[callee]);
        }
    }

    private void Append(BpfFunction function)
    {
        _starts.Add(function.Index, _slots);
        _layout.Add(function);
        _slots += function.Instructions.Length;
    }

    private static int CalleeAt(BpfFunction function, int slot) => function.References.GetValueOrDefault(slot) switch
    {
        BpfReference.FunctionCall call => call.Function,
        BpfReference.FunctionAddress address => address.Function,
        _ => -1,
    };

    private byte[] Compute()
    {
        var bytes = new byte[_slots * BpfInstruction.Size];
        int offset = 0;
        foreach (BpfFunction function in _layout)
        {
            bool isSecondHalf = false;
            for (int slot = 0; slot < function.Instructions.Length; slot++)
            {
                BpfInstruction instruction = function.Instructions[slot];
                BpfInstruction loaded = isSecondHalf ? instruction with { Imm = 0 } : AsLoaded(function, slot, instruction);
                loaded.Encode(bytes.AsSpan(offset), _module.IsBigEndian);
                offset += BpfInstruction.Size;
                isSecondHalf = !isSecondHalf && instruction.IsLoadImmediate64 && HoldsMapAddress(function, slot);
            }
        }

        return Sha1.HashData(bytes)[..Size];
    }

    private static bool HoldsMapAddress(BpfFunction function, int slot) =>
        function.References.GetValueOrDefault(slot) is BpfReference.MapAddress or BpfReference.DataAddress;

    /// <summary>The instruction as libbpf hands it to the kernel, but for addresses, which the tag leaves out.</summary>
    private BpfInstruction AsLoaded(BpfFunction function, int slot, BpfInstruction instruction)
    {
        int callee = CalleeAt(function, slot);
        int distance = callee < 0 ? 0 : _starts[callee] - (_starts[function.Index] + slot + 1);
        return function.References.GetValueOrDefault(slot) switch
        {
            BpfReference.MapAddress => instruction with { Src = BpfPseudo.MapFd, Imm = 0 },
            BpfReference.DataAddress => instruction with { Src = BpfPseudo.MapValue, Imm = 0 },
            BpfReference.FunctionCall => instruction with { Src = BpfPseudo.LocalCall, Imm = distance },
            BpfReference.FunctionAddress => instruction with { Src = BpfPseudo.CodeAddress, Imm = distance },
            _ => instruction,
        };
    }
}
