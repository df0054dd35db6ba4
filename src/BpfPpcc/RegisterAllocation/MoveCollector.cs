using BpfPpcc.Mir;
using BpfPpcc.Ppc64;

namespace BpfPpcc.RegisterAllocation;

/// <summary>Which of the parallel moves before an instruction: the groups follow one another, the moves of one group are simultaneous.</summary>
internal enum MovePhase : byte
{
    /// <summary>What the previous instruction left behind goes to its place; or, at the head of a block, what its only edge brings.</summary>
    Arrive,

    /// <summary>What the instruction needs is put in place.</summary>
    Prepare,

    /// <summary>Before a jump: what its edge carries.</summary>
    Leave,
}

/// <summary>End of a move: a GPR (0..31), or the slot or the definition of a virtual register.</summary>
internal readonly record struct Place
{
    private const int FirstSlot = 32;

    private readonly int _value;

    private Place(int value) => _value = value;

    public bool IsGpr => _value is >= 0 and < FirstSlot;

    public bool IsSlot => _value >= FirstSlot;

    public bool IsRematerialized => _value < 0;

    public int Gpr => _value;

    public int Register => _value < 0 ? ~_value : _value - FirstSlot;

    public static Place InGpr(int gpr) => new(gpr);

    public static Place InSlotOf(int register) => new(register + FirstSlot);

    public static Place Rematerialized(int register) => new(~register);
}

/// <summary>One of the simultaneous moves of a phase before an instruction, both as function-wide numbers.</summary>
internal readonly record struct Move(int Instruction, MovePhase Phase, Place From, Place To);

/// <summary>
/// Walks the function once more, with all places known: gives each operand its GPR and collects the moves that bring values from place to
/// place: into fixed and tied operands, out of fixed defs, into pieces of spilled values, into slots at the definition, and along edges.
/// </summary>
internal sealed class MoveCollector
{
    private readonly Liveness _liveness;
    private readonly ValueLocations _locations;
    private readonly bool[] _isSpilled;
    private readonly FrameSplitter _frame;

    /// <summary>By register: something reads its slot before the frame is set up.</summary>
    private readonly bool[] _needsSlotEarly;
    private readonly List<Move> _moves = [];
    private readonly List<(int Block, int Instruction)> _deleted = [];
    private readonly Gpr[][][] _operandGprs;

    private MoveCollector(Liveness liveness, ValueLocations locations, bool[] isSpilled, FrameSplitter frame)
    {
        _frame = frame;
        _needsSlotEarly = new bool[isSpilled.Length];
        _liveness = liveness;
        _locations = locations;
        _isSpilled = isSpilled;
        NeedsSlot = new bool[isSpilled.Length];
        _operandGprs = new Gpr[liveness.Function.Blocks.Count][][];
    }

    /// <summary>By register: something reads its slot.</summary>
    private bool[] NeedsSlot { get; }

    public static CollectedMoves Collect(Liveness liveness, ValueLocations locations, bool[] isSpilled, FrameSplitter frame)
    {
        var collector = new MoveCollector(liveness, locations, isSpilled, frame);
        foreach (MachineBlock block in liveness.Function.Blocks)
        {
            collector.VisitBlock(block);
        }

        for (int register = 0; register < isSpilled.Length; register++)
        {
            if (isSpilled[register])
            {
                collector.EnterPieces(register);
            }
        }

        for (int register = 0; register < isSpilled.Length; register++)
        {
            if (collector.NeedsSlot[register] && !collector.TryStoreAtSavePoint(register))
            {
                collector.StoreOnce(register);
            }
        }

        return new CollectedMoves(collector._operandGprs, collector._moves, collector._deleted, collector.NeedsSlot);
    }

    private void VisitBlock(MachineBlock block)
    {
        int number = _liveness.FirstInstruction[block.Index];
        var gprs = new Gpr[block.Instructions.Count][];
        _operandGprs[block.Index] = gprs;
        for (int index = 0; index < gprs.Length; index++)
        {
            gprs[index] = VisitInstruction(block.Instructions[index], number + index);
            if (IsUnneeded(block.Instructions[index], number + index, gprs[index]))
            {
                _deleted.Add((block.Index, index));
            }
        }

        foreach (MachineEdge edge in block.Successors)
        {
            MachineBlock target = _liveness.Function.Blocks[edge.Target];
            for (int index = 0; index < edge.Arguments.Length; index++)
            {
                CarryArgument(block, target, target.Parameters[index].Number, edge.Arguments[index].Number);
            }
        }
    }

    private Gpr[] VisitInstruction(MachineInstruction instruction, int number)
    {
        MachineOperand[] operands = instruction.Operands;
        var gprs = new Gpr[operands.Length];
        for (int index = 0; index < operands.Length; index++)
        {
            ref readonly MachineOperand operand = ref operands[index];
            if (operand.Kind != MachineOperandKind.VirtualRegister || Liveness.TieOf(instruction, index) >= 0)
            {
                continue;
            }

            gprs[index] = operand.FixedGpr >= 0 ? new Gpr((byte)operand.FixedGpr) : FreeOperand(operand, number);
            if (operand.FixedGpr >= 0 && !operand.IsDef)
            {
                AddMove(number, MovePhase.Prepare, PlaceAt(operand.Number, ProgramPoint.Gap(number)), Place.InGpr(operand.FixedGpr));
            }
            else if (operand.FixedGpr >= 0 && _locations.GprAt(operand.Number, ProgramPoint.Gap(number + 1)) is >= 0 and int home)
            {
                AddMove(number + 1, MovePhase.Arrive, Place.InGpr(operand.FixedGpr), Place.InGpr(home));
            }
        }

        for (int index = 0; index < operands.Length; index++)
        {
            ref readonly MachineOperand operand = ref operands[index];
            if (operand.Kind != MachineOperandKind.VirtualRegister || Liveness.TieOf(instruction, index) is not (>= 0 and int def))
            {
                continue;
            }

            gprs[index] = gprs[def];
            if (operand.TiedTo >= 0)
            {
                AddMove(number, MovePhase.Prepare, PlaceAt(operand.Number, ProgramPoint.Gap(number)), Place.InGpr(gprs[index].Number));
            }
        }

        return gprs;
    }

    private Gpr FreeOperand(in MachineOperand operand, int number)
    {
        int gpr = _locations.GprAt(operand.Number, operand.IsDef ? ProgramPoint.Late(number) : ProgramPoint.Early(number));
        if (gpr < 0 && !(operand.IsDef && _liveness.Rematerialization[operand.Number] is not null))
        {
            throw new InvalidOperationException($"{_liveness.Function.Name}: v{operand.Number} has no GPR at instruction {number}");
        }

        return gpr < 0 ? Gpr.R0 : new Gpr((byte)gpr);
    }

    /// <summary>The def of a value that is computed again wherever it is used, or a copy that stays in its register.</summary>
    private bool IsUnneeded(MachineInstruction instruction, int number, Gpr[] gprs)
    {
        MachineOperand[] operands = instruction.Operands;
        if (operands.Length == 0 || operands[0].Kind != MachineOperandKind.VirtualRegister || !operands[0].IsDef)
        {
            return false;
        }

        if (_liveness.Rematerialization[operands[0].Number] is not null)
        {
            return _locations.GprAt(operands[0].Number, ProgramPoint.Late(number)) < 0;
        }

        return instruction.Pseudo == MachinePseudo.Copy && operands[1].Kind == MachineOperandKind.VirtualRegister && gprs[0] == gprs[1];
    }

    private void CarryArgument(MachineBlock block, MachineBlock target, int parameter, int argument)
    {
        if (_liveness.Ranges[parameter].Length == 0)
        {
            return;
        }

        int gpr = _locations.GprAt(parameter, _liveness.BlockStart(target.Index));
        AddEdgeMove(block, target, PlaceAt(argument, _liveness.BlockEnd(block.Index) - 1),
            gpr >= 0 ? Place.InGpr(gpr) : Place.InSlotOf(parameter));
    }

    /// <summary>Brings a spilled register into each piece that does not begin with its definition.</summary>
    private void EnterPieces(int register)
    {
        foreach (ref readonly ValueLocations.Piece piece in _locations.PiecesOf(register))
        {
            int instruction = ProgramPoint.Instruction(piece.From);
            bool beginsWithUse = piece.From == ProgramPoint.Early(instruction) && !IsDefinedEarly(register, instruction);
            if (beginsWithUse)
            {
                AddMove(instruction, MovePhase.Prepare, PlaceAt(register, piece.From - 1), Place.InGpr(piece.Gpr));
            }

            int last = _liveness.BlockOf[ProgramPoint.Instruction(piece.To - 1)];
            for (int block = _liveness.BlockOf[instruction]; block <= last; block++)
            {
                if (_liveness.BlockStart(block) >= piece.From && !_liveness.IsParameterOf(register, block))
                {
                    EnterBlock(register, _liveness.Function.Blocks[block], piece.Gpr);
                }
            }
        }
    }

    private bool IsDefinedEarly(int register, int instruction)
    {
        foreach (Occurrence occurrence in _liveness.OccurrencesIn(new LiveRange(ProgramPoint.Gap(instruction), ProgramPoint.Late(instruction), register)))
        {
            if (occurrence.Kind == OccurrenceKind.EarlyDef && occurrence.Instruction == instruction)
            {
                return true;
            }
        }

        return false;
    }

    private void EnterBlock(int register, MachineBlock block, int gpr)
    {
        foreach (int index in block.Predecessors)
        {
            MachineBlock predecessor = _liveness.Function.Blocks[index];
            AddEdgeMove(predecessor, block, PlaceAt(register, _liveness.BlockEnd(index) - 1), Place.InGpr(gpr));
        }
    }

    /// <summary>Writes the slot where the frame is set up, if the value is in a GPR up to there and nothing before reads the slot.</summary>
    private bool TryStoreAtSavePoint(int register)
    {
        if (!_frame.IsCut[register] || _needsSlotEarly[register])
        {
            return false;
        }

        MachineBlock savePoint = _liveness.Function.Blocks[_frame.SavePoint];
        MachineBlock before = _liveness.Function.Blocks[savePoint.Predecessors[0]];
        int gpr = _locations.GprAt(register, _liveness.BlockEnd(before.Index) - 1);
        if (gpr < 0)
        {
            return false;
        }

        AddEdgeMove(before, savePoint, Place.InGpr(gpr), Place.InSlotOf(register));
        return true;
    }

    /// <summary>Writes the slot where the register is defined. A parameter without a GPR there got its slot written by the edges.</summary>
    private void StoreOnce(int register)
    {
        foreach (Occurrence occurrence in _liveness.OccurrencesOf(register))
        {
            int instruction = occurrence.Instruction;
            switch (occurrence.Kind)
            {
                case OccurrenceKind.Def or OccurrenceKind.EarlyDef:
                    int gpr = _locations.GprAt(register, ProgramPoint.Late(instruction));
                    AddMove(instruction + 1, MovePhase.Arrive, Place.InGpr(gpr), Place.InSlotOf(register));
                    return;
                case OccurrenceKind.FixedDef:
                    AddMove(instruction + 1, MovePhase.Arrive, Place.InGpr(occurrence.FixedGpr), Place.InSlotOf(register));
                    return;
                case OccurrenceKind.Parameter:
                    if (_locations.GprAt(register, ProgramPoint.Gap(instruction)) is >= 0 and int home)
                    {
                        AddMove(instruction, MovePhase.Prepare, Place.InGpr(home), Place.InSlotOf(register));
                    }

                    return;
                case OccurrenceKind.RegisterUse or OccurrenceKind.GapUse or OccurrenceKind.EdgeUse:
                    break;
            }
        }
    }

    private Place PlaceAt(int register, int point)
    {
        int gpr = _locations.GprAt(register, point);
        if (gpr >= 0)
        {
            return Place.InGpr(gpr);
        }

        return _liveness.Rematerialization[register] is null ? Place.InSlotOf(register) : Place.Rematerialized(register);
    }

    private void AddEdgeMove(MachineBlock block, MachineBlock target, Place from, Place to)
    {
        if (from == to)
        {
            return;
        }

        if (block.Successors.Count == 1)
        {
            AddMove(_liveness.FirstInstruction[block.Index + 1] - 1, MovePhase.Leave, from, to);
        }
        else if (target.Predecessors.Count == 1)
        {
            AddMove(_liveness.FirstInstruction[target.Index], MovePhase.Arrive, from, to);
        }
        else
        {
            throw new InvalidOperationException($"{_liveness.Function.Name}: a value moves on the critical edge {block.Index} -> {target.Index}");
        }
    }

    private void AddMove(int instruction, MovePhase phase, Place from, Place to)
    {
        if (from == to)
        {
            return;
        }

        if (from.IsSlot)
        {
            if (!_isSpilled[from.Register])
            {
                throw new InvalidOperationException($"{_liveness.Function.Name}: v{from.Register} is nowhere before instruction {instruction}");
            }

            NeedsSlot[from.Register] = true;
            _needsSlotEarly[from.Register] |= !_frame.IsInside(_liveness.BlockOf[instruction]);
        }

        _moves.Add(new Move(instruction, phase, from, to));
    }
}

/// <summary>What <see cref="MoveCollector"/> found out.</summary>
internal sealed record CollectedMoves(Gpr[][][] OperandGprs, List<Move> Moves, List<(int Block, int Instruction)> Deleted, bool[] NeedsSlot);
