using BpfPpcc.Mir;
using BpfPpcc.Ppc64;

namespace BpfPpcc.RegisterAllocation;

/// <summary>A place where an allocation does not do what its function says.</summary>
/// <param name="Block">Block index, or -1 if the whole function is meant.</param>
/// <param name="Instruction">Index in the block; the number of its instructions if an edge behind them is meant.</param>
/// <param name="Text">What is wrong, in one sentence.</param>
public readonly record struct AllocationViolation(int Block, int Instruction, string Text);

/// <summary>
/// Proves that an allocation computes what the machine function says, by running the allocated code on symbols. It shares nothing with
/// the allocator: not its live ranges, not its idea of cost.
/// <para>
/// <b>Lattice.</b> The state maps each location (32 GPRs, the spill slots) to the set of virtual registers whose current value it holds
/// for sure. Sets are ordered by inclusion: the empty set (nothing known) is the bottom of a location, and a block that was not reached
/// yet has the top. The meet of two states is the intersection, location by location; sets only shrink and are finite, so it ends.
/// </para>
/// <para>
/// <b>Transfer functions.</b> A move edit gives its destination the set of its source. A rematerialisation gives its destination the set
/// of the one register that the repeated instruction defines. An instruction needs each used register in the set of the GPR assigned to
/// it; then a call empties the volatile GPRs, and r0 is emptied always (it keeps nothing between instructions); then each definition d is
/// taken out of all sets (what still holds it holds the value of an earlier iteration) and its GPR gets the set {d}; of a copy it gets the
/// set of the source, and d is added to every set that the source is in. A deleted copy does that last part alone, if both operands have
/// one GPR; any other deleted definition leaves its register in no location, so a later use of it needs a rematerialisation. An edge makes all sets forget the target's parameters, and
/// then adds to each set the parameters whose argument is in it, all at once; and an edge that is taken only if a register is 0 adds to each
/// set with that register those that are defined as the constant 0. Registers defined as the same constant count as one, and no set
/// loses it when the constant is made again; where its definition is deleted, nothing changes.
/// </para>
/// <para>
/// Beside that: fixed, tied and early operands have GPRs as they must, no two definitions of an instruction share one, only allocatable
/// GPRs are written, callee-saved ones only if listed, no edit has two slots, and all lists are sorted.
/// </para>
/// </summary>
public sealed class AllocationChecker
{
    private const int GprCount = 32;
    private const uint VolatileGprs = 0x00001ff8;
    private const uint CalleeSavedGprs = 0xffffc000;

    private readonly MachineFunction _function;
    private readonly Allocation _allocation;
    private readonly List<AllocationViolation> _violations = [];
    private readonly int[][][] _blockStates;
    private readonly int[] _firstEdit;
    private readonly Dictionary<MachineInstruction, int> _definedBy = [];

    /// <summary>By constant: the first register that is defined as it. It stands for the others, which map to it in the second.</summary>
    private readonly Dictionary<long, int> _constants = [];
    private readonly Dictionary<int, int> _sameConstant = [];
    private readonly HashSet<(int Block, int Instruction)> _deleted = [];
    private uint _savedGprs;
    private bool _reports;
    private int _block;
    private int _instruction;

    /// <summary>The register that is 0 if CR0[EQ] is set, or -1.</summary>
    private int _tested;

    private AllocationChecker(MachineFunction function, Allocation allocation)
    {
        _function = function;
        _allocation = allocation;
        _blockStates = new int[function.Blocks.Count][][];
        _firstEdit = new int[function.Blocks.Count + 1];
    }

    /// <summary>Returns what is wrong with an allocation, in block order; nothing if it is right.</summary>
    public static IReadOnlyList<AllocationViolation> Check(MachineFunction function, Allocation allocation)
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentNullException.ThrowIfNull(allocation);
        var checker = new AllocationChecker(function, allocation);
        if (checker.CheckShape())
        {
            checker.Solve();
            checker.Report();
        }

        return checker._violations;
    }

    /// <summary>Lists sorted and in range, so that the rest can rely on it.</summary>
    private bool CheckShape()
    {
        _reports = true;
        _block = -1;
        int previous = 0;
        foreach (Gpr gpr in _allocation.UsedCalleeSaved)
        {
            Require(gpr.IsCalleeSaved && gpr.Number > previous, $"the list of callee-saved registers is not ascending or contains {gpr}");
            previous = gpr.Number;
            _savedGprs |= 1u << gpr.Number;
        }

        (int Block, int Instruction) last = (-1, -1);
        foreach ((int Block, int Instruction) deleted in _allocation.Deleted)
        {
            Require(deleted.CompareTo(last) > 0 && IsInFunction(deleted.Block, deleted.Instruction), "deleted instructions are not sorted or not in the function");
            last = deleted;
            _deleted.Add(deleted);
        }

        last = (0, 0);
        foreach (AllocationEdit edit in _allocation.Edits)
        {
            (int Block, int Instruction) at = (edit.Block, edit.Instruction);
            Require(at.CompareTo(last) >= 0 && IsInFunction(edit.Block, edit.Instruction), "edits are not sorted or not in the function");
            last = at;
        }

        foreach (MachineBlock block in _function.Blocks)
        {
            Gpr[][][] gprs = _allocation.OperandGprs;
            Require(gprs.Length == _function.Blocks.Count && gprs[block.Index].Length == block.Instructions.Count, $"operands of block {block.Index} are missing");
        }

        if (_violations.Count > 0)
        {
            return false;
        }

        IndexEdits();
        IndexDefinitions();
        return true;
    }

    private bool IsInFunction(int block, int instruction) =>
        block >= 0 && block < _function.Blocks.Count && instruction >= 0 && instruction < _function.Blocks[block].Instructions.Count;

    private void IndexEdits()
    {
        foreach (AllocationEdit edit in _allocation.Edits)
        {
            _firstEdit[edit.Block + 1]++;
        }

        for (int block = 0; block < _function.Blocks.Count; block++)
        {
            _firstEdit[block + 1] += _firstEdit[block];
        }
    }

    private void IndexDefinitions()
    {
        foreach (MachineBlock block in _function.Blocks)
        {
            foreach (MachineInstruction instruction in block.Instructions)
            {
                if (instruction.IsRematerializable && instruction.Operands[0].Kind == MachineOperandKind.VirtualRegister)
                {
                    int register = instruction.Operands[0].Number;
                    if (instruction.Pseudo == MachinePseudo.LoadImmediate)
                    {
                        _constants.TryAdd(instruction.Operands[1].Value, register);
                        _sameConstant[register] = _constants[instruction.Operands[1].Value];
                    }

                    _definedBy[instruction] = Canonical(register);
                }
            }
        }
    }

    private int Canonical(int register) => _sameConstant.GetValueOrDefault(register, register);

    private void Solve()
    {
        _reports = false;
        _blockStates[0] = NewState();
        var queue = new Queue<int>();
        var isQueued = new bool[_function.Blocks.Count];
        queue.Enqueue(0);
        while (queue.TryDequeue(out int block))
        {
            isQueued[block] = false;
            int[][] state = RunBlock(_function.Blocks[block]);
            int ifZero = ZeroTest.SuccessorIfZero(_function.Blocks[block]);
            for (int index = 0; index < _function.Blocks[block].Successors.Count; index++)
            {
                MachineEdge edge = _function.Blocks[block].Successors[index];
                if (MergeInto(edge, index == ifZero ? WithZero(state) : state) && !isQueued[edge.Target])
                {
                    isQueued[edge.Target] = true;
                    queue.Enqueue(edge.Target);
                }
            }
        }
    }

    private void Report()
    {
        _reports = true;
        foreach (MachineBlock block in _function.Blocks)
        {
            if (_blockStates[block.Index] is not null)
            {
                RunBlock(block);
            }
        }
    }

    private int[][] NewState()
    {
        var state = new int[GprCount + _allocation.SpillSlotCount][];
        Array.Fill(state, RegisterSets.Nothing);
        return state;
    }

    private int[][] RunBlock(MachineBlock block)
    {
        var state = (int[][])_blockStates[block.Index].Clone();
        int edit = _firstEdit[block.Index];
        _block = block.Index;
        _tested = -1;
        for (_instruction = 0; _instruction < block.Instructions.Count; _instruction++)
        {
            for (; edit < _firstEdit[block.Index + 1] && _allocation.Edits[edit].Instruction == _instruction; edit++)
            {
                Apply(_allocation.Edits[edit], state);
            }

            Apply(block.Instructions[_instruction], _allocation.OperandGprs[block.Index][_instruction], state);
            NoteTest(block.Instructions[_instruction]);
        }

        return state;
    }

    private void NoteTest(MachineInstruction instruction)
    {
        if (!ZeroTest.ChangesCr0(instruction))
            return;
        int operand = ZeroTest.OperandOf(instruction);
        _tested = operand < 0 ? -1 : Canonical(instruction.Operands[operand].Number);
    }

    /// <summary>The state where the register that was tested last is 0.</summary>
    private int[][] WithZero(int[][] state)
    {
        if (_tested < 0 || !_constants.TryGetValue(0, out int zero))
            return state;
        var known = (int[][])state.Clone();
        RegisterSets.AddWhereverIs(_tested, zero, known);
        return known;
    }

    private void Apply(in AllocationEdit edit, int[][] state)
    {
        if (!TryIndex(edit.To, out int to) || (edit.To.IsGpr && !MayWrite(edit.To.Gpr, orScratch: true)))
        {
            Require(false, "an edit writes to what is no location of the function");
            return;
        }

        if (edit.Rematerialize is not null)
        {
            Require(edit.To.IsGpr, "a rematerialised value goes to a slot");
            Require(edit.To.IsGpr && (edit.To.Gpr != Gpr.R0 || edit.Rematerialize.Pseudo is MachinePseudo.LoadImmediate or MachinePseudo.None),
                "an address is rematerialised into r0");
            bool isDefinition = _definedBy.TryGetValue(edit.Rematerialize, out int register);
            Require(isDefinition, "an edit repeats an instruction that is no rematerialisable definition of the function");
            state[to] = isDefinition ? [register] : RegisterSets.Nothing;
            return;
        }

        Require(edit.From.IsGpr || edit.To.IsGpr, "an edit moves from slot to slot");
        if (!TryIndex(edit.From, out int from))
        {
            Require(false, "an edit reads what is no location of the function");
            return;
        }

        state[to] = state[from];
    }

    private bool TryIndex(Location location, out int index)
    {
        index = location.IsGpr ? location.Gpr.Number : GprCount + location.SpillSlot;
        return index < (location.IsGpr ? GprCount : GprCount + _allocation.SpillSlotCount);
    }

    private bool MayWrite(Gpr gpr, bool orScratch) =>
        gpr.Number < GprCount && ((VolatileGprs | _savedGprs | (orScratch ? 1u : 0)) >> gpr.Number & 1) != 0;

    private void Apply(MachineInstruction instruction, Gpr[] gprs, int[][] state)
    {
        if (gprs.Length != instruction.Operands.Length)
        {
            Require(false, "the instruction has another number of operands");
            return;
        }

        if (_deleted.Contains((_block, _instruction)))
        {
            ApplyDeleted(instruction, gprs, state);
            return;
        }

        CheckUses(instruction, gprs, state);
        CheckDefs(instruction, gprs);
        int[] copied = IsCopy(instruction) ? state[gprs[1].Number] : RegisterSets.Nothing;
        Clobber(instruction, state);
        for (int index = 0; index < gprs.Length; index++)
        {
            ref readonly MachineOperand operand = ref instruction.Operands[index];
            if (operand.Kind == MachineOperandKind.VirtualRegister && operand.IsDef)
            {
                if (!_sameConstant.ContainsKey(operand.Number))
                    RegisterSets.Forget(operand.Number, state);
                state[gprs[index].Number] = IsCopy(instruction) ? copied : [Canonical(operand.Number)];
            }
        }

        if (IsCopy(instruction))
        {
            RegisterSets.AddWhereverIs(Canonical(instruction.Operands[1].Number), instruction.Operands[0].Number, state);
        }
    }

    private static bool IsCopy(MachineInstruction instruction) => instruction.Pseudo == MachinePseudo.Copy
        && instruction.Operands[0].Kind == MachineOperandKind.VirtualRegister && instruction.Operands[1].Kind == MachineOperandKind.VirtualRegister;

    private void ApplyDeleted(MachineInstruction instruction, Gpr[] gprs, int[][] state)
    {
        MachineOperand[] operands = instruction.Operands;
        if (IsCopy(instruction))
        {
            Require(gprs[0] == gprs[1], "a deleted copy joins two GPRs");
            CheckUses(instruction, gprs, state);
            RegisterSets.Forget(operands[0].Number, state);
            RegisterSets.AddWhereverIs(Canonical(operands[1].Number), operands[0].Number, state);
            return;
        }

        Require(instruction.IsRematerializable && _definedBy.ContainsKey(instruction), "a deleted instruction is neither copy nor rematerialisable");
        if (_definedBy.TryGetValue(instruction, out int register) && !_sameConstant.ContainsKey(register))
        {
            RegisterSets.Forget(register, state);
        }
    }

    private void CheckUses(MachineInstruction instruction, Gpr[] gprs, int[][] state)
    {
        for (int index = 0; index < gprs.Length; index++)
        {
            ref readonly MachineOperand operand = ref instruction.Operands[index];
            if (operand.Kind != MachineOperandKind.VirtualRegister || operand.IsDef)
            {
                continue;
            }

            Gpr gpr = gprs[index];
            bool isAllocatable = gpr.Number < GprCount && ((VolatileGprs | CalleeSavedGprs) >> gpr.Number & 1) != 0;
            Require(isAllocatable && Array.BinarySearch(state[gpr.Number], Canonical(operand.Number)) >= 0, $"v{operand.Number} is not in {gpr} where operand {index} reads it");
            Require(operand.FixedGpr < 0 || operand.FixedGpr == gpr.Number, $"operand {index} is {gpr} instead of its fixed register");
            Require(operand.TiedTo < 0 || gprs[operand.TiedTo] == gpr, $"operand {index} is {gpr}, not the register of the operand that it is tied to");
        }
    }

    private void CheckDefs(MachineInstruction instruction, Gpr[] gprs)
    {
        for (int index = 0; index < gprs.Length; index++)
        {
            ref readonly MachineOperand operand = ref instruction.Operands[index];
            if (operand.Kind != MachineOperandKind.VirtualRegister || !operand.IsDef)
            {
                continue;
            }

            Require(MayWrite(gprs[index], orScratch: false), $"operand {index} writes {gprs[index]}, which is not allocatable or not listed as saved");
            Require(operand.FixedGpr < 0 || operand.FixedGpr == gprs[index].Number, $"operand {index} is {gprs[index]} instead of its fixed register");
            Require(!instruction.ClobbersVolatile || operand.FixedGpr >= 0, $"operand {index} of a call is a def without a fixed register");
            for (int other = 0; other < gprs.Length; other++)
            {
                ref readonly MachineOperand otherOperand = ref instruction.Operands[other];
                bool excludes = otherOperand.Kind == MachineOperandKind.VirtualRegister && other != index
                    && (otherOperand.IsDef || (operand.Role == OperandRole.EarlyDef && otherOperand.TiedTo != index));
                Require(!excludes || gprs[other] != gprs[index], $"operands {index} and {other} share {gprs[index]}");
            }
        }
    }

    private static void Clobber(MachineInstruction instruction, int[][] state)
    {
        state[0] = RegisterSets.Nothing;
        if (!instruction.ClobbersVolatile)
        {
            return;
        }

        for (int gpr = 0; gpr < GprCount; gpr++)
        {
            if ((VolatileGprs >> gpr & 1) != 0)
            {
                state[gpr] = RegisterSets.Nothing;
            }
        }
    }

    /// <summary>Meets the state behind an edge into the target's. True if that changed.</summary>
    private bool MergeInto(MachineEdge edge, int[][] state)
    {
        List<VirtualRegister> parameters = _function.Blocks[edge.Target].Parameters;
        int[][] known = _blockStates[edge.Target];
        bool isFirst = known is null;
        bool changed = isFirst;
        known ??= NewState();
        for (int location = 0; location < state.Length; location++)
        {
            if (!isFirst && known[location].Length == 0)
            {
                continue;
            }

            int[] arriving = parameters.Count == 0 || state[location].Length == 0 ? state[location] : Rename(state[location], parameters, edge.Arguments);
            int[] met = isFirst ? arriving : RegisterSets.Intersection(known[location], arriving);
            changed |= met.Length != known[location].Length;
            known[location] = met;
        }

        _blockStates[edge.Target] = known;
        return changed;
    }

    private int[] Rename(int[] set, List<VirtualRegister> parameters, VirtualRegister[] arguments)
    {
        var renamed = new List<int>(set.Length + 1);
        foreach (int register in set)
        {
            if (!parameters.Contains(new VirtualRegister(register)))
            {
                renamed.Add(register);
            }
        }

        for (int index = 0; index < arguments.Length; index++)
        {
            if (Array.BinarySearch(set, Canonical(arguments[index].Number)) >= 0)
            {
                renamed.Add(parameters[index].Number);
            }
        }

        renamed.Sort();
        return renamed.ToArray();
    }

    private void Require(bool holds, string text)
    {
        if (!holds && _reports)
        {
            _violations.Add(new AllocationViolation(_block, _instruction, text));
        }
    }
}
