using BpfPpcc.Bpf;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Walk;

/// <summary>
/// The functions of a module one behind the other, as the walk sees them: a slot is an index of this image. With what is known of the code
/// before the walk: where states are compared, and which registers and stack slots may still be read.
/// </summary>
internal sealed class CodeImage
{
    private readonly int[] _functionOf;
    private readonly ushort[] _liveRegisters;
    private readonly ulong[] _liveStack;

    /// <param name="isMalformed">By function: did not pass the check of its structure, and nothing leads into it.</param>
    public CodeImage(BpfModule module, bool[] isMalformed)
    {
        Module = module;
        int count = 0;
        Starts = new int[module.Functions.Length + 1];
        foreach (BpfFunction function in module.Functions)
        {
            Starts[function.Index] = count;
            count += function.Instructions.Length;
        }

        Starts[^1] = count;
        Code = new BpfInstruction[count];
        References = new BpfReference?[count];
        _functionOf = new int[count];
        IsPrunePoint = new bool[count];
        IsForcedCheckpoint = new bool[count];
        _liveRegisters = new ushort[count];
        _liveStack = new ulong[count];
        foreach (BpfFunction function in module.Functions)
            Add(function, isMalformed[function.Index]);
        Maps = new MapInfo[module.Maps.Length];
        foreach (BpfMap map in module.Maps)
            Maps[map.Index] = MapInfo.Of(module, map);
        Sections = new MapInfo[module.DataSections.Length];
        foreach (BpfDataSection section in module.DataSections)
            Sections[section.Index] = MapInfo.Of(module, section);
        foreach (BpfFunction function in module.Functions)
        {
            if (isMalformed[function.Index])
                continue;
            RegisterLiveness.Find(this, function.Index, _liveRegisters);
            StackLiveness.Find(this, function.Index, _liveRegisters, _liveStack);
        }
    }

    public BpfModule Module { get; }

    public BpfInstruction[] Code { get; }

    public BpfReference?[] References { get; }

    /// <summary>First slot of each function, and the end.</summary>
    public int[] Starts { get; }

    /// <summary>By index of the module's maps.</summary>
    public MapInfo[] Maps { get; }

    /// <summary>By index of the module's data sections.</summary>
    public MapInfo[] Sections { get; }

    /// <summary>Where paths meet, so that comparing states may end one.</summary>
    public bool[] IsPrunePoint { get; }

    /// <summary>Where the state is stored each time, because the loop through here ends by convergence.</summary>
    public bool[] IsForcedCheckpoint { get; }

    public BpfFunction FunctionAt(int slot) => Module.Functions[_functionOf[slot]];

    public int FunctionIndexAt(int slot) => _functionOf[slot];

    /// <summary>The index of a slot in its function.</summary>
    public int LocalSlot(int slot) => slot - Starts[_functionOf[slot]];

    /// <summary>Registers that may be read from here on before they are written, as bits.</summary>
    public ushort LiveRegisters(int slot) => _liveRegisters[slot];

    /// <summary>Slots of the own frame that may be read from here on before they are written, as bits, the highest address first.</summary>
    public ulong LiveStack(int slot) => _liveStack[slot];

    /// <summary>Whether the call at a slot calls a function of the program before it returns, or later.</summary>
    public bool CallsBack(int slot) =>
        Code[slot] is { IsCall: true, IsCallIndirect: false, Src: BpfPseudo.HelperCall } && References[slot] is null && BpfHelpers.CallbackOf(Code[slot].Imm) is not null;

    private void Add(BpfFunction function, bool isMalformed)
    {
        int start = Starts[function.Index];
        ReadOnlySpan<BpfInstruction> code = function.Instructions.AsSpan();
        code.CopyTo(Code.AsSpan(start));
        _functionOf.AsSpan(start, code.Length).Fill(function.Index);
        foreach ((int slot, BpfReference reference) in function.References)
            References[start + slot] = reference;
        if (isMalformed)
            return;
        IsPrunePoint[start] = true;
        for (int slot = 0; slot < code.Length; slot += ControlFlow.SlotsOf(code[slot]))
            MarkPrunePoints(code[slot], start + slot);
    }

    /// <summary>
    /// Linux's choice: conditional jumps and what jumps lead to, what follows a call of a function of the program, and calls that iterate.
    /// </summary>
    private void MarkPrunePoints(BpfInstruction instruction, int slot)
    {
        if (ControlFlow.IsJump(instruction))
        {
            IsPrunePoint[ControlFlow.Target(instruction, slot)] = true;
            IsPrunePoint[slot] |= !ControlFlow.IsUnconditionalJump(instruction);
            IsForcedCheckpoint[slot] |= instruction is { Class: BpfClass.JMP, JumpCode: BpfJumpCode.JCOND };
        }
        else if (instruction.IsCall && References[slot] is BpfReference.FunctionCall && slot + 1 < Code.Length)
        {
            IsPrunePoint[slot + 1] = true;
        }
        else if (instruction.IsCall && (CallsBack(slot) || IsIteratorNext(slot)))
        {
            IsPrunePoint[slot] = true;
            IsForcedCheckpoint[slot] = true;
        }
    }

    /// <summary>Whether the call at a slot asks an iterator for its next element; kfuncs of iterators have names of one form.</summary>
    public bool IsIteratorNext(int slot) =>
        References[slot] is BpfReference.ExternCall call && call.Name.StartsWith("bpf_iter_", StringComparison.Ordinal)
        && call.Name.EndsWith("_next", StringComparison.Ordinal);
}
