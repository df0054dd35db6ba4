using BpfPpcc.Mir;

namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// A machine function laid out on program points: where each virtual register occurs and where it is live. Each register is followed
/// backwards from its uses to its definition, so that the work is the size of the answer (SSA: every use is below the definition).
/// </summary>
internal sealed class Liveness
{
    private readonly int[] _callsBefore;
    private readonly int[] _occurrenceStart;
    private readonly Occurrence[] _occurrences;
    private readonly int[] _defBlock;
    private readonly bool[] _isParameter;

    private Liveness(MachineFunction function)
    {
        Function = function;
        FirstInstruction = new int[function.Blocks.Count + 1];
        for (int block = 0; block < function.Blocks.Count; block++)
        {
            FirstInstruction[block + 1] = FirstInstruction[block] + function.Blocks[block].Instructions.Count;
        }

        int instructionCount = FirstInstruction[^1];
        BlockOf = new int[instructionCount + 1];
        _callsBefore = new int[instructionCount + 2];
        NumberInstructions();

        int registerCount = function.VirtualRegisterCount;
        _defBlock = new int[registerCount];
        Array.Fill(_defBlock, -1);
        _isParameter = new bool[registerCount];
        Rematerialization = new MachineInstruction?[registerCount];
        _occurrenceStart = new int[registerCount + 1];
        CountOccurrences();
        _occurrences = new Occurrence[_occurrenceStart[registerCount]];
        FillOccurrences();
        LimitRematerialization();
        Ranges = new LiveRange[registerCount][];
        ComputeRanges();
    }

    public MachineFunction Function { get; }

    /// <summary>By block: number of its first instruction. One more entry at the end.</summary>
    public int[] FirstInstruction { get; }

    /// <summary>By instruction: its block.</summary>
    public int[] BlockOf { get; }

    /// <summary>By virtual register: its definition, if that may be repeated instead of keeping the value.</summary>
    public MachineInstruction?[] Rematerialization { get; }

    /// <summary>By virtual register: where it is live, ascending, neighbours that touch being one. Empty if nothing needs a place.</summary>
    public LiveRange[][] Ranges { get; }

    public int InstructionCount => FirstInstruction[^1];

    /// <summary>Positive, so that multiples of it grow.</summary>
    public float EntryFrequency => Math.Max(Function.Blocks[0].Frequency, 0.001f);

    public static Liveness Compute(MachineFunction function) => new(function);

    /// <summary>Uses and defs of a virtual register, by ascending instruction.</summary>
    public ReadOnlySpan<Occurrence> OccurrencesOf(int register) =>
        _occurrences.AsSpan(_occurrenceStart[register].._occurrenceStart[register + 1]);

    /// <summary>The occurrences in a range, and maybe some next to it: compare <see cref="Occurrence.FirstPoint"/>.</summary>
    public ReadOnlySpan<Occurrence> OccurrencesIn(in LiveRange range)
    {
        int low = _occurrenceStart[range.Register];
        int end = _occurrenceStart[range.Register + 1];
        low = LowerBound(low, end, ProgramPoint.Instruction(range.From) - 1);
        int high = LowerBound(low, end, ProgramPoint.Instruction(range.To) + 1);
        return _occurrences.AsSpan(low..high);
    }

    public float Frequency(int instruction) => Function.Blocks[BlockOf[instruction]].Frequency;

    /// <summary>How many calls destroy the volatile registers between two points.</summary>
    public int CallsIn(int from, int to) => _callsBefore[ProgramPoint.Instruction(to)] - _callsBefore[ProgramPoint.Instruction(from)];

    public int BlockStart(int block) => ProgramPoint.Gap(FirstInstruction[block]);

    public int BlockEnd(int block) => ProgramPoint.Gap(FirstInstruction[block + 1]);

    public bool IsParameterOf(int register, int block) =>
        _defBlock[register] == block && _isParameter[register];

    private int LowerBound(int low, int high, int instruction)
    {
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_occurrences[middle].Instruction < instruction)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }

    private void NumberInstructions()
    {
        foreach (MachineBlock block in Function.Blocks)
        {
            int number = FirstInstruction[block.Index];
            foreach (MachineInstruction instruction in block.Instructions)
            {
                BlockOf[number] = block.Index;
                _callsBefore[number + 1] = _callsBefore[number] + (instruction.ClobbersVolatile ? 1 : 0);
                number++;
            }
        }

        BlockOf[^1] = Function.Blocks.Count - 1;
        _callsBefore[^1] = _callsBefore[^2];
    }

    private void CountOccurrences()
    {
        int[] count = _occurrenceStart;
        foreach (MachineBlock block in Function.Blocks)
        {
            foreach (VirtualRegister parameter in block.Parameters)
            {
                count[parameter.Number]++;
            }

            foreach (MachineInstruction instruction in block.Instructions)
            {
                foreach (ref readonly MachineOperand operand in instruction.Operands.AsSpan())
                {
                    if (operand.Kind == MachineOperandKind.VirtualRegister)
                    {
                        count[operand.Number]++;
                    }
                }
            }

            foreach (MachineEdge edge in block.Successors)
            {
                foreach (VirtualRegister argument in edge.Arguments)
                {
                    count[argument.Number]++;
                }
            }
        }

        int sum = 0;
        for (int register = 0; register < count.Length; register++)
        {
            (count[register], sum) = (sum, sum + count[register]);
        }
    }

    private void FillOccurrences()
    {
        int[] next = _occurrenceStart.AsSpan().ToArray();
        foreach (MachineBlock block in Function.Blocks)
        {
            int number = FirstInstruction[block.Index];
            foreach (VirtualRegister parameter in block.Parameters)
            {
                _occurrences[next[parameter.Number]++] = new Occurrence(number, OccurrenceKind.Parameter, -1);
                Define(parameter.Number, block.Index);
                _isParameter[parameter.Number] = true;
            }

            foreach (MachineInstruction instruction in block.Instructions)
            {
                FillOccurrences(instruction, number, block.Index, next, gapUses: true);
                FillOccurrences(instruction, number, block.Index, next, gapUses: false);
                number++;
            }

            foreach (MachineEdge edge in block.Successors)
            {
                foreach (VirtualRegister argument in edge.Arguments)
                {
                    _occurrences[next[argument.Number]++] = new Occurrence(number - 1, OccurrenceKind.EdgeUse, -1);
                }
            }
        }
    }

    /// <summary>Gap uses are entered before the rest, so that the points of a register's occurrences ascend.</summary>
    private void FillOccurrences(MachineInstruction instruction, int number, int block, int[] next, bool gapUses)
    {
        for (int index = 0; index < instruction.Operands.Length; index++)
        {
            ref readonly MachineOperand operand = ref instruction.Operands[index];
            if (operand.Kind != MachineOperandKind.VirtualRegister)
            {
                continue;
            }

            OccurrenceKind kind = KindOf(instruction, index);
            if (kind == OccurrenceKind.GapUse != gapUses)
            {
                continue;
            }

            _occurrences[next[operand.Number]++] = new Occurrence(number, kind, operand.FixedGpr);
            if (operand.IsDef)
            {
                Define(operand.Number, block);
                if (instruction.IsTerminator)
                {
                    throw new InvalidOperationException($"{Function.Name}: the terminator of block {block} defines a virtual register");
                }

                if (instruction.IsRematerializable && kind == OccurrenceKind.Def)
                {
                    Rematerialization[operand.Number] = instruction;
                }
            }
        }
    }

    private static OccurrenceKind KindOf(MachineInstruction instruction, int index)
    {
        ref readonly MachineOperand operand = ref instruction.Operands[index];
        if (!operand.IsDef)
        {
            return operand.FixedGpr >= 0 || TieOf(instruction, index) >= 0 ? OccurrenceKind.GapUse : OccurrenceKind.RegisterUse;
        }

        if (operand.FixedGpr >= 0)
        {
            return OccurrenceKind.FixedDef;
        }

        return operand.Role == OperandRole.EarlyDef || IsTied(instruction, index) ? OccurrenceKind.EarlyDef : OccurrenceKind.Def;
    }

    /// <summary>
    /// Index of the def whose register a use shares, or -1: the one that it is tied to, or that the instruction's tied use of the same value
    /// is. Tied uses stand behind all others.
    /// </summary>
    public static int TieOf(MachineInstruction instruction, int index)
    {
        ref readonly MachineOperand operand = ref instruction.Operands[index];
        ref readonly MachineOperand last = ref instruction.Operands[^1];
        return !operand.IsDef && last.TiedTo >= 0 && last.Number == operand.Number && operand.FixedGpr < 0 ? last.TiedTo : operand.TiedTo;
    }

    /// <summary>True if a use is tied to the def with this index.</summary>
    public static bool IsTied(MachineInstruction instruction, int defIndex)
    {
        foreach (ref readonly MachineOperand operand in instruction.Operands.AsSpan())
        {
            if (operand.Kind == MachineOperandKind.VirtualRegister && operand.TiedTo == defIndex)
            {
                return true;
            }
        }

        return false;
    }

    private void Define(int register, int block)
    {
        if (_defBlock[register] >= 0)
        {
            throw new InvalidOperationException($"{Function.Name}: v{register} has two definitions");
        }

        _defBlock[register] = block;
    }

    /// <summary>
    /// The argument of an edge may have to go to a slot, and a rematerialised value gets there through r0, into which only these can be
    /// computed: the others expand to code that uses their own register as RA, where r0 reads as zero.
    /// </summary>
    private void LimitRematerialization()
    {
        for (int register = 0; register < Rematerialization.Length; register++)
        {
            if (Rematerialization[register] is not
                { Pseudo: MachinePseudo.LoadLiteral or MachinePseudo.LoadAddress or MachinePseudo.LoadExternAddress })
            {
                continue;
            }

            foreach (Occurrence occurrence in OccurrencesOf(register))
            {
                if (occurrence.Kind == OccurrenceKind.EdgeUse)
                {
                    Rematerialization[register] = null;
                    break;
                }
            }
        }
    }

    private void ComputeRanges()
    {
        int blockCount = Function.Blocks.Count;
        int[] liveIn = new int[blockCount];
        int[] liveOut = new int[blockCount];
        Array.Fill(liveIn, -1);
        Array.Fill(liveOut, -1);
        var visited = new List<int>();
        var ranges = new List<LiveRange>();
        for (int register = 0; register < Ranges.Length; register++)
        {
            ReadOnlySpan<Occurrence> occurrences = OccurrencesOf(register);
            if (_defBlock[register] < 0)
            {
                if (!occurrences.IsEmpty)
                {
                    throw new InvalidOperationException($"{Function.Name}: v{register} is used but not defined");
                }

                Ranges[register] = [];
                continue;
            }

            FindBlocks(register, occurrences, liveIn, liveOut, visited);
            ranges.Clear();
            AddRanges(register, occurrences, liveOut, visited, ranges);
            Ranges[register] = ranges.ToArray();
        }
    }

    /// <summary>Collects the blocks in which the register is live, ascending, and marks those at whose end it is.</summary>
    private void FindBlocks(int register, ReadOnlySpan<Occurrence> occurrences, int[] liveIn, int[] liveOut, List<int> visited)
    {
        int defBlock = _defBlock[register];
        visited.Clear();
        visited.Add(defBlock);
        int next = 1;
        foreach (Occurrence occurrence in occurrences)
        {
            int block = BlockOf[occurrence.Instruction];
            if (occurrence.Kind == OccurrenceKind.EdgeUse)
            {
                liveOut[block] = register;
            }

            if (block != defBlock && liveIn[block] != register)
            {
                liveIn[block] = register;
                visited.Add(block);
            }
        }

        while (next < visited.Count)
        {
            MachineBlock block = Function.Blocks[visited[next++]];
            if (block.Predecessors.Count == 0)
            {
                throw new InvalidOperationException($"{Function.Name}: the definition of v{register} does not reach all of its uses");
            }

            foreach (int predecessor in block.Predecessors)
            {
                liveOut[predecessor] = register;
                if (predecessor != defBlock && liveIn[predecessor] != register)
                {
                    liveIn[predecessor] = register;
                    visited.Add(predecessor);
                }
            }
        }

        visited.Sort();
    }

    private void AddRanges(int register, ReadOnlySpan<Occurrence> occurrences, int[] liveOut, List<int> visited, List<LiveRange> ranges)
    {
        if (occurrences.Length == 1 && (occurrences[0].Kind is OccurrenceKind.Parameter or OccurrenceKind.FixedDef
            || Rematerialization[register] is not null))
        {
            return;
        }

        int next = 0;
        foreach (int block in visited)
        {
            int from = BlockStart(block);
            int to = from;
            for (; next < occurrences.Length && occurrences[next].Instruction < FirstInstruction[block + 1]; next++)
            {
                if (occurrences[next].IsDef)
                {
                    from = occurrences[next].FirstPoint;
                }

                to = Math.Max(to, occurrences[next].EndPoint);
            }

            if (liveOut[block] == register)
            {
                to = BlockEnd(block);
            }

            if (ranges.Count > 0 && ranges[^1].To == from)
            {
                ranges[^1] = ranges[^1] with { To = to };
            }
            else
            {
                ranges.Add(new LiveRange(from, to, register));
            }
        }
    }
}
